"""`uninstall()`: a removal is a change like any other: applied now or at the next start, and undoable."""

from __future__ import annotations

import os
import re

from liveinstall._changes.context import RequestContext, changing
from liveinstall._changes.install import refuse_to_wait
from liveinstall._changes.requester_constraints import name_of
from liveinstall._changes.summaries import result_of
from liveinstall._environment.installed import check_metadata, installed_without_parts
from liveinstall._environment.loaded import is_in
from liveinstall._environment.target import checked_for_change, find_targets
from liveinstall._planning.plan import future
from liveinstall._planning.unused import unused_without
from liveinstall._requirements.habits import removals
from liveinstall._requirements.option_values import value_of, wants_verification
from liveinstall._requirements.request import Request
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._system.lean_dataclasses import replace
from liveinstall._system.lean_packaging import canonicalize_name
from liveinstall._transactions.published import PendingChanges
from liveinstall._transactions.requesters import read_requests
from liveinstall.errors import RequirementError, TargetError
from liveinstall.events import Done, Reporter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Literal

    from liveinstall._verbs.install import Paths
    from liveinstall.events import OnEvent
    from liveinstall.results import Plan, Result, Target


def uninstall(
    *names: str | Iterable[str],
    requirement_files: Paths = (),
    with_unused: bool = False,
    when: Literal["auto", "now", "restart"] = "auto",
    dry_run: bool = False,
    break_system_packages: bool = False,
    timeout: float | None = None,
    verify: bool | None = None,
    on_event: OnEvent = None,
    quiet: bool | None = None,
) -> Result:
    """Remove distributions: at once if no running process has them loaded, else when Python next starts.

    Pending installations of them are cancelled. `conflicts` of the result lists requirements that are no longer
    satisfied. A name that is not installed only adds a note, as it does in pip. As in pip, the distribution that is
    imported is removed: in the environment, or in the user's own site-packages directory.

    Args:
        *names: The project names; lists of them count as several.
        requirement_files: Paths of requirements files that name more.
        with_unused: Remove dependencies too that nothing else needs. Default: keep them, and list them in the notes.
        when: As for `install()`.
        dry_run: As for `install()`.
        break_system_packages: As for `install()`.
        timeout: Seconds to wait for the lock. Default: 60.
        verify: As for `install()`.
        on_event: As for `install()`.
        quiet: As for `install()`.

    Returns:
        The removals that were made, and those that are pending.

    Raises:
        RequirementError: A name or an option is invalid, there is no name, or the names are partly in the environment
            and partly in the user's site-packages directory.
        DamagedError: A distribution has no usable RECORD.
        TargetError: A distribution is outside of the environment, or the environment cannot be modified.
        RestartRequiredError: `when="now"` is given, and a running process uses a distribution.
        VerificationError: A module cannot be imported in the preview.
        LockTimeoutError: Another process is changing the environment. Nothing was changed in any of these cases.
    """
    wanted = _canonical(*_named(names, value_of("requirement_files", requirement_files)))
    value_of("when", when)
    value_of("timeout", timeout)
    value_of("break_system_packages", break_system_packages)
    verified = wants_verification(verify)
    with Reporter(on_event, quiet=quiet) as reporter:
        if dry_run:
            context = RequestContext.of(_target_of(wanted), reporter)
            result = _preview(context, wanted, when, with_unused=with_unused)
        else:
            target = checked_for_change(_target_of(wanted), break_system_packages=break_system_packages)
            result = _uninstall(target, wanted, when, timeout, reporter, with_unused=with_unused, verify=verified)
        reporter.tell(Done(result))
        return result


def _preview(context: RequestContext, wanted: frozenset[str], when: str, *, with_unused: bool) -> Result:
    from liveinstall._changes.preview import Preview

    request, decided = _decide(context, wanted, when, with_unused=with_unused)
    preview = Preview(context, request, (), decided)
    if preview.disturbs:
        decided = _decide(context, wanted, when, with_unused=with_unused, overlaps=preview.disturbs)[1]
    return result_of(replace(decided, overlaps=preview.overlaps), dry_run=True)


def _target_of(wanted: frozenset[str]) -> Target:
    """The environment, or the user's site-packages directory if the distributions are imported from there."""
    environment, *others = find_targets()
    if not others:
        return environment
    here = installed_without_parts()
    pending = {target.site: PendingChanges.read(target.site).entries for target in (environment, *others)}

    def is_of(target: Target, name: str) -> bool:
        where = next((site for site, entries in pending.items() if name in entries), None)
        return where == target.site if where else name in here and is_in(target, here[name])

    for user in others:
        theirs = {name for name in wanted if is_of(user, name)}
        rest = {name for name in wanted - theirs if is_of(environment, name)}
        if theirs and rest:
            raise RequirementError(
                f"{', '.join(sorted(theirs))}: installed in {user.site}; {', '.join(sorted(rest))}: in "
                f"{environment.site}. One removal changes one of them.",
                todo="Uninstall them with two calls.",
                requirement=min(theirs),
            )
        if theirs:
            return user
    return environment


