"""SHA-256 of short contents, without `hashlib`, which loads OpenSSL in 5 ms. For long ones `hashlib` is faster."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256
else:
    from _liveinstall_boot.files import new_sha256 as sha256

__all__ = ["sha256"]
