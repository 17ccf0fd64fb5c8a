"""How RECORD spells things."""

from base64 import urlsafe_b64encode


def encoded(digest: bytes) -> str:
    """A hash as RECORD has it: in base64, without padding."""
    return urlsafe_b64encode(digest).decode("ascii").rstrip("=")
