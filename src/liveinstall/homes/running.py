"""Running a program in an environment that is not this one: heard to its end, or with this process's own streams."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from liveinstall.cancelling import ended_by
from liveinstall.errors import RequirementError, TrialError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def program_of(
    code: str | None, module: str | None, script: str | os.PathLike[str] | None, arguments: Sequence[str]
) -> list[str]:
    """The interpreter's arguments; RequirementError unless exactly one thing shall run."""
    given = [value for value in (code, module, script) if value is not None]
    if len(given) != 1:
        raise RequirementError("one of code=, module= and script= says what runs.", requirement="")
    flag = ["-c"] if code is not None else ["-m"] if module is not None else []
    return [*flag, os.fspath(given[0]), *map(str, arguments)]


def with_script(program: Sequence[str], scripts: str) -> list[str]:
    """The same, with a script that is no file looked for in the directory `scripts`."""
    words = list(program)
    if words and not words[0].startswith("-") and not os.path.exists(words[0]):
        inside = os.path.join(scripts, words[0])
        words[0] = inside if os.path.basename(words[0]) == words[0] and os.path.isfile(inside) else words[0]
    return words


def hear(
    words: Sequence[str],
    variables: Mapping[str, str],
    *,
    stdin: str = "",
    timeout: float | None = None,
    cwd: str | os.PathLike[str] | None = None,
    handles: Sequence[int] = (),
) -> tuple[int, str, str]:
    """A program's exit status, what it printed, and its errors. `handles` are inherited.

    Raises: TrialError where it cannot be started, or does not end in `timeout` seconds: it is then ended with what it
    has started, as on any other exception here.
    """
    pipe = subprocess.PIPE
    try:
        child = subprocess.Popen(
            words,
            env=variables,
            cwd=cwd,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            errors="replace",
            start_new_session=True,
            pass_fds=tuple(handles),
        )
    except OSError as error:
        raise TrialError(f"the program could not be started: {error}.") from error

    def kill() -> None:
        with suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)

    try:
        with ended_by(kill):
            out, err = child.communicate(stdin, timeout)
    except subprocess.TimeoutExpired:
        kill()
        out, err = child.communicate()
        what = f"the program did not end within {timeout:g} seconds and was stopped."
        raise TrialError(what, todo="Allow more time with timeout=.", stdout=out, stderr=err) from None
    except BaseException:
        kill()
        child.communicate()
        raise
    return child.returncode, out, err


def give_way(words: Sequence[str], variables: Mapping[str, str], handles: Sequence[int] = ()) -> int:
    """Run a program with this process's streams; its exit status.

    One that was ended by a signal has 128 and the signal's number, as in shells. Ctrl-C is the program's.
    """
    try:
        child = subprocess.Popen(words, env=variables, pass_fds=tuple(handles))
    except OSError as error:
        raise TrialError(f"the program could not be started: {error}.") from error
    while True:
        try:
            status = child.wait()
        except KeyboardInterrupt:
            continue
        return 128 - status if status < 0 else status
