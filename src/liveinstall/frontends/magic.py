"""`%load_ext liveinstall`: `%liveinstall VERB ...` and `%%liveinstall`, with completion; `%pip` only when asked for.

IPython itself expands `{expression}` and `$name` in the line, as it does for `%pip`; a cell's body is left as it is.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from liveinstall.errors import LiveInstallError
from liveinstall.frontends.commands import evaluate, parsers
from liveinstall.frontends.where import ipython
from liveinstall.session import install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_OWN = ("restart",)  # verbs that only a session has
_NESTED = re.compile(
    r"^(\s*(?:-r|-c|--requirement|--constraint)[ =]\s*)(?![/\\]|[a-zA-Z][a-zA-Z+]*:)(\S+)", re.MULTILINE
)


def load_ipython_extension(shell: Any) -> None:
    """Register `%liveinstall` and `%%liveinstall`."""
    shell.register_magic_function(line_magic, "line", "liveinstall")
    shell.register_magic_function(cell_magic, "cell", "liveinstall")
    for key in ("%liveinstall", "%%liveinstall"):
        shell.set_hook("complete_command", _complete, str_key=key)


def unload_ipython_extension(shell: Any) -> None:
    """Take the magics away; `%pip` is given back too."""
    give_back_pip()
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("liveinstall", None)


def line_magic(line: str) -> Any:
    """`%liveinstall VERB ...`: every verb of the command line, and `restart`."""
    words = shlex.split(line, comments=True) or ["--help"]
    return _readable(lambda: _run(words))


def cell_magic(line: str, body: str) -> Any:
    """`%%liveinstall [install] [OPTION ...]`: the cell is a requirements file."""
    words = shlex.split(line, comments=True)
    words = words if words[:1] and not words[0].startswith("-") else ["install", *words]
    handle, path = tempfile.mkstemp(prefix="liveinstall-", suffix=".txt")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(_NESTED.sub(_absolute, body))
        return _readable(lambda: _run([*words, "-r", path]))
    finally:
        os.unlink(path)


def _absolute(match: re.Match[str]) -> str:
    """A nested file is meant relative to where one is, not to the temporary file."""
    return match[1] + os.path.abspath(match[2])


def _run(words: Sequence[str]) -> Any:
    if list(words) == ["restart"]:
        from liveinstall.frontends.restart import restart

        return restart()
    return evaluate(words)


def _readable(action: Callable[[], Any]) -> Any:
    """Let IPython show an error of ours by its message alone: a traceback of a command says nothing."""
    try:
        return action()
    except LiveInstallError as error:
        text = f"{type(error).__name__}: {error}"
        vars(error)["_render_traceback_"] = lambda: [text]
        raise


# --- completion -------------------------------------------------------------------------------------------------------


def _complete(_: Any, event: Any) -> list[str]:
    """What may stand at the cursor."""
    return candidates(event.line[: getattr(event, "cursor", None) or len(event.line)].split(" ")[1:-1])


def candidates(words: Sequence[str]) -> list[str]:
    """What may follow `words`, which come after `%liveinstall`: a verb, its options, and names that it can take."""
    verbs = parsers()
    verb = next((word for word in words if not word.startswith("-")), "")
    if not verb:
        return sorted([*verbs, *_OWN])
    if verb not in verbs:
        return []
    found: list[str] = []
    for action in verbs[verb]._actions:  # noqa: SLF001
        found += [spelling for spelling in action.option_strings if spelling.startswith("--")]
        if not action.option_strings:
            found += action.choices or _names(verb)
    return found


def _names(verb: str) -> Iterable[str]:
    with suppress(Exception):  # a completion must not fail
        if verb == "cancel":
            from liveinstall.session.pending import pending

            return sorted({change.name for item in pending() for change in item.changes})
        if verb == "undo":
            from liveinstall.session.undo import history

            return [past.transaction for past in history()]
        from liveinstall.environment.installed import installed

        return sorted(installed())
    return ()


# --- %pip -------------------------------------------------------------------------------------------------------------

_pip: list[Any] = []  # IPython's own %pip, while it is taken over


def take_over_pip() -> Callable[[], None]:
    """Let `%pip install` in this session go through `install()`; other verbs of `%pip` go on to pip.

    Returns `give_back_pip`. Does nothing where there is no `%pip`.
    """
    shell = ipython()
    own = shell.find_line_magic("pip") if shell is not None and not _pip else None
    if own is not None:
        _pip.append(own)
        shell.register_magic_function(_pip_magic, "line", "pip")
    return give_back_pip


def give_back_pip() -> None:
    """Let `%pip` be IPython's own again."""
    shell = ipython()
    if _pip:
        original = _pip.pop()
        lines = shell.magics_manager.magics["line"] if shell else {}
        if lines.get("pip") is _pip_magic:  # else somebody has replaced it since
            lines["pip"] = original


def _pip_magic(line: str) -> Any:
    """`%pip`, whose `install` goes through liveinstall."""
    if line.split(maxsplit=1)[:1] == ["install"] and not {"-h", "--help"} & set(line.split()):
        return _readable(lambda: install(f"pip {line}"))
    return _pip[0](line)
