"""The flow of `install()` and `plan()`, from the request to its result."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial

from _liveinstall_boot.codec import StaleError, record_rows
from liveinstall._changes.context import RequestContext, changing
from liveinstall._changes.resolution import RequestPolicy, RequestResolver
from liveinstall._changes.summaries import result_of
from liveinstall._environment.target import find_target
from liveinstall._requirements.option_values import wants_verification
from liveinstall._requirements.request import parse_request
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._system.lean_dataclasses import replace
from liveinstall._system.presenter import presenter
from liveinstall._system.temporary import temporary_directory
from liveinstall._system.workplace import workplace
from liveinstall._transactions.companions import install_finalizer
from liveinstall.errors import ConflictError, RestartRequiredError
from liveinstall.events import Done

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from typing import Any

    from liveinstall._engines.base import Engine
    from liveinstall._model import Candidate
    from liveinstall._requirements.request import Request, RequirementLike
    from liveinstall.events import Reporter
    from liveinstall.results import Plan, Result

Requirements = tuple["RequirementLike", ...]
_POLICY = ("requester", "protect", "prefer", "verify", "conflicts")


def install(
    requirements: Requirements,
    options: Mapping[str, Any],
    engine: Engine,
    reporter: Reporter,
    *,
    dry_run: bool,
    accepted: Container[str] = (),
) -> Result:
    """Execute `liveinstall.install()` with a started engine.

    Args:
        requirements: The requirements as the caller gave them.
        options: The options that concern the request, by name.
        engine: The engine.
        reporter: Receives the events; entered here.
        dry_run: Plan only.
        accepted: The conflicts that the user has accepted.

    Returns:
        The result.

    Raises:
        ConflictError: Installed distributions would break. `reporter.asks` says whether the user decides.
    """
    with reporter:
        if dry_run:
            result = result_of(_plan(requirements, options, engine, reporter), dry_run=True)
        else:
            result = _install(requirements, options, engine, reporter, accepted)
        result = replace(result, engine=engine.name, engine_reason=engine.reason)
        reporter.tell(Done(result))
        return result


def plan(requirements: Requirements, options: Mapping[str, Any], engine: Engine, reporter: Reporter) -> Plan:
    """Execute `liveinstall.plan()` with a started engine.

    Wheels are not fetched: of those that are not on this machine only the list of files is read.

    Args:
        requirements: The requirements as the caller gave them.
        options: The options that concern the request, by name.
        engine: The engine.
        reporter: Receives the events; entered here.

    Returns:
        The plan.
    """
    with reporter:
        return _plan(requirements, options, engine, reporter)


def _install(
    requirements: Requirements,
    options: Mapping[str, Any],
    engine: Engine,
    reporter: Reporter,
    accepted: Container[str],
) -> Result:
    policy, request = _parse(requirements, options)
    target = find_target(user=request.user, break_system_packages=request.break_system_packages)
    with (
        changing(target, request.timeout),
        workplace(target.site) as directory,
        BytecodeCompiler(early=not engine.unpacks) as compiler,
    ):
        context = RequestContext.of(target, reporter, meanwhile=partial(_prepare, target.site, engine))
        with RequestResolver(context, request, policy, engine, directory) as resolver:
            candidates = resolver.candidates(fetch=True)
            _report(options, candidates, resolver)

            def decide(overlaps: Mapping[str, frozenset[str]] | None = None) -> Plan:
                decided = resolver.check(context.decide(request, candidates, overlaps), candidates)
                names = {candidate.name for candidate in candidates}
                refuse_to_wait(request.when, decided, names)
                _check_conflicts(policy, decided, names | request.names, accepted, reporter)
                return decided

            decided = decide()
            context.check_replaceable(decided)
            from liveinstall._changes.execution import execute  # imported while the engine worked

            result = execute(context, request, candidates, decided, compiler, again=decide)
            resolver.engine.keep()
            resolver.record()
            return result


def _prepare(site: str, engine: Engine) -> None:
    """Import modules and write the finalizer, which every request needs, while the engine's child process runs."""
    with suppress(OSError, ImportError):  # repeated later, where an error is reported
        import liveinstall._changes.execution

        if not engine.unpacks:
            import liveinstall._staging.installer_adapter  # noqa: F401
        install_finalizer(site)


