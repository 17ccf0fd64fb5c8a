"""The counterpart of `keep`: restores variables after a restart, or when the user asks for those of a crashed one."""

from __future__ import annotations

import sys
import time
import warnings
from contextlib import suppress
from datetime import datetime

from _liveinstall_boot import patient
from liveinstall._frontends.detect import FrontEnd, detect, ipython
from liveinstall._frontends.progress import Progression, amount, display
from liveinstall._frontends.restart import session_state, variables_file
from liveinstall._frontends.restart.keep import names, namespace, sentence_of
from liveinstall._frontends.restart.session_state import prepare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from liveinstall._frontends.restart.variables_file import Loaded, Show

_NAMED = 12  # variables that the card names
_LATER = "To restore them: liveinstall.recover()"


def restore(path: str, show: Show = lambda _done, _total: None) -> str:
    """Restore the variables of a file in the user's namespace; the file is removed if all of them were restored.

    Args:
        path: The path of the file.
        show: Called with the bytes that are loaded, and those of the file.

    Returns:
        A sentence about the restored variables and the others.
    """
    try:
        loaded, more = _load(path, show)
    except OSError as error:
        return f"The variables were not restored: {error}."
    except KeyboardInterrupt:
        return f"The variables were not restored, because that was interrupted. {_LATER}"
    restored = f"Restored: {names(loaded.values, _NAMED) or 'nothing'}{''.join(f'; {each}' for each in more)}."
    if loaded.failures:
        return f"{restored} {sentence_of(loaded.failures)}. They are in {path}."
    with suppress(OSError):
        patient.unlink(path)
    return restored


def _load(path: str, show: Show) -> tuple[Loaded, list[str]]:
    """Load a file into the session; its variables, and the other state that was restored."""
    moved: list[str] = []
    loaded = variables_file.load(path, show=show, prepare=lambda found: moved.extend(prepare(found, sys.prefix)))
    outputs = {name: loaded.values.pop(name) for name in list(loaded.values) if session_state.is_output(name)}
    namespace().update(loaded.values)
    return loaded, [*session_state.restore(loaded.session, outputs), *moved]


def restore_at_prompt(path: str) -> str:
    """Restore the variables of a file, with progress on the terminal; see `restore()`.

    Args:
        path: The path of the file.
    """
    screen, last = display(quiet=False), Progression()

    def show(done: int, total: int) -> None:
        nonlocal last
        if screen:
            last = Progression("Restoring the variables", amount(total, None))
            screen(Progression("Restoring the variables", amount(done, total), done / total if total else None))

    try:
        return restore(path, show)
    finally:
        if screen:
            screen(last)  # not "0.7 of 1.4 kB", which would stay on the terminal
            screen.close()


def recover() -> tuple[str, ...]:
    """Restore the variables of the last `restart(keep=...)` of this environment that were never restored.

    Variables of the same names are replaced. A warning names those that cannot be restored, and where their file is.

    Returns:
        The names of the restored variables; none if there is nothing to recover.
    """
    for path in variables_file.left()[:1]:
        loaded, _ = _load(path, lambda _done, _total: None)
        if loaded.failures:
            warnings.warn(f"{sentence_of(loaded.failures)}. They are in {path}.", RuntimeWarning, stacklevel=2)
        else:
            patient.unlink(path)
        return tuple(loaded.values)
    return ()


def offer() -> None:
    """Mention variables that an ended session has left, once, in one line; nothing is loaded. Never raises."""
    with suppress(Exception):
        front_end = detect()
        if front_end.is_interactive:
            for path, header in variables_file.not_offered():
                _say(_offered(path, header), front_end)
                break


def _offered(path: str, header: dict[str, Any]) -> str:
    written = variables_file.time_of(path)
    found = [name for row in header["groups"] for name in row["names"] if not session_state.is_output(name)]
    until = datetime.fromtimestamp(written + variables_file.DAYS * 86400)  # noqa: DTZ006  the user's own clock
    when = time.strftime("%d %B, %H:%M", time.localtime(written)).lstrip("0")
    return (
        f"Variables of a session that ended on {when} were kept: {names([*found, *header['modules']])}. "
        f"{_LATER} (until {until:%d %B})".replace(" 0", " ")
    )


def _say(text: str, front_end: FrontEnd) -> None:
    shell = ipython()
    if front_end.is_kernel and shell is not None:
        from liveinstall._frontends.jupyter.html import card

        shell.display_pub.publish(card("", text))
    else:
        print(f"liveinstall: {text}", file=sys.stderr)
