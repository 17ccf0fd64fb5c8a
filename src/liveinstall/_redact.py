"""Redaction of secrets in URLs, options, headers and variables, which are never shown, logged or recorded.

Patterns find the positions at which a secret may be. A password may contain any character, so everything between a
scheme and the last `@` before a slash is hidden, as pip parses it. Known secrets (`learn`), and the values of
environment variables that contain secrets, are hidden wherever they appear, even decoded, because a program may print
them elsewhere.

Text that only looks like a secret is hidden, too: a message with too little information is the smaller harm.
"""

from __future__ import annotations

import os

HIDDEN = "****"
# Patterns are compiled when they are first used, by `re`: compiling them costs more than importing all our errors.
_SLASHES = (
    r"(?<!file)(?<![\W_][a-z])(?<!^[a-z])(:/+)"  # not of a drive; a single slash if a URL was normalized as a path
)
# The login name of Git servers, as in ssh://git@host/path, is not a secret; without it the URL cannot be used.
_USERINFO = rf"(?i){_SLASHES}(?!git@[^@/\s]*(?:[/\s]|$))([^/\s]{{0,1000}})@"
# A password with a slash makes the URL invalid, but people type it. A port is not a password.
_SLASHED = rf"(?i){_SLASHES}([^\s/:@\[]{{1,200}}:(?!\d{{1,5}}(?:[/?#\"'\s]|$))[^\s@]{{0,500}})@(?=[^\s/@]*(?:[/\s:]|$))"
_BARE = r"(?<![^\s'\"=(\[{,])(?![A-Za-z]:\\)([\w.%+-]{1,200}:[^\s/]{1,500})@(?=[\w\[])"  # a proxy without a scheme

# A name with one of these words belongs to a secret: ?api_key=, JUPYTER_TOKEN=, --IdentityProvider.token.
_NAME = r"[\w.-]{0,60}(?:token|key|secret|passw(?:or)?d|credential)[\w.-]{0,60}"
_QUERY = rf"(?i)([?&;#](?:{_NAME}|sig|signature|auth|x-amz-[a-z-]+|x-goog-[a-z-]+)=)[^&\s#'\"]+"
_VALUE = r"(?:'[^']*'|\"[^\"]*\"|\S+)"
# tokenizers==1.0 is not a secret, and neither is KEY=VALUE.
_ASSIGNMENT = rf"(?i)((?<![\w.?&-])(?!keys?=)(?:{_NAME}=(?!=)|--?{_NAME}\s+)){_VALUE}"
_FIELD = rf"(?i)((['\"]){_NAME}\2\s*:\s*)(?:'[^']*'|\"[^\"]*\")"  # in a dictionary or JSON
_HEADER = (
    r"(?i)(\b(?:(?:proxy-)?authorization|cookie|set-cookie|(?:[\w-]{1,60}-)?(?:token|api-key)|password|passwd)['\"]?\s*:\s+"
    r"['\"]?(?:(?:basic|bearer|token|digest|negotiate)\s+)?)[^\s'\"]+"
)
_SCHEME_OF_HEADER = r"(?i)(\b(?:basic|bearer)\s+)(?=\S*[\d=])[\w+/=.~-]{8,}"
_NETRC = r"(\bmachine\s+\S+\s+(?:(?:login|account)\s+\S+\s+)*password\s+)\S+"
_KNOWN_FORMS = (
    r"\b(?:gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|pypi-[\w-]{32,}|AKIA[0-9A-Z]{16}|xox[a-z]-[\w-]{10,}"
    r"|hf_[A-Za-z0-9]{16,}|eyJ[\w-]{8,}\.eyJ[\w-]+\.[\w-]+)"
)
# Case-folded parts, one of which is in each text that the pattern matches: most texts have none, and need no pattern.
_WORDS = ("token", "key", "secret", "passw", "credent")
_STARTS = ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "pypi-", "akia", "xox", "hf_", "eyj")
_RULES = (
    *((("@",), _USERINFO, rf"\1{HIDDEN}@"), (("@",), _SLASHED, rf"\1{HIDDEN}@"), (("@",), _BARE, f"{HIDDEN}@")),
    *((tuple("?&;#"), _QUERY, rf"\1{HIDDEN}"), (_WORDS, _ASSIGNMENT, rf"\1{HIDDEN}")),
    *((_WORDS, _FIELD, rf"\1\2{HIDDEN}\2"), ((*_WORDS, "author", "cook"), _HEADER, rf"\1{HIDDEN}")),
    *((("bas", "bearer"), _SCHEME_OF_HEADER, rf"\1{HIDDEN}"), (("machine",), _NETRC, rf"\1{HIDDEN}")),
    (_STARTS, _KNOWN_FORMS, HIDDEN),
)

