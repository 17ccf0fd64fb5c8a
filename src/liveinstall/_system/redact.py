"""Secrets in URLs and in options are never shown, logged or recorded."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")

# A name that has one of these in it is a secret's: ?api_key=, JUPYTER_TOKEN=, --IdentityProvider.token.
_NAME = r"[\w.-]*(?:token|key|secret|passw(?:or)?d)[\w.-]*"
_QUERY = re.compile(rf"(?i)([?&](?:{_NAME}|sig|signature|auth|x-amz-[a-z-]+)=)[^&\s#]+")
_VALUE = r"(?:'[^']*'|\"[^\"]*\"|\S+)"
# tokenizers==1.0 is no secret, and neither is KEY=VALUE.
_GIVEN = re.compile(rf"(?i)((?<![\w.?&-])(?!keys?=)(?:{_NAME}=(?!=)|--?{_NAME}\s+)){_VALUE}")


def redact(text: str) -> str:
    """Hide user names and passwords in URLs, and what is given to names that tell of a token, key, secret or password.

    That is in queries of URLs, in options and in environment variables; a quoted value goes whole.
    """
    return _GIVEN.sub(r"\1****", _QUERY.sub(r"\1****", _USERINFO.sub("****@", text)))
