"""SHA-256 of short contents, without `hashlib`, which loads OpenSSL in 5 ms. For long ones `hashlib` is faster."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        from _sha2 import sha256  # Python 3.12 and later
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:  # built without it
            from hashlib import sha256

__all__ = ["sha256"]
