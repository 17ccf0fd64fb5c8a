"""Find and repair damage by other tools: `doctor()` only reads; `repair(dry_run=True)` previews the repair.

No file is deleted: files that block the repair are moved to `.liveinstall/repaired/`, then the same version is
installed again through `install()`; the change is pending if a running process has it loaded. If that fails, the files
are moved back.
"""

from __future__ import annotations

import os
from contextlib import suppress

from _liveinstall_boot import trees
from _liveinstall_boot.files import sha256
from liveinstall._changes.context import RequestContext, changing
from liveinstall._changes.execution import execute
from liveinstall._environment import holders
from liveinstall._environment.installed import in_directory
from liveinstall._environment.loaded import loaded_files
from liveinstall._environment.target import find_target
from liveinstall._model import Candidate, Retired, roots_of
from liveinstall._repair import journal
from liveinstall._repair.diagnosis import Damage, find_damage
from liveinstall._requirements.request import Request
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._system.command_line import command_line
from liveinstall._system.lean_dataclasses import replace
from liveinstall._system.lock import environment_lock
from liveinstall._transactions import transaction as transactions
from liveinstall._verbs.install import install
from liveinstall.errors import LiveInstallError, RetiredError
from liveinstall.reports import Findings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from liveinstall.results import Plan, Result, Target

_KEPT = "not repaired: "
DONE = ("repaired", "staged for the next start of Python")


def doctor(*names: str) -> Findings:
    """Report damage, without changing anything.

    Args:
        *names: The distributions to check. Default: the whole environment.

    Returns:
        The findings; empty if there is no damage.

    Raises:
        TargetError: The interpreter has no environment that liveinstall supports.
    """
    return Findings(damage.finding for damage in find_damage(find_target(for_change=False), names))


def repair(*names: str, dry_run: bool = False) -> Findings:
    """Repair the damage that `doctor()` reports.

    Damaged distributions are installed again in their version, from the index that pip is configured for. Damage that
    cannot be repaired stays unchanged, and its outcome gives the reason. Files of a named distribution that others have
    replaced are restored; the files of the others are kept then.

    Args:
        *names: The distributions to repair. Default: the whole environment.
        dry_run: Only report what would be repaired.

    Returns:
        The findings, each with the outcome of its repair.

    Raises:
        TargetError: The environment cannot be modified.
        LockTimeoutError: Another process is changing the environment.
    """
    target = find_target(for_change=not dry_run)
    damages = find_damage(target, names)
    if dry_run:
        return Findings(damage.finding for damage in damages)
    with _lock(target):
        transactions.recover(target.site)
    return Findings(replace(damage.finding, outcome=_repair(target, damage)) for damage in damages)


def _lock(target: Target) -> AbstractContextManager[None]:
    return environment_lock(target.site, who=command_line())


def _repair(target: Target, damage: Damage) -> str:
    """Move the damaged files away and install again; on failure move them back. The outcome, for people."""
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
        staged = _is_staged(target, damage)
    except LiveInstallError as error:
        if moves:
            with _lock(target):
                journal.put_back(target.site, directory)
        return f"{_KEPT}{error.what}"
    if directory:
        with _lock(target):
            journal.finish(directory)
    return DONE[staged]


def _is_staged(target: Target, damage: Damage) -> bool:
    """Install the distribution again, from this disk if all of its files are kept; whether the change is pending."""
    if damage.owner:
        with suppress(RetiredError):
            return _restore_files(target, damage.owner).restart_required
    return bool(damage.reinstall) and install(damage.reinstall, reinstall=True, deps=False).restart_required


def _restore_files(target: Target, info: str) -> Result:
    """Let an installed distribution have its files that others have replaced: it is the one installed last then."""
    with changing(target), BytecodeCompiler() as compiler:
        context = RequestContext.of(target)
        distribution = next(each for each in in_directory(os.path.dirname(info)) if each.info == info)
        site_directory = os.path.dirname(info)
        replaced = trees.replaced_tree(
            target.site, site_directory, roots_of(target), distribution.name, distribution.version
        )
        kept = Retired(replaced.root, info, sha256(os.path.join(info, "RECORD")), target.site, roots_of(target))
        requested = os.path.exists(os.path.join(info, "REQUESTED"))
        candidate = Candidate(
            distribution.name, distribution.version, distribution.requires, requested=requested, retired=kept
        )
        request = Request((f"repair {distribution.name}",), frozenset({distribution.name}), reinstall=True)

        def decide(overlaps: Mapping[str, frozenset[str]] | None = None) -> Plan:
            return context.decide(request, [candidate], overlaps)

        decided = decide()
        context.check_replaceable(decided)
        return execute(context, request, [candidate], decided, compiler, again=decide)


def _in_use(target: Target, damage: Damage) -> str:
    """Why the files must stay: a running process may have them loaded. install() protects all other files."""
    if not (damage.live and damage.moves):
        return ""
    moved_paths = tuple(os.path.realpath(path) + os.sep for path in damage.moves)
    if any((file + os.sep).startswith(moved_paths) for file in loaded_files()):
        return "this process has imported it; repair it from the command line"
    names = {os.path.basename(path).partition(".")[0] for path in damage.moves}
    other_holders = [holder for holder in holders.holders(target.site) if not holder.mine]
    users = [holder for holder in other_holders if holder.uses is None or not names.isdisjoint(holder.uses)]
    return f"used by {'; '.join(map(holders.describe, users))}" if users else ""
