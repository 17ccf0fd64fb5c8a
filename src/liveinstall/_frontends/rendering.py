"""Plain-text output: one function here for each kind of value."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress

from liveinstall._environment.installed import installed_without_parts
from liveinstall._environment.target import current_site
from liveinstall._frontends.tables import table
from liveinstall.reports import (
    Activation,
    Check,
    Finding,
    History,
    Home,
    Listed,
    Listing,
    Past,
    Ran,
    Registered,
    Status,
    Versions,
)
from liveinstall.results import Cancelled, Holder, ImportTrial, Origin, Pending, Plan, Result, Rows, Timing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from liveinstall.results import Change, Overlap

_WOULD = ("Would be installed now", "Would be removed now", "Would be pending until the next start of Python")
_DID = ("Installed, ready to import", "Removed", "Staged for the next start of Python")
KEEPS = "This session keeps using the loaded version."


def render_plan(plan: Plan) -> str:
    """Render a plan: immediate and pending changes, with the reasons."""
    lines = [line for title, changes in sections(plan) for line in _block(f"{title}:", changes)]
    return "\n".join([*conflict_lines(plan), *lines, *remarks(plan)]) or "Nothing to do."


def render_result(result: Result) -> str:
    """Render a result: applied and pending changes, the reasons, and the next step."""
    lines = [line for title, changes in sections(result) for line in _block(f"{title}:", changes)]
    lines = [*conflict_lines(result), *lines, *remarks(result)]
    if result.staged and not result.dry_run:
        lines.append(f"{KEEPS} {restart_advice(change.name for change in result.staged)}")
    return "\n".join(lines) or "Nothing to do."


def sections(value: Plan | Result) -> list[tuple[str, Sequence[Change]]]:
    """Return the changes of a plan or result as (title, changes): new, removed and pending ones."""
    if isinstance(value, Plan):
        new, gone = [c for c in value.now if c.new_version], [c for c in value.now if not c.new_version]
        return [*zip(_WOULD, (new, gone, value.waiting), strict=True)]
    titles = _WOULD if value.dry_run else _DID
    titles = ("Installed side by side, outside of the environment", *titles[1:]) if value.parallel else titles
    return [*zip(titles, (value.installed, value.removed, value.staged), strict=True)]


def render_pending(pending: Pending) -> str:
    """Render a transaction that is pending or was set aside."""
    head = "Set aside" if pending.state == "failed" else "Pending"
    lines = _block(f"{head} since {moment(pending.since)}, staged by {staged_by(pending)}:", pending.changes)
    label = "reason" if pending.state == "failed" else "waiting for"
    return "\n".join([*lines, f"  {label}: {pending.waits_for}"])


def staged_by(pending: Pending) -> str:
    """Name the process that has staged changes, as it is named where it uses them."""
    from liveinstall._environment.holders import describe

    return describe(Holder(pending.pid, pending.command, 0.0, mine=pending.pid == os.getpid()))


def render_past(past: Past) -> str:
    """Render a past transaction: when, who requested what, what changed, and whether it can be undone."""
    requested = f", requested {', '.join(past.requests)}" if past.requests else ""
    head = f"{past.transaction}  {moment(past.when)}, by pid {past.pid} ({past.command}){requested}:"
    rows = [(str(change), past.sources.get(change.name, Origin()).url) for change in past.changes]
    last = "can be undone" if past.undoable else f"cannot be undone: {past.why_not.rstrip('.')}"
    return "\n".join([*_table(head, rows), f"  {last}"])


def render_history(history: Sequence[Past]) -> str:
    """Render past transactions as a short table: what changed when, and whether it can be undone."""
    titles = ("transaction", "applied", "changes", "can be undone")
    rows = [
        (past.transaction, moment(past.when, "%Y-%m-%d %H:%M"), few(past.changes), "yes" if past.undoable else "no")
        for past in history
    ]
    return "\n".join(table(rows, titles=titles))


def few(changes: Sequence[Change]) -> str:
    """Name a few of the changes."""
    more = len(changes) - _CHANGES
    return ", ".join([*map(str, changes[:_CHANGES]), *([f"{more} more"] if more > 0 else [])])


_CHANGES = 4  # the most that a row of the history names


def render_status(status: Status) -> str:
    """Render the status of an environment."""
    lines = [f"{status.target.site} ({status.target.kind}, {status.distributions} distributions)"]
    lines += [render_pending(item) for item in status.pending] or ["No pending changes."]
    lines += [render_trial(status.trial)] if status.trial else []
    lines += _table("In use by:", [_holder(holder) for holder in status.holders])
    lines += ["The guard is on: every interpreter protects the distributions it uses."] if status.guarded else []
    lines += [render_activation(status.active)] if status.active else []
    lines += [f"Python: {status.python} ({status.python_from})."] if status.python_from else []
    lines += ["Registries are enabled."] if status.registries else []
    lines += [f"LIVEINSTALL_REGISTRY={status.ignored}, but {_NOT_ENABLED}"] if status.ignored else []
    lines += [f"Unreadable, ignored: {path}" for path in status.unreadable]
    return "\n".join(lines)


def render_trial(trial: ImportTrial) -> str:
    """Render the outcome of the trial of the restart."""
    if trial.is_running:
        return f"Trying the restart: importing {_some(trial.modules)} ..."
    if not trial.failures:
        return f"The restart was tried: {_some(trial.modules)} can be imported ({trial.seconds:.1f} s)."
    lines = [f"After the restart, `import {module}` fails: {error}" for module, error in trial.failures.items()]
    more = [f"And {len(lines) - _FAILURES} more fail."] if len(lines) > _FAILURES else []
    return "\n".join([*lines[:_FAILURES], *more])


def _some(names: Sequence[str]) -> str:
    more = len(names) - _CHANGES
    return ", ".join([*names[:_CHANGES], *([f"{more} more"] if more > 0 else [])])


_FAILURES = 3  # the most that are shown


def render_activation(activation: Activation) -> str:
    """Render the side-by-side versions that are active, and why."""
    rows = [(f"{each.name} {each.version}", each.place or "in the environment") for each in activation.distributions]
    exclusion = " without the rest of the environment" if activation.exclusive else ""
    lines = _table(f"Active in this process{exclusion}, because of {activation.why}:", rows)
    return "\n".join([*lines, *(f"Conflict: {text}." for text in activation.conflicts)])


def render_versions(versions: Versions) -> str:
    """Render all versions of a distribution."""
    rows = (
        ("default", versions.default),
        ("stored", ", ".join(versions.stored)),
        ("pending", versions.pending),
        ("active", versions.active),
    )
    return "\n".join(_table(f"{versions.name}:", [(label, value or "none") for label, value in rows]))


def render_registered(registry: Registered) -> str:
    """Render a registry."""
    exclusion = ", exclusive" if registry.exclusive else ""
    rows = [(f"{each.name} {each.version}", each.place) for each in registry.distributions]
    lines = _table(f"{registry.name} ({registry.path}{exclusion}):", rows) or [
        f"{registry.name} ({registry.path}{exclusion})"
    ]
    lines += [f"  imports {', '.join(registry.names)}"] if registry.names else []
    lines += [] if registry.enabled else [f"  {_NOT_ENABLED}"]
    return "\n".join([*lines, *(f"Problem: {problem}." for problem in registry.problems)])


_NOT_ENABLED = "registries are not enabled; run: python -m liveinstall registry enable"


def _holder(holder: Holder) -> tuple[str, str, str]:
    from liveinstall._environment.holders import describe

    return describe(holder, since=False), f"since {moment(holder.since)}", use(holder)


def use(holder: Holder) -> str:
    """Describe the distributions that a holder uses, in short: a server may use a hundred."""
    more = len(holder.distributions) - _USES
    names = [*holder.distributions[:_USES], *([f"{more} more"] if more > 0 else [])]
    used = ", ".join(names) or "none of its distributions yet"
    visible = f", runs the staged {', '.join(holder.sees)}" if holder.sees else ""
    return "the distributions that it uses are not known" if holder.uses is None else f"uses {used}{visible}"


_USES = 12  # the most distributions that are named; `Holder.distributions` has all


def render_finding(finding: Finding) -> str:
    """Render a finding: the damage, and its repair or the proposed one."""
    head = f"{finding.kind}: {finding.name or finding.path}: {finding.what}."
    mend = f"repair would {finding.mend}" if finding.mend else "repair does not change it"
    return f"{head}\n  {finding.outcome or mend}"


def render_check(check: Check) -> str:
    """Render the problems of an environment."""
    lines = [f"Broken: {text}." for text in check.broken]
    lines += [render_finding(finding) for finding in check.damaged]
    lines += [f"Outdated: {stale}. {restart_advice()}" for stale in check.stale]
    lines = lines or ["No problems found."]
    return "\n".join([*lines, *(f"Overlap: {text}." for text in handovers(check.overlaps))])


def render_home(home: Home) -> str:
    """Render a home: its location, purpose and content."""
    lines = [f"  {name} {version}" for name, version in home.distributions] or ["  no distributions"]
    lines += [f"Overlap: {text}." for text in handovers(home.overlaps)]
    lines += [f"Conflict: {text}." for text in home.conflicts]
    lines += [f"Changed in the base environment since then: {change}." for change in home.base_changes]
    over = f", over {home.over}" if home.over else ""
    return "\n".join([f"{home.path}, for Python {home.version}{over}:", *lines])


def render_ran(ran: Ran) -> str:
    """Render a program that was run: its output and exit status."""
    status = ran.returncode
    outcome = f"exited with status {status}" if status >= 0 else f"was killed by signal {-status}"
    output = [text.rstrip("\n") for text in (ran.stdout, ran.stderr) if text.strip()]
    notes = [f"Note: {note}." for note in getattr(ran, "notes", ())]
    return "\n".join([*output, *notes, f"The program {outcome}."])


def render_listed(rows: Sequence[Listed]) -> str:
    """Render distributions as a table."""
    titles = ("name", "installed", "loaded", "pending", "editable project")
    lines = table([(row.name, row.installed, row.loaded, row.pending, row.project) for row in rows], titles=titles)
    overlaps = dict.fromkeys(each for row in rows for each in row.overlaps)
    return "\n".join([*lines, *(f"Overlap: {text}." for text in handovers(overlaps))])


def server_advice(names: Iterable[str]) -> str:
    """Return what to do about a Jupyter server that uses distributions which change; empty if none does.

    A restart of its kernels does not apply their changes.

    Args:
        names: The distributions that change.

    Returns:
        For example `restart JupyterLab itself`.
    """
    from liveinstall._environment.holders import restart_of_server

    names = set(names)
    with suppress(Exception):  # advice that cannot be given hides nothing else
        here = installed_without_parts() if names else {}
        return restart_of_server({name: here[name] for name in names & here.keys()}, current_site()) if names else ""
    return ""


def restart_advice(names: Iterable[str] = ()) -> str:
    """Return how to restart in the current front end, or the Jupyter server if that uses what changes.

    Args:
        names: The distributions that change.
    """
    from liveinstall._frontends.detect import BY_HAND, WITHOUT_RESTART, FrontEnd, detect

    advice = server_advice(names)
    front_end = detect()
    if advice:
        here = "the kernel" if front_end.is_kernel else "this process"
        return f"To use the new version, {advice}: restarting only {here} is not enough."
    if front_end is FrontEnd.NOTEBOOK:
        return "To use the new version, restart the kernel: liveinstall.restart()"
    if front_end is FrontEnd.RUNNER:
        return "To use the new version, run the notebook again."
    if front_end.is_kernel or front_end in WITHOUT_RESTART:
        how = BY_HAND[front_end]
        return f"To use the new version, {how[:1].lower()}{how[1:]}"
    if (
        front_end in (FrontEnd.REPL, FrontEnd.INSPECT, FrontEnd.IPYTHON, FrontEnd.PTPYTHON)
        and sys.stdin
        and sys.stdin.isatty()
    ):
        return "To use the new version, restart Python: liveinstall.restart()"
    if hasattr(sys, "ps1") or front_end is FrontEnd.IPYTHON:
        return "To use the new version, exit Python and start it again."
    return "To use the new version, start the program again."


def _block(title: str, changes: Iterable[Change]) -> list[str]:
    return _table(title, [(str(change), reason(change)) for change in changes])


def reason(change: Change) -> str:
    """Return why a change is pending. An immediate change is the ordinary case and needs no reason."""
    return change.reason if change.timing is Timing.RESTART else ""


def _table(title: str, rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [title, *table(rows, indent="  ")] if rows else []


def conflict_lines(value: Plan | Result) -> list[str]:
    """Return the conflicts, which come first because those distributions would fail, and the remedy if one is known."""
    lines = [f"Conflict: {text}." for text in value.conflicts]
    return [*lines, f"To install versions that fit: {remedy_call(value)}"] if lines and value.remedy else lines


def remedy_call(value: Plan | Result) -> str:
    """Return the call that installs versions that fit."""
    import json

    return f"liveinstall.install({', '.join(map(json.dumps, value.remedy))})"


def remarks(value: Plan | Result) -> list[str]:
    """Return further remarks on a plan or result, one sentence each."""
    return [
        *(f"Unchanged: {c.name} {c.old_version}, {c.reason}." for c in value.unchanged),
        *(f"Overlap: {text}." for text in handovers(value.overlaps)),
        *(f"Note: {text}." for text in value.notes),
    ]


def handovers(overlaps: Iterable[Overlap]) -> list[str]:
    """Describe which distribution's files are in place now, in one sentence for all files with the same owners."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for each in overlaps:
        groups.setdefault((each.owner, each.others, each.kept, each.before), []).append(each.path)
    return [_handover(paths, *facts) for facts, paths in groups.items()]


