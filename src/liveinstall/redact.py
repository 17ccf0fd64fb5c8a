"""Secrets in URLs and in options are never shown, logged or recorded."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
_SECRET = re.compile(r"(?i)([?&](?:token|key|sig|signature|password|secret|auth|access_token|x-amz-[a-z-]+)=)[^&\s#]+")

# As a server's command line has it: --IdentityProvider.token=abc, --password abc.
_OPTION = re.compile(r"(?i)((?:^|\s)--?[\w.-]*(?:token|password|passwd|secret|api[_-]?key)[= ])\S+")


def redact(text: str) -> str:
    """Hide user names, passwords and tokens in URLs, and what options of such names are given."""
    return _OPTION.sub(r"\1****", _SECRET.sub(r"\1****", _USERINFO.sub("****@", text)))
