"""Reading fields of METADATA files (core metadata specification), and encoding hashes for RECORD."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode


def read_fields(path: str, *names: str) -> dict[str, list[str]]:
    """Read header fields of a METADATA file.

    The body is skipped: parsing 300 whole files with `email` takes longer than starting pip.

    Args:
        path: The file, absolute or relative to the current directory.
        *names: The names of the fields, in lower case.

    Returns:
        The values of each field, by name; an empty list for a field that is missing.

    Raises:
        OSError: The file cannot be read.
    """
    fields: dict[str, list[str]] = {name: [] for name in names}
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            key, colon, value = line.partition(":")
            if not line.rstrip("\r\n"):  # a line of spaces continues the one before it, as in pandas' license
                break
            if colon and key.lower() in fields:
                fields[key.lower()].append(value.strip())
    return fields


def encoded(digest: bytes) -> str:
    """Encode a hash for RECORD: URL-safe base64 without padding (PEP 376)."""
    return urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def sha256_of(hash: str) -> str:
    """Convert a hash of a RECORD to hexadecimal.

    Args:
        hash: The hash as in RECORD, such as `sha256=47DEQpj8HBSa-_TImW-5JC...`.

    Returns:
        The SHA-256; empty for another algorithm, an invalid hash or none.
    """
    algorithm, _, text = hash.partition("=")
    if algorithm != "sha256":
        return ""
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()
    except ValueError:
        return ""