def _handover(paths: Sequence[str], owner: str, others: Sequence[str], kept: Sequence[str], before: str) -> str:
    more = f" and {len(paths) - _FILES} more" if len(paths) > _FILES else ""
    single = len(paths) == 1
    previous_owner = f", {'it was' if single else 'they were'} {before}'s" if before and before != owner else ""
    text = f"{', '.join(paths[:_FILES])}{more} {'is' if single else 'are'} {owner}'s{previous_owner}"
    lost = [name for name in others if name not in kept]
    text += (
        f"; the {'file' if single else 'files'} of {' and '.join(kept)} {'is' if single else 'are'} kept"
        if kept
        else ""
    )
    return text + (f"; {' and '.join(lost)} has lost its own" if lost else "")


_FILES = 3  # the most that a sentence names


def moment(stamp: float, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Format a POSIX timestamp in local time."""
    return time.strftime(form, time.localtime(stamp)) if stamp else "an unknown time"


def show(value: Any) -> str:
    """Render any value of the model as plain text."""
    match value:
        case Plan():
            return render_plan(value)
        case Result():
            return render_result(value)
        case Past():
            return render_past(value)
        case Pending():
            return render_pending(value)
        case ImportTrial():
            return render_trial(value)
        case Status():
            return render_status(value)
        case Finding():
            return render_finding(value)
        case Check():
            return render_check(value)
        case Ran():
            return render_ran(value)
        case Home():
            return render_home(value)
        case Activation():
            return render_activation(value)
        case Versions():
            return render_versions(value)
        case Registered():
            return render_registered(value)
        case Listed():
            return render_listed([value])
        case Listing() if value:
            return render_listed(value)
        case History() if value:
            return render_history(value)
        case Cancelled() if value:
            return "\n".join(_table("Cancelled:", [(str(change), "") for change in value]))
        case Rows():
            return "\n".join(map(str, value)) or value.empty
    return repr(value)