def _uninstall(
    target: Target,
    wanted: frozenset[str],
    when: str,
    timeout: float | None,
    reporter: Reporter,
    *,
    with_unused: bool,
    verify: bool,
) -> Result:
    with changing(target, timeout), BytecodeCompiler() as compiler:
        context = RequestContext.of(target, reporter)
        check_metadata(wanted, (target.site, target.platlib))
        request, decided = _decide(context, wanted, when, with_unused=with_unused)
        if not request.removals:
            return result_of(decided)
        refuse_to_wait(when, decided, request.removals)
        context.check_replaceable(decided)
        from liveinstall._changes.execution import execute

        def again(overlaps: Mapping[str, frozenset[str]]) -> Plan:
            decided = _decide(context, wanted, when, with_unused=with_unused, overlaps=overlaps)[1]
            refuse_to_wait(when, decided, request.removals)
            return decided

        return execute(context, replace(request, verify=verify), (), decided, compiler, again=again)


def _named(names: Iterable[object], files: Iterable[str]) -> tuple[list[str], list[str]]:
    project_names, paths = removals(names)
    paths += files
    if not paths:
        return project_names, []
    from liveinstall._requirements.requirement_files import read_names  # tomllib, only where it is needed

    return project_names + [name for path in paths for name in read_names(path)], paths


def _canonical(names: Iterable[str], files: Iterable[str] = ()) -> frozenset[str]:
    canonical_names = set()
    for name in names:
        canonical = canonicalize_name(name)
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", canonical):  # packaging has this since 23.2
            raise RequirementError(
                f"{name!r} is not the name of a distribution.",
                todo="A removal takes names only, without versions or extras.",
                requirement=name,
            )
        canonical_names.add(str(canonical))
    if not canonical_names and files:
        raise RequirementError(f"{', '.join(files)} names no distribution.", requirement="")
    if not canonical_names:
        raise RequirementError("no name was given.", todo='For example: uninstall("requests").', requirement="")
    return frozenset(canonical_names)


def _decide(
    context: RequestContext,
    wanted: frozenset[str],
    when: str,
    *,
    with_unused: bool,
    overlaps: Mapping[str, frozenset[str]] | None = None,
) -> tuple[Request, Plan]:
    pending = context.waits()
    state = future(context.before, pending)
    present = wanted & (state.keys() | context.before.keys() | pending.keys())
    requests = read_requests(context.target.site)
    requested = context.requested() | {name_of(each.requirement) for each in requests}
    unused = {name for name in unused_without(present & state.keys(), state, requested) if _is_inside(context, name)}
    removals = present | unused if with_unused else present
    _check_inside(context, removals)
    request = Request((f"uninstall {' '.join(sorted(wanted))}",), wanted, removals, when=when)
    decided = context.decide(request, (), overlaps)
    changed = {change.name for change in decided.changes}
    notes = [_not_installed(name, state) for name in sorted(wanted - present)]
    notes += [f"{name}: its pending change was cancelled" for name in sorted(removals - changed)]
    affected = [each for each in requests if name_of(each.requirement) in removals]
    notes += [f"{each.who} requires {each.requirement}" for each in affected]
    if unused and not with_unused:
        notes.append(f"no longer needed: {', '.join(sorted(unused))}; with_unused=True removes these too")
    return request, replace(decided, unchanged=(), notes=(*decided.notes, *notes))


def _not_installed(name: str, present: Iterable[str]) -> str:
    from liveinstall._requirements.similar_names import similar

    known = similar(name, present, popular=False)
    return f"{name} is not installed{f', but {known} is' if known else ''}"


def _is_inside(context: RequestContext, name: str) -> bool:
    """Whether a distribution is installed in the environment, or pending there."""
    return name not in context.here or context.replaced(name) is not None or name in context.waiting.entries


def _check_inside(context: RequestContext, removals: Iterable[str]) -> None:
    for name in sorted(removals):
        if not _is_inside(context, name):
            site = os.path.dirname(context.here[name].info)
            raise TargetError(
                f"{name} is installed in {site}, outside of this environment.",
                todo="Remove it in the environment that it belongs to, with the tool that installed it.",
                site=site,
            )
