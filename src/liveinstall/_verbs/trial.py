"""Trying the restart before it comes: a program in the environment exactly as it will be."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from _liveinstall_boot.layout import LOCK, STATE, WAIT, list_transactions
from _liveinstall_boot.locks import try_lock
from liveinstall._environment.target import find_target
from liveinstall._homes.trial import TrialEnvironment, trial_environment
from liveinstall._system.programs import program_of, run_captured, run_in_foreground
from liveinstall._transactions import transaction as transactions
from liveinstall.errors import TrialError
from liveinstall.reports import Trial
from liveinstall.results import Change, Timing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from liveinstall.results import Target


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
        status, out, err = run_captured(
            made.command(program),
            {**made.variables, **(env or {})},
            stdin=stdin,
            timeout=timeout,
            cwd=cwd,
            handles=(made.handle,),
        )
    changes = tuple(
        Change(change.name, change.old_version, change.new_version, Timing.RESTART)
        for record in made.records
        for change in record.changes
    )
    return Trial(status, out, err, time.perf_counter() - begin, changes, tuple(made.notes))


def try_program(program: Sequence[str]) -> int:
    """Run interpreter's arguments in a trial with this process's own streams (none: a prompt); the exit status."""
    with _made() as made:
        for note in made.notes:
            with suppress(OSError):
                os.write(2, f"liveinstall: {note}\n".encode())
        return run_in_foreground(made.command(program), made.variables, (made.handle,))


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
    return list_transactions(target.site), about.st_mtime_ns


def _wait_for_a_swap(site: str) -> None:
    """One that was interrupted has nobody who has the lock."""
    end = time.monotonic() + WAIT
    while _is_swapped(site):
        handle, stuck = try_lock(os.path.join(site, STATE, LOCK)), False
        if handle is not None:
            stuck = _is_swapped(site)
            os.close(handle)
        if stuck or time.monotonic() > end:
            raise TrialError(
                "a change of the environment was interrupted, or does not end.",
                todo="The next start of Python puts it right, and so does: python -m liveinstall finalize.",
            )
        time.sleep(0.01)


def _is_swapped(site: str) -> bool:
    return any(state == "swapping" for _, state, _ in list_transactions(site))
