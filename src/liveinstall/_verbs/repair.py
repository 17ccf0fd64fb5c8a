"""Find and mend what other tools have left broken: `doctor()` only reads, `repair()` says first what it will do.

Nothing is deleted: what is in the way is moved to `.liveinstall/repaired/`, then the same version is installed again
through `install()`, staged where a live process has it loaded. If that fails, what was moved is put back.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from liveinstall._environment import holders
from liveinstall._environment.loaded import loaded_files
from liveinstall._environment.target import find_target
from liveinstall._repair import journal
from liveinstall._repair.diagnosis import Damage, find_damage
from liveinstall._system.command_line import command_line
from liveinstall._system.lock import environment_lock
from liveinstall._transactions import transaction as transactions
from liveinstall._verbs.install import install
from liveinstall.errors import LiveInstallError
from liveinstall.reports import Findings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from liveinstall.results import Target

_KEPT = "left as it is: "
DONE = ("mended", "staged for the next start of Python")


def doctor(*names: str) -> Findings:
    """Report what is wrong with the environment, or with these distributions in it. Changes nothing."""
    return Findings(damage.finding for damage in find_damage(find_target(for_change=False), names))


def repair(*names: str, dry_run: bool = False) -> Findings:
    """Mend what `doctor()` reports, or with `dry_run` only say so; each finding with its outcome.

    Distributions are installed again in the version that they have, from the index that pip is configured for. What
    cannot be mended says why, and is as it was.

    Raises: TargetError, LockTimeoutError.
    """
    target = find_target(for_change=not dry_run)
    found = find_damage(target, names)
    if dry_run:
        return Findings(damage.finding for damage in found)
    with _lock(target):
        transactions.recover(target.site)
    return Findings(replace(damage.finding, outcome=_mend(target, damage)) for damage in found)


def _lock(target: Target) -> AbstractContextManager[None]:
    return environment_lock(target.site, who=command_line())


def _mend(target: Target, damage: Damage) -> str:
    """Move away, install, and say that it is done; on failure put back what was moved."""
    if not (damage.moves or damage.reinstall or damage.finishes):
        return ""
    why = _in_use(target, damage)
    if why:
        return _KEPT + why
    moves = [path for path in damage.moves if os.path.lexists(path)]  # an earlier repair may have moved it
    if damage.moves and not moves and not damage.reinstall:
        return DONE[0]
    with _lock(target):
        directory = journal.move_aside(target.site, moves, damage.reinstall) if moves else damage.finishes
    try:
        staged = bool(damage.reinstall) and install(damage.reinstall, reinstall=True, deps=False).restart_required
    except LiveInstallError as error:
        if moves:
            with _lock(target):
                journal.put_back(target.site, directory)
        return f"{_KEPT}{error.what}"
    if directory:
        with _lock(target):
            journal.finish(directory)
    return DONE[staged]


def _in_use(target: Target, damage: Damage) -> str:
    """Why what would be moved must stay: a live process may have it loaded. install() sees to the rest itself."""
    if not (damage.live and damage.moves):
        return ""
    below = tuple(os.path.realpath(path) + os.sep for path in damage.moves)
    if any((file + os.sep).startswith(below) for file in loaded_files()):
        return "this process has imported it; repair it from the command line"
    names = {os.path.basename(path).partition(".")[0] for path in damage.moves}
    others = [holder for holder in holders.holders(target.site) if not holder.mine]
    users = [str(holder) for holder in others if holder.uses is None or not names.isdisjoint(holder.uses)]
    return f"used by {'; '.join(users)}" if users else ""
