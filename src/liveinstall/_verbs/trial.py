"""`trial()`: run a program in a preview of the environment after the restart."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress

from _liveinstall_boot.layout import LOCK, STATE, WAIT, list_transactions
from _liveinstall_boot.locks import try_lock
from liveinstall._environment.target import find_target
from liveinstall._homes.trial import TrialEnvironment, trial_environment
from liveinstall._system.programs import program_of, run_captured, run_in_foreground
from liveinstall._transactions import published
from liveinstall.errors import TrialError
from liveinstall.reports import Trial
from liveinstall.results import Change, Timing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

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
    """Run a program in a preview of the environment after the restart; the environment itself is not changed.

    In the preview all pending changes are applied: upgrades, removals, scripts. The program runs in a new Python
    process with this process's interpreter options (`-X`, `-W`, `-O` ...), and so do its child processes. Exactly one
    of `code`, `module` and `script` is needed.

    Args:
        code: Python code, as for `python -c`.
        module: The name of a module, as for `python -m`.
        script: The path of a script, or the name of a console script of the environment.
        arguments: The program's arguments.
        stdin: The program's standard input.
        timeout: Seconds after which the program and its child processes are killed. Default: no limit.
        env: Additional environment variables.
        cwd: The working directory. Default: the current one.

    Returns:
        The exit status and the output of the program, and the changes that were applied in the preview.

    Raises:
        RequirementError: Not exactly one program is given, or the script does not exist.
        TrialError: The file system does not support links, or the program exceeded `timeout`.
        TargetError: The interpreter has no environment that liveinstall supports.
    """
    program = program_of(code, module, script, arguments)
    begin = time.perf_counter()
    with _consistent_preview() as preview:
        status, out, err = run_captured(
            preview.command(program),
            {**preview.variables, **(env or {})},
            stdin=stdin,
            timeout=timeout,
            cwd=cwd,
            handles=(preview.handle,),
        )
    changes = tuple(
        Change(change.name, change.old_version, change.new_version, Timing.RESTART)
        for record in preview.records
        for change in record.changes
    )
    return Trial(status, out, err, time.perf_counter() - begin, changes, tuple(preview.notes))


def try_program(program: Sequence[str]) -> int:
    """Run a program in a preview of the environment after the restart, with this process's standard streams.

    Args:
        program: The arguments of the interpreter; none start a prompt.

    Returns:
        The program's exit status.
    """
    with _consistent_preview() as preview:
        for note in preview.notes:
            with suppress(OSError):
                os.write(2, f"liveinstall: {note}\n".encode())
        return run_in_foreground(preview.command(program), preview.variables, (preview.handle,))


@contextmanager
def _consistent_preview() -> Iterator[TrialEnvironment]:
    """A consistent preview: made again if the environment changes while it is being made."""
    target = find_target(for_change=False)
    for last in (False, False, True):
        _wait_for_swap(target.site)
        before = _fingerprint(target)
        records = [item.record for item in published.read_all(target.site) if item.state == "pending"]
        with trial_environment(target, records) as preview:
            if last or _fingerprint(target) == before:
                yield preview
                return


def _fingerprint(target: Target) -> Any:
    status = os.stat(target.site)
    return list_transactions(target.site), status.st_mtime_ns


def _wait_for_swap(site: str) -> None:
    """Wait until no transaction is being applied.

    Raises:
        TrialError: The swap was interrupted (the lock is free), or takes too long.
    """
    end = time.monotonic() + WAIT
    while _is_swapping(site):
        handle, stuck = try_lock(os.path.join(site, STATE, LOCK)), False
        if handle is not None:
            stuck = _is_swapping(site)
            os.close(handle)
        if stuck or time.monotonic() > end:
            raise TrialError(
                "a change of the environment was interrupted, or takes too long.",
                todo="The next start of Python completes it or rolls it back; so does: python -m liveinstall finalize.",
            )
        time.sleep(0.01)


def _is_swapping(site: str) -> bool:
    return any(state == "swapping" for _, state, _ in list_transactions(site))