def _plan(requirements: Requirements, options: Mapping[str, Any], engine: Engine, reporter: Reporter) -> Plan:
    from liveinstall._changes.preview import Preview

    policy, request = _parse(requirements, options)
    context = RequestContext.of(find_target(for_change=False, user=request.user), reporter)
    with (
        temporary_directory() as directory,
        RequestResolver(context, request, policy, engine, directory) as resolver,
    ):
        candidates = resolver.candidates(fetch=False)
        _report(options, candidates, resolver)
        decided = resolver.check(context.decide(request, candidates), candidates)
        preview = Preview(context, request, candidates, decided)
        if preview.disturbs:
            decided = resolver.check(context.decide(request, candidates, preview.disturbs), candidates)
        at_start = [note for candidate in candidates for note in _start_notes(candidate)]
        notes = (*decided.notes, *at_start, *preview.notes)
        return replace(decided, notes=notes, overlaps=preview.overlaps, unlisted=tuple(preview.unknown))


def _start_notes(candidate: Candidate) -> tuple[str, ...]:
    from liveinstall._staging.policy import start_notes

    paths = []
    if candidate.listing:
        with suppress(StaleError):
            paths = [path for path, *_ in record_rows(candidate.listing.record)]
    return start_notes(candidate.name, candidate.wheel or candidate.unpacked, paths)


def _parse(requirements: Requirements, options: Mapping[str, Any]) -> tuple[RequestPolicy, Request]:
    policy_options = {name: options[name] for name in _POLICY if name in options}
    engine_options = {name: value for name, value in options.items() if name not in (*policy_options, "report")}
    if options.get("report") is not None:
        from liveinstall._changes.installation_report import report_path

        report_path(options["report"])
    request = parse_request(requirements, **engine_options)
    policy = RequestPolicy(**policy_options)
    return policy, replace(request, requester=policy.requester or "", verify=wants_verification(policy.verify))


def _report(options: Mapping[str, Any], candidates: Sequence[Candidate], resolver: RequestResolver) -> None:
    """Write the installation report, if the caller wants one."""
    if options.get("report") is not None:
        from liveinstall._changes.installation_report import report_path, write_report  # zipfile and email, 10 ms

        write_report(report_path(options["report"]), candidates, resolver.engine.sources())


def refuse_to_wait(when: str, decided: Plan, asked: Container[str]) -> None:
    """Check that no requested change would have to be pending although the caller excluded that.

    Args:
        when: The option `when` of `install()`.
        decided: The plan.
        asked: The names of the requested distributions.

    Raises:
        RestartRequiredError: `when` is "now", and the change of a requested distribution has to be pending.
    """
    reasons = {change.name: change.reason for change in decided.waiting if change.name in asked}
    if when == "now" and reasons:
        raise RestartRequiredError(
            "the change cannot be applied now: "
            + "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
            + ".",
            todo='Omit when="now" to stage it for the next start of Python.',
            reasons=reasons,
        )


def _check_conflicts(
    policy: RequestPolicy, decided: Plan, requested: Container[str], accepted: Container[str], reporter: Reporter
) -> None:
    """Check that no distribution breaks that the request does not name, unless that is allowed.

    Where a person decides, `reporter.asks` is set: the question follows when the lock is free again.

    Raises:
        ConflictError: A distribution would break.
    """
    conflicts = [text for text in decided.conflicts if text.partition(" ")[0] not in requested]
    if all(text in accepted for text in conflicts) or policy.conflicts == "allow":
        return
    if not policy.conflicts and not presenter().is_attended():
        return
    reporter.asks = policy.conflicts != "refuse"
    fitting = ", ".join(map(json.dumps, decided.remedy))
    remedy = f"To install versions that fit: liveinstall.install({fitting}). " if fitting else ""
    raise ConflictError(
        f"the request would break installed distributions: {'; '.join(conflicts)}.",
        todo=f'{remedy}To install it anyway: liveinstall.install(..., conflicts="allow").',
        conflicts=tuple(conflicts),
        remedy=decided.remedy,
    )
