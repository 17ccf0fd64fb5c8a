"""Trying the restart before it comes: a program in the environment exactly as it will be."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import _liveinstall_boot as boot
from liveinstall.cancelling import ended_by
from liveinstall.commit import transaction as transactions
from liveinstall.environment.target import find_target
from liveinstall.errors import RequirementError, TrialError
from liveinstall.homes.trial import TrialEnvironment, trial_environment
from liveinstall.model import Change, Timing, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from liveinstall.model import Target


def trial(
    code: str | None = None,
    *,
    module: str | None = None,
    script: str | os.PathLike[str] | None = None,
    arguments: Sequence[str] = (),
    stdin: str = "",
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> Trial:
    """Run a program in the environment exactly as it will be after the restart; nothing here changes.

    What waits is in place: upgrades, removals, scripts. Where nothing waits, it is the environment as it is. It is a
    Python of its own, started as this one was (`-X`, `-W`, `-O` ...), and so are its children.

    `code`, `module` (as `-m`) or `script` (a file, or the name of a script of the environment) says what runs, with
    `arguments`; `stdin` is what it reads. `timeout` is in seconds; it and what it has started are then ended. `env`
    are further variables, `cwd` is its working directory.

    Raises: RequirementError, TrialError (no links here, or it did not end in its time), TargetError.
    """
    program = program_of(code, module, script, arguments)
    begin = time.perf_counter()
    with _made() as made:
        words = made.command(_with_script(made, program))
        child = _start(words, made, env, cwd)
        status, out, err = _listen(child, stdin, timeout)
    changes = tuple(
        Change(change.name, change.old_version, change.new_version, Timing.RESTART)
        for record in made.records
        for change in record.changes
    )
    return Trial(status, out, err, changes, tuple(made.notes), time.perf_counter() - begin)


def try_program(program: Sequence[str]) -> int:
    """Run interpreter's arguments in a trial with this process's own streams (none: a prompt); the exit status.

    A program that was ended by a signal has 128 and the signal's number, as in shells. Ctrl-C is the program's.
    """
    with _made() as made:
        for note in made.notes:
            with suppress(OSError):
                os.write(2, f"liveinstall: {note}\n".encode())
        words = made.command(_with_script(made, program))
        child = subprocess.Popen(words, env=made.variables, pass_fds=(made.handle,))
        while True:
            try:
                status = child.wait()
            except KeyboardInterrupt:
                continue
            return 128 - status if status < 0 else status


def program_of(
    code: str | None, module: str | None, script: str | os.PathLike[str] | None, arguments: Sequence[str]
) -> list[str]:
    """The interpreter's arguments; RequirementError unless exactly one thing shall run."""
    given = [value for value in (code, module, script) if value is not None]
    if len(given) != 1:
        raise RequirementError("one of code=, module= and script= says what runs.", requirement="")
    flag = ["-c"] if code is not None else ["-m"] if module is not None else []
    return [*flag, os.fspath(given[0]), *map(str, arguments)]


def _with_script(made: TrialEnvironment, program: Sequence[str]) -> list[str]:
    words = list(program)
    if words and not words[0].startswith("-"):
        words[0] = made.script(words[0])
    return words


@contextmanager
def _made() -> Iterator[TrialEnvironment]:
    """The environment after the restart, seen at one moment: what changes meanwhile is looked at again."""
    target = find_target(for_change=False)
    for last in (False, False, True):
        _wait_for_a_swap(target.site)
        seen = _moment(target)
        records = [item.record for item in transactions.read_all(target.site) if item.state == "pending"]
        with trial_environment(target, records) as made:
            if last or _moment(target) == seen:
                yield made
                return


def _moment(target: Target) -> Any:
    about = os.stat(target.site)
    return boot.transactions(target.site), about.st_mtime_ns


def _wait_for_a_swap(site: str) -> None:
    end = time.monotonic() + boot.WAIT
    while any(state == "swapping" for _, state, _ in boot.transactions(site)) and time.monotonic() < end:
        time.sleep(0.01)


def _start(
    words: Sequence[str],
    made: TrialEnvironment,
    env: Mapping[str, str] | None,
    cwd: str | os.PathLike[str] | None,
) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            words,
            env={**made.variables, **(env or {})},
            cwd=cwd,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            errors="replace",
            start_new_session=True,
            pass_fds=(made.handle,),
        )
    except OSError as error:
        raise TrialError(f"the trial could not be started: {error}.") from error


def _listen(child: subprocess.Popen[str], stdin: str, timeout: float | None) -> tuple[int, str, str]:
    def kill() -> None:
        with suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)

    try:
        with ended_by(kill):
            out, err = child.communicate(stdin, timeout)
    except subprocess.TimeoutExpired:
        kill()
        out, err = child.communicate()
        what = f"the trial did not end within {timeout:g} seconds and was stopped."
        raise TrialError(what, todo="Allow more time with timeout=.", stdout=out, stderr=err) from None
    except BaseException:
        kill()
        child.communicate()
        raise
    return child.returncode, out, err
