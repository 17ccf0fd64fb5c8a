"""Secrets in URLs are never shown, logged or recorded."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
_SECRET = re.compile(r"(?i)([?&](?:token|key|sig|signature|password|secret|auth|access_token|x-amz-[a-z-]+)=)[^&\s#]+")


def redact(text: str) -> str:
    """Hide user names, passwords and tokens in URLs."""
    return _SECRET.sub(r"\1****", _USERINFO.sub("****@", text))
