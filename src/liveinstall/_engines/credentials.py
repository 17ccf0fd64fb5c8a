"""Credentials that reach an engine, and the git that it starts, without being arguments: everybody can list those.

What a process has in its environment variables only its user and root can read.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from liveinstall._redact import is_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_GIT = re.compile(r"(git\+https?://)([^/\s]+)@([^/\s@]+)")
# git gives what to do as an argument, and reads lines (gitcredentials(7)). It is asked only for this host.
_HELPER = (
    '!f() {{ test "$1" = get && printf "username=%s\\npassword=%s\\n" '
    '"$LIVEINSTALL_GIT_USER_{0}" "$LIVEINSTALL_GIT_PASSWORD_{0}"; }}; f'
)
# uv's options that a variable can say as well, and what separates several values there.
_VARIABLES = {
    "--default-index": ("UV_DEFAULT_INDEX", " "),
    "--index": ("UV_INDEX", " "),
    "--find-links": ("UV_FIND_LINKS", ","),
}


def without_git_credentials(
    texts: Iterable[str], variables: Mapping[str, str] | None = None
) -> tuple[list[str], dict[str, str]]:
    """Requirements or URLs without user and password of repositories, and the variables by which git gets these.

    `variables`: those that the engine gets; git's settings among them are kept.
    """
    given = os.environ if variables is None else variables
    found: dict[str, tuple[str, str]] = {}

    def bare(match: re.Match[str]) -> str:
        user, _, password = match[2].partition(":")
        scheme, host = match[1].removeprefix("git+"), match[3]
        known = found.setdefault(f"{scheme}{host}", (unquote(user), unquote(password)))
        # Of two users of one host only one can be asked for so.
        return f"{match[1]}{host}" if known == (unquote(user), unquote(password)) else match[0]

    bares = [_GIT.sub(bare, text) for text in texts]
    count = _count(given.get("GIT_CONFIG_COUNT", "")) if found else 0
    more: dict[str, str] = {"GIT_CONFIG_COUNT": str(count + len(found))} if found else {}
    for number, (place, (user, password)) in enumerate(found.items()):
        more |= {
            f"GIT_CONFIG_KEY_{count + number}": f"credential.{place}.helper",
            f"GIT_CONFIG_VALUE_{count + number}": _HELPER.format(number),
            f"LIVEINSTALL_GIT_USER_{number}": user,
            f"LIVEINSTALL_GIT_PASSWORD_{number}": password,
        }
    return bares, more


def _count(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def without_uv_credentials(
    asked: Iterable[str], variables: Mapping[str, str], directory: str
) -> tuple[list[str], dict[str, str]]:
    """Arguments of `uv pip` without secrets, and the variables that say them instead.

    What is required goes into a file in `directory`, which only this user can read. Other options stay as they are.
    """
    bares, more = without_git_credentials(asked, variables)
    secret = {name for word in bares if is_secret(word) and (name := word.partition("=")[0]) in _VARIABLES}
    kept, required, is_option = [], [], True
    for word in bares:
        name, _, value = word.partition("=")
        if is_option and name in secret:
            variable, between = _VARIABLES[name]
            value = value.replace(between, "%20" if between == " " else "%2C")
            more[variable] = between.join(filter(None, (more.get(variable), value)))
        elif not is_option and is_secret(word):
            required.append(word)
        else:
            kept.append(word)
        is_option = is_option and word != "--"
    if required:
        path = os.path.join(directory, f"required-{os.urandom(4).hex()}.txt")
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8") as stream:
            stream.write("\n".join(required) + "\n")
        kept.insert(kept.index("--"), f"--requirements={path}")
    return kept, more
