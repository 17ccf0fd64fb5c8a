"""Credentials for an engine and the git that it runs, passed by environment variables instead of arguments.

Every user can list the arguments of a process; only its user and root can read its environment variables.
"""

from __future__ import annotations

import os
import re

from liveinstall._redact import is_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_GIT = r"(git\+https?://)([^/\s]+)@([^/\s@]+)"
# A credential helper (gitcredentials(7)): git passes the operation as an argument and reads lines; for one host only.
_HELPER = (
    '!f() {{ test "$1" = get && printf "username=%s\\npassword=%s\\n" '
    '"$LIVEINSTALL_GIT_USER_{0}" "$LIVEINSTALL_GIT_PASSWORD_{0}"; }}; f'
)
# uv's options that have an equivalent environment variable, and the separator of several values in it.
_VARIABLES = {
    "--default-index": ("UV_DEFAULT_INDEX", " "),
    "--index": ("UV_INDEX", " "),
    "--index-url": ("UV_INDEX_URL", " "),
    "--extra-index-url": ("UV_EXTRA_INDEX_URL", " "),
    "--find-links": ("UV_FIND_LINKS", ","),
}
_SHORT = {"-i": "--index-url", "-f": "--find-links"}


def without_git_credentials(
    texts: Iterable[str], variables: Mapping[str, str] | None = None
) -> tuple[list[str], dict[str, str]]:
    """Move the credentials of repositories from requirements to environment variables for git.

    Args:
        texts: Requirements or URLs.
        variables: The environment variables of the engine; git's settings in them are kept. Default: `os.environ`.

    Returns:
        The texts without user names and passwords of repositories, and the additional environment variables.
    """
    variables = os.environ if variables is None else variables
    credentials: dict[str, tuple[str, str]] = {}

    def bare(match: re.Match[str]) -> str:
        from urllib.parse import unquote

        user, _, password = match[2].partition(":")
        scheme, host = match[1].removeprefix("git+"), match[3]
        known = credentials.setdefault(f"{scheme}{host}", (unquote(user), unquote(password)))
        # git selects a helper by host, so of two users of one host only the first is moved.
        return f"{match[1]}{host}" if known == (unquote(user), unquote(password)) else match[0]

    bare_texts = [re.sub(_GIT, bare, text) if "git+" in text else text for text in texts]
    count = _count(variables.get("GIT_CONFIG_COUNT", "")) if credentials else 0
    more: dict[str, str] = {"GIT_CONFIG_COUNT": str(count + len(credentials))} if credentials else {}
    for number, (url, (user, password)) in enumerate(credentials.items()):
        more |= {
            f"GIT_CONFIG_KEY_{count + number}": f"credential.{url}.helper",
            f"GIT_CONFIG_VALUE_{count + number}": _HELPER.format(number),
            f"LIVEINSTALL_GIT_USER_{number}": user,
            f"LIVEINSTALL_GIT_PASSWORD_{number}": password,
        }
    return bare_texts, more


def _count(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _joined(words: Iterable[str]) -> Iterator[str]:
    """Arguments of uv, each option for a source in one word with its value, as engine_arguments need not have it."""
    left = iter(words)
    for word in left:
        if word == "--":
            yield word
            yield from left
        elif word in _VARIABLES or word in _SHORT:
            yield "=".join((_SHORT.get(word, word), *(value for _, value in zip(range(1), left, strict=False))))
        elif word[:2] in _SHORT:
            yield f"{_SHORT[word[:2]]}={word[2:]}"
        else:
            yield word


def without_uv_credentials(
    arguments: Iterable[str], variables: Mapping[str, str], directory: str
) -> tuple[list[str], dict[str, str]]:
    """Move secrets from the arguments of `uv pip` to environment variables, and requirements with secrets to a file.

    Args:
        arguments: The arguments, with `--` before the requirements.
        variables: The environment variables of uv.
        directory: The absolute path of the directory for the file, which only this user can read.

    Returns:
        The arguments without secrets, and the additional environment variables.

    Raises:
        OSError: The file cannot be written.
    """
    bare_arguments, more = without_git_credentials(_joined(arguments), variables)
    if not is_secret("\n".join(bare_arguments)):
        return bare_arguments, more
    secret = {name for text in bare_arguments if is_secret(text) and (name := text.partition("=")[0]) in _VARIABLES}
    kept, required, is_option = [], [], True
    for argument in bare_arguments:
        name, _, value = argument.partition("=")
        if is_option and name in secret:
            variable, separator = _VARIABLES[name]
            value = value.replace(separator, "%20" if separator == " " else "%2C")
            more[variable] = separator.join(filter(None, (more.get(variable), value)))
        elif not is_option and is_secret(argument):
            required.append(argument)
        else:
            kept.append(argument)
        is_option = is_option and argument != "--"
    if required:
        path = os.path.join(directory, f"required-{os.urandom(4).hex()}.txt")
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8") as stream:
            stream.write("\n".join(required) + "\n")
        kept.insert(kept.index("--"), f"--requirements={path}")
    return kept, more
