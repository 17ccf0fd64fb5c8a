"""Running a program in an environment that is not this one: heard to its end, or with this process's own streams."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import ExitStack, suppress
from typing import IO, TYPE_CHECKING

from liveinstall.cancelling import ended_by
from liveinstall.errors import RequirementError, TrialError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_BINARY = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")  # of Linux and of macOS


def program_of(
    code: str | None, module: str | None, script: str | os.PathLike[str] | None, arguments: Sequence[str]
) -> list[str]:
    """The interpreter's arguments; RequirementError unless exactly one thing shall run."""
    given = [value for value in (code, module, script) if value is not None]
    if len(given) != 1:
        raise RequirementError("one of code=, module= and script= says what runs.", requirement="")
    flag = ["-c"] if code is not None else ["-m"] if module is not None else []
    return [*flag, os.fspath(given[0]), *map(str, arguments)]


def words_for(python: Sequence[str], program: Sequence[str], scripts: str) -> list[str]:
    """What runs interpreter's arguments. `python`: the interpreter with its options.

    A script that is no file is looked for in the directory `scripts`; what is none of Python's is run by itself.
    """
    words = list(program)
    if words and not words[0].startswith("-"):
        inside = os.path.join(scripts, words[0])
        if not os.path.exists(words[0]) and os.path.basename(words[0]) == words[0] and os.path.isfile(inside):
            words[0] = inside
        if _is_of_another_language(words[0]):
            return [os.path.abspath(words[0]), *words[1:]]
    return [*python, *words]


def _is_of_another_language(path: str) -> bool:
    try:
        with open(path, "rb") as stream:
            head = stream.read(512)
    except OSError:
        return False
    return head.startswith(_BINARY) or (head.startswith(b"#!") and b"python" not in head)


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
    with ExitStack() as stack:  # files, because whoever is left running has a pipe's other end, and would be waited for
        streams = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        streams[0].write(stdin.encode())
        streams[0].seek(0)
        try:
            child = subprocess.Popen(
                words,
                env=variables,
                cwd=cwd,
                stdin=streams[0],
                stdout=streams[1],
                stderr=streams[2],
                start_new_session=True,
                pass_fds=tuple(handles),
            )
        except OSError as error:
            raise TrialError(f"the program could not be started: {error}.") from error
        try:
            with ended_by(lambda: _kill(child)):
                status = child.wait(timeout)
        except subprocess.TimeoutExpired:
            _kill(child)
            child.wait()
            out, err = map(_text, streams[1:])
            what = f"the program did not end within {timeout:g} seconds and was stopped."
            raise TrialError(what, todo="Allow more time with timeout=.", stdout=out, stderr=err) from None
        except BaseException:
            _kill(child)
            child.wait()
            raise
        return status, _text(streams[1]), _text(streams[2])


def _kill(child: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")


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
