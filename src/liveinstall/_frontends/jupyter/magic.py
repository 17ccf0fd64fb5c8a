"""`%load_ext liveinstall`: `%liveinstall VERB ...` and `%%liveinstall`, with completion; `%pip` only on request.

IPython expands `{expression}` and `$name` in the line, as it does for `%pip`; the body of a cell is not expanded.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from contextlib import suppress

from _liveinstall_boot import patient
from liveinstall._frontends.cli.commands import evaluate, parsers
from liveinstall._frontends.detect import ipython
from liveinstall._frontends.import_hints import watch
from liveinstall._redact import is_secret, redact
from liveinstall._system.command_line import split_words
from liveinstall._system.presenter import presenter
from liveinstall._system.privacy import write_private
from liveinstall._verbs.install import install
from liveinstall.errors import RequirementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

_OWN = ("restart",)  # verbs that the command line does not have
_NESTED = re.compile(
    r"^(\s*(?:(?:-r|-c)[ =]?|(?:--requirement|--constraint)[ =])\s*)(?![/\\=]|[a-zA-Z][a-zA-Z+]*:)(\S+)", re.MULTILINE
)
_KEYS = ("%liveinstall", "%%liveinstall")


def load_ipython_extension(shell: Any) -> None:
    """Register `%liveinstall` and `%%liveinstall`; IPython calls it for `%load_ext liveinstall`.

    Args:
        shell: The InteractiveShell.
    """
    with suppress(Exception):  # hints are an extra
        watch()
    shell.register_magic_function(line_magic, "line", "liveinstall")
    shell.register_magic_function(cell_magic, "cell", "liveinstall")
    _forget_completion(shell)
    for key in _KEYS:
        shell.set_hook("complete_command", _complete, str_key=key)
    presenter()  # it mentions variables that a crashed restart has left


def unload_ipython_extension(shell: Any) -> None:
    """Unregister the magics and restore `%pip`; IPython calls it for `%unload_ext liveinstall`.

    Args:
        shell: The InteractiveShell.
    """
    give_back_pip()
    _forget_completion(shell)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("liveinstall", None)


def line_magic(line: str) -> Any:
    """Execute `%liveinstall VERB ...`: any verb of the command line, or `restart`."""
    return _run(_words(line) or ["--help"])


def cell_magic(line: str, body: str) -> Any:
    """Execute `%%liveinstall [install] [OPTION ...]`, with the cell as a requirements file."""
    return _run_cell(_words(line), body)


def _run_cell(words: list[str], body: str) -> Any:
    words = words if words[:1] and not words[0].startswith("-") else ["install", *words]
    plain = plain_requirements(body)
    if plain and words[0] in ("install", "plan", "ensure"):
        return _run([*words, *plain])
    handle, path = tempfile.mkstemp(prefix="liveinstall-", suffix=".txt")
    text = _NESTED.sub(_absolute, body)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        found = _run([*words, "-r", path])
    except BaseException:
        patient.unlink(path)
        raise
    if is_secret(text):
        write_private(path, redact(text).encode())
    return found  # the file stays: the history names it


def _words(line: str) -> list[str]:
    """Split a line as a shell does; a `#` at the beginning of a word, outside of quotes, begins a comment.

    Raises:
        RequirementError: A quote is not closed.
    """
    problem = None
    for end in (*(match.start() for match in re.finditer(r"(?<!\S)#", line)), len(line)):
        try:
            return split_words(line[:end])
        except ValueError as error:
            problem = error
    raise RequirementError(f"The line cannot be split into words: {problem}.", requirement=line)


def plain_requirements(body: str) -> list[str]:
    """Return the lines of a cell without comments; none if a line is not a plain requirement, for example an option."""
    lines = [re.sub(r"(^|\s+)#.*", "", line).strip() for line in body.splitlines()]
    if any(re.match("-", line) or re.search(r"\s-|\\$|\$\{", line) for line in lines):
        return []
    return [line for line in lines if line]


def _absolute(match: re.Match[str]) -> str:
    """Make the path of a nested file absolute: it is relative to the working directory, not to the temporary file."""
    return match[1] + os.path.abspath(match[2])


def _run(words: list[str]) -> Any:
    if words[:1] == ["restart"] and words[1:2] in ([], ["--keep"]):
        from liveinstall._frontends.restart.restart import restart

        kept, _, limit = " ".join(words[2:]).partition("--limit")
        return restart(keep=kept.split() or ("all" if words[1:] else ()), limit=limit.strip(" =") or None)
    return evaluate(words)


# --- completion -------------------------------------------------------------------------------------------------------


def _forget_completion(shell: Any) -> None:
    """Unregister the completers of an earlier load, which IPython would keep as well."""
    dispatch = getattr(shell, "strdispatchers", {}).get("complete_command")
    for key in _KEYS:
        if dispatch is not None:
            dispatch.strs.pop(key, None)


def _complete(_: Any, event: Any) -> list[str]:
    """The completions at the cursor."""
    return candidates(event.line[: getattr(event, "cursor", None) or len(event.line)].split(" ")[1:-1])


def candidates(words: Sequence[str]) -> list[str]:
    """Return the completions after `words`, which follow `%liveinstall`: verbs, options, names of distributions."""
    verbs = parsers()
    verb = next((word for word in words if not word.startswith("-")), "")
    if not verb:
        return sorted([*verbs, *_OWN])
    if verb not in verbs:
        return []
    matches: list[str] = []
    for action in verbs[verb]._actions:  # noqa: SLF001
        matches += [spelling for spelling in action.option_strings if spelling.startswith("--")]
        if not action.option_strings:
            matches += action.choices or _names(verb)
    return matches


def _names(verb: str) -> Iterable[str]:
    with suppress(Exception):  # a completion must not fail
        if verb == "cancel":
            from liveinstall._verbs.pending import pending

            return sorted({change.name for item in pending() for change in item.changes})
        if verb == "undo":
            from liveinstall._verbs.undo import transaction_ids

            return transaction_ids()
        from liveinstall._environment.installed import installed

        return sorted(installed())
    return ()


# --- %pip -------------------------------------------------------------------------------------------------------------

# pip's options that may stand before its verb: with a value, and without one.
_VALUED = {
    *("--python", "--log", "--log-file", "--local-log", "--keyring-provider", "--proxy", "--retries", "--timeout"),
    *("--exists-action", "--trusted-host", "--cert", "--client-cert", "--cache-dir", "--use-feature"),
    *("--use-deprecated", "--resume-retries", "--default-timeout"),
}
_FLAGS = {
    *("--debug", "--isolated", "--require-virtualenv", "--require-venv", "--verbose", "--quiet", "--no-input"),
    *("--no-cache-dir", "--disable-pip-version-check", "--no-color", "--no-python-version-warning"),
}
_pip: list[Any] = []  # IPython's own %pip, while it is taken over


def take_over_pip() -> Callable[[], None]:
    """Make `%pip install` in this IPython session call `install()`; other verbs of `%pip` still run pip.

    It does nothing if there is no `%pip`.

    Returns:
        The function `give_back_pip()`.
    """
    shell = ipython()
    own = shell.find_line_magic("pip") if shell is not None and not _pip else None
    if own is not None:
        _pip.append(own)
        shell.register_magic_function(_pip_magic, "line", "pip")
    return give_back_pip


def give_back_pip() -> None:
    """Restore IPython's own `%pip`."""
    shell = ipython()
    if _pip:
        original = _pip.pop()
        lines = shell.magics_manager.magics["line"] if shell else {}
        if lines.get("pip") is _pip_magic:  # otherwise another extension has replaced it since
            lines["pip"] = original


def _pip_magic(line: str) -> Any:
    """`%pip`, whose `install` goes through liveinstall."""
    return _pip_or_install(line)


def _pip_or_install(line: str) -> Any:
    words = _words(line)
    if {"-h", "--help", "-V", "--version"} & set(words) or "install" not in words:
        return _pip[0](line)
    before = _global_options(words)
    if words[len(before)] != "install":
        return _pip[0](line)
    return install(f"pip {shlex.join(['install', *before, *words[len(before) + 1 :]])}")


def _global_options(words: Sequence[str]) -> list[str]:
    """The options before the verb of a pip command line, in which `install` occurs.

    Raises:
        RequirementError: The verb cannot be determined, because an option is unknown.
    """
    at = 0
    while at < len(words) and words[at].startswith("-"):
        word = words[at]
        if word in _VALUED:
            at += 2
        elif word in _FLAGS or re.fullmatch(r"-[qv]+", word) or word.partition("=")[0] in _VALUED:
            at += 1
        else:
            break
    if at >= len(words) or words[at].startswith("-"):
        what = f"It is unclear which word of %pip {shlex.join(words)} is the command."
        raise RequirementError(what, todo="Begin with the command: %pip install ...", requirement=shlex.join(words))
    return list(words[:at])
