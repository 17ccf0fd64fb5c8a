"""Secrets in URLs, options, headers and variables are never shown, logged or recorded.

Text is searched for where a secret may be: a password has any character, so what stands between a scheme and the last
`@` before a slash goes as a whole, as pip splits it. What was once seen as a secret (`learn`), or is the value of such
an environment variable, is hidden wherever it appears, also decoded: a program may print it in another place.

Where text only looks like a secret, it is hidden all the same: a message that says too little is the smaller harm.
"""

from __future__ import annotations

import os
import re

HIDDEN = "****"
_SLASHES = r"(?<!file)(?<![\W_][a-z])(:/+)"  # of no drive; one slash where a path was made of a URL
_USERINFO = re.compile(rf"(?i){_SLASHES}([^/\s]{{0,1000}})@")
# With a slash in the password it is no URL, but somebody has typed it. A port is no password.
_SLASHED = re.compile(
    rf"(?i){_SLASHES}([^\s/:@\[]{{1,200}}:(?!\d{{1,5}}(?:[/?#\"'\s]|$))[^\s@]{{0,500}})@(?=[^\s/@]*(?:[/\s:]|$))"
)
_BARE = re.compile(r"(?<![^\s'\"=(\[{,])([\w.%+-]{1,200}:[^\s/]{1,500})@(?=[\w\[])")  # a proxy's needs no scheme

# A name that has one of these in it is a secret's: ?api_key=, JUPYTER_TOKEN=, --IdentityProvider.token.
_NAME = r"[\w.-]{0,60}(?:token|key|secret|passw(?:or)?d|credential)[\w.-]{0,60}"
_QUERY = re.compile(rf"(?i)([?&;#](?:{_NAME}|sig|signature|auth|x-amz-[a-z-]+|x-goog-[a-z-]+)=)[^&\s#'\"]+")
_VALUE = r"(?:'[^']*'|\"[^\"]*\"|\S+)"
# tokenizers==1.0 is no secret, and neither is KEY=VALUE.
_GIVEN = re.compile(rf"(?i)((?<![\w.?&-])(?!keys?=)(?:{_NAME}=(?!=)|--?{_NAME}\s+)){_VALUE}")
_FIELD = re.compile(rf"(?i)((['\"]){_NAME}\2\s*:\s*)(?:'[^']*'|\"[^\"]*\")")  # of a dictionary, or JSON
_HEADER = re.compile(
    r"(?i)(\b(?:(?:proxy-)?authorization|cookie|set-cookie|(?:[\w-]{1,60}-)?(?:token|api-key)|password|passwd)['\"]?\s*:\s+"
    r"['\"]?(?:(?:basic|bearer|token|digest|negotiate)\s+)?)[^\s'\"]+"
)
_SCHEME_OF_HEADER = re.compile(r"(?i)(\b(?:basic|bearer)\s+)(?=\S*[\d=])[\w+/=.~-]{8,}")
_NETRC = re.compile(r"(\bmachine\s+\S+\s+(?:(?:login|account)\s+\S+\s+)*password\s+)\S+")
_TOKEN = re.compile(
    r"\b(?:gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|pypi-[\w-]{32,}|AKIA[0-9A-Z]{16}|xox[a-z]-[\w-]{10,}"
    r"|hf_[A-Za-z0-9]{16,}|eyJ[\w-]{8,}\.eyJ[\w-]+\.[\w-]+)"
)
_RULES = (
    *((_USERINFO, rf"\1{HIDDEN}@"), (_SLASHED, rf"\1{HIDDEN}@"), (_BARE, f"{HIDDEN}@"), (_QUERY, rf"\1{HIDDEN}")),
    *((_GIVEN, rf"\1{HIDDEN}"), (_FIELD, rf"\1\2{HIDDEN}\2"), (_HEADER, rf"\1{HIDDEN}")),
    *((_SCHEME_OF_HEADER, rf"\1{HIDDEN}"), (_NETRC, rf"\1{HIDDEN}"), (_TOKEN, HIDDEN)),
)

_SECRET_VARIABLE = re.compile(r"(?i)(?:^|_)(?:token|secret|passw(?:or)?d|api_?key|secret_key|access_key|credentials?)$")
_ENGINES = ("PIP_", "UV_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_SHORTEST = 6  # what is shorter may be a part of any word
_learnt: set[str] = set()


def redact(text: str) -> str:
    """Hide user names and passwords in URLs, and what is given to names that tell of a token, key, secret or password.

    That is in queries of URLs, in options, headers, fields and environment variables; a quoted value goes whole.
    """
    for secret in _known():
        text = text.replace(secret, HIDDEN)
    for rule, shown in _RULES:
        text = rule.sub(shown, text)
    return text


def learn(given: object) -> None:
    """Remember the passwords in the URLs of a text, and user names without one, for as long as this process lives.

    `given`: a string, or a list, tuple or dictionary of them; anything else has none.
    """
    if isinstance(given, str):
        _learnt.update(_secrets_of(given))
    elif isinstance(given, dict):
        learn(list(given.values()))
    elif isinstance(given, (list, tuple)):
        for each in given:
            learn(each)


def has_slash_in_password(text: str) -> bool:
    """Whether a URL in the text has a password with a slash, where everybody takes the rest for a path or a port."""
    return bool(_SLASHED.search(_USERINFO.sub(r"\1@", text)))


def without_secret_queries(url: str) -> str:
    """A URL without the parts of its query that are secrets."""
    rest, hash, fragment = url.partition("#")
    bare, _, query = rest.partition("?")
    kept = "&".join(part for part in query.split("&") if part and not _QUERY.search(f"?{part}"))
    return f"{bare}{'?' if kept else ''}{kept}{hash}{fragment}"


def is_secret(text: str) -> bool:
    """Whether a text has something in it that must not be shown."""
    return redact(text) != text


def cause_of(error: BaseException) -> BaseException | None:
    """What a new error may name as its cause, because a traceback shows it: nothing, where it tells a secret."""
    return None if is_secret(f"{error} {error.args}") else error


def _known() -> list[str]:
    """The longest first: one may be a part of another."""
    found = set(_learnt)
    for name, value in os.environ.items():
        if _SECRET_VARIABLE.search(name) and len(value) >= _SHORTEST:
            found.add(value)
        elif "@" in value and name.upper().startswith(_ENGINES):
            found.update(_secrets_of(value))
    return sorted(found, key=len, reverse=True)


def _secrets_of(text: str) -> set[str]:
    from urllib.parse import unquote  # it takes longer to load than all of this

    found = set()
    for match in (*_USERINFO.finditer(text), *_SLASHED.finditer(text)):
        user, colon, password = match[2].partition(":")
        secret = password if colon else user
        found |= {secret, unquote(secret), *secret.split("/")}
    return {secret for secret in found if len(secret) >= _SHORTEST and not secret.startswith("${")}
