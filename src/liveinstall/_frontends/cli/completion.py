"""Shell completion with argcomplete (`liveinstall[completion]`): commands, options, and names of distributions."""

from __future__ import annotations

import os

from liveinstall._system.caller import search_path
from liveinstall._system.lean_packaging import canonicalize_name
from liveinstall.errors import LiveInstallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable
    from typing import Any

_MISSING = "argcomplete, which shell completion requires, is not installed."


def script(shell: str) -> str:
    """Return the shell code that enables completion of `liveinstall`.

    Args:
        shell: The name of the shell.

    Raises:
        LiveInstallError: argcomplete is not installed.
    """
    try:
        from argcomplete.shell_integration import shellcode
    except ImportError:
        raise LiveInstallError(_MISSING, todo="Install it: liveinstall install argcomplete.") from None
    return str(shellcode(["liveinstall"], shell=shell))


def answer(parser: argparse.ArgumentParser) -> None:
    """Write the completions for the calling shell (`_ARGCOMPLETE` is set) and exit; without argcomplete, return."""
    try:
        from argcomplete import autocomplete
    except ImportError:
        return
    _add_completers(parser)
    autocomplete(parser)


def _add_completers(parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:  # noqa: SLF001  argparse has no public access to them
        if isinstance(action.choices, dict):
            for verb in dict.fromkeys(action.choices.values()):
                _add_completers(verb)
        elif action.dest in _COMPLETERS:
            action.completer = _COMPLETERS[action.dest]  # type: ignore[attr-defined]


def installed_names(prefix: str = "", **_: Any) -> Iterable[str]:
    """Return the canonical names of the installed distributions, from the names of their metadata directories.

    Args:
        prefix: The text to complete; if it begins a path, paths are returned instead.
    """
    if prefix.startswith((".", "/", "~")) or os.sep in prefix:
        return _files(prefix)
    matches: set[str] = set()
    for directory in dict.fromkeys(search_path()):
        try:
            entries = os.listdir(directory or os.curdir)
        except OSError:
            continue
        matches.update(
            canonicalize_name(e.partition("-")[0]) for e in entries if e.endswith((".dist-info", ".egg-info"))
        )
    return sorted(matches)


def _files(prefix: str) -> Iterable[str]:
    from argcomplete.completers import FilesCompleter

    return list(FilesCompleter()(prefix))


def _transactions(**_: Any) -> Iterable[str]:
    from liveinstall._verbs.undo import transaction_ids

    return transaction_ids()


def _engines(**_: Any) -> Iterable[str]:
    return "auto", "pip", "uv"


_COMPLETERS: dict[str, Callable[..., Iterable[str]]] = {
    **dict.fromkeys(("requirements", "names", "protect"), installed_names),
    **dict.fromkeys(("transaction", "transactions", "to"), _transactions),
    "engine": _engines,
}