_SENSITIVE_VARIABLE = r"(?i)(?:^|_)(?:token|secret|passw(?:or)?d|api_?key|secret_key|access_key|credentials?)$"
_ENGINES = ("PIP_", "UV_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_MIN_LENGTH = 6  # shorter secrets are not searched for: they may be part of any word
_learnt: set[str] = set()


def redact(text: str) -> str:
    """Hide secrets in a text.

    Secrets are user names and passwords in URLs, and the values of names that contain token, key, secret, password or
    credential: in queries of URLs, options, headers, fields and environment variables. A quoted value is hidden whole.

    Args:
        text: The text.

    Returns:
        The text with `****` instead of secrets.
    """
    for secret in _known(text):
        text = text.replace(secret, HIDDEN)
    folded = text.casefold()
    for parts, pattern, shown in _RULES:
        if any(part in folded for part in parts):
            import re  # which most texts do not need, and which takes longer to load than this whole module

            text = re.sub(pattern, shown, text)
    return text


def learn(value: object) -> None:
    """Remember the passwords in URLs, and user names without a password, until this process exits.

    Args:
        value: A string, or a list, tuple or dictionary of strings; other values are ignored.
    """
    if isinstance(value, str):
        if "@" in value:
            _learnt.update(_secrets_of(value))
    elif isinstance(value, dict):
        learn(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            learn(item)


def has_slash_in_password(text: str) -> bool:
    """Whether a URL in a text has a password with a slash: other programs parse the rest as a path or a port."""
    if "@" not in text:
        return False
    import re

    return bool(re.search(_SLASHED, re.sub(_USERINFO, r"\1@", text)))


def without_secret_queries(url: str) -> str:
    """Return a URL without the parameters of its query that are secrets."""
    import re

    rest, hash, fragment = url.partition("#")
    bare, _, query = rest.partition("?")
    kept = "&".join(parameter for parameter in query.split("&") if parameter and not re.search(_QUERY, f"?{parameter}"))
    return f"{bare}{'?' if kept else ''}{kept}{hash}{fragment}"


def is_secret(text: str) -> bool:
    """Whether a text contains a secret."""
    return redact(text) != text


def _known(text: str) -> list[str]:
    """The known secrets in a text, the longest first, because one may be part of another."""
    secrets = set(_learnt)
    for name, value in os.environ.items():
        if len(value) >= _MIN_LENGTH and value in text and _is_sensitive(name):
            secrets.add(value)
        elif "@" in value and name.upper().startswith(_ENGINES):
            secrets.update(_secrets_of(value))
    return sorted((secret for secret in secrets if secret in text), key=len, reverse=True)


def _is_sensitive(variable: str) -> bool:
    import re

    return bool(re.search(_SENSITIVE_VARIABLE, variable))


def _secrets_of(text: str) -> set[str]:
    import re
    from urllib.parse import unquote

    secrets = set()
    for match in (*re.finditer(_USERINFO, text), *re.finditer(_SLASHED, text)):
        user, colon, password = match[2].partition(":")
        secret = password if colon else user
        secrets |= {secret, unquote(secret), *secret.split("/")}
    return {secret for secret in secrets if len(secret) >= _MIN_LENGTH and not secret.startswith("${")}
