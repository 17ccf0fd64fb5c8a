"""From a request to its result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from liveinstall._changes.context import RequestContext, changing
from liveinstall._changes.resolution import RequestPolicy, RequestResolver
from liveinstall._changes.summaries import result_of
from liveinstall._environment.target import find_target
from liveinstall._requirements.request import parse_request
from liveinstall._requirements.verify import wants_verification
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._system.temporary import temporary_directory
from liveinstall._system.workplace import workplace
from liveinstall.errors import RestartRequiredError
from liveinstall.events import Done

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from liveinstall._engines.base import Engine
    from liveinstall._model import Plan, Result
    from liveinstall._requirements.request import Request, RequirementLike
    from liveinstall.events import Reporter

Requirements = tuple["RequirementLike", ...]
_WISHES = ("requester", "protect", "prefer", "verify")


def install(
    requirements: Requirements, options: Mapping[str, Any], engine: Engine, reporter: Reporter, *, dry_run: bool
) -> Result:
    """See `liveinstall.install`."""
    with reporter:
        if dry_run:
            result = result_of(_plan(requirements, options, engine, reporter), dry_run=True)
        else:
            result = _install(requirements, options, engine, reporter)
        reporter.tell(Done(result))
        return result


def plan(requirements: Requirements, options: Mapping[str, Any], engine: Engine, reporter: Reporter) -> Plan:
    """See `liveinstall.plan`. Wheels are not fetched: what runs at start is told of those that are on this disk."""
    with reporter:
        return _plan(requirements, options, engine, reporter)


def _install(requirements: Requirements, options: Mapping[str, Any], engine: Engine, reporter: Reporter) -> Result:
    wishes, request = _parse(requirements, options)
    target = find_target(user=request.user, break_system_packages=request.break_system_packages)
    with (
        changing(target, request.timeout),
        workplace(target.site) as directory,
        BytecodeCompiler() as compiler,
    ):
        scene = RequestContext.of(target, reporter)
        chooser = RequestResolver(scene, request, wishes, engine, directory)
        candidates = chooser.candidates(fetch=True)
        decided = chooser.check(scene.decide(request, candidates), candidates)
        refuse_to_wait(request.when, decided, {candidate.name for candidate in candidates})
        scene.check_replaceable(decided)
        from liveinstall._changes.execution import execute  # imported while the engine worked

        result = execute(scene, request, candidates, decided, compiler)
        engine.keep()
        chooser.record()
        return result


def _plan(requirements: Requirements, options: Mapping[str, Any], engine: Engine, reporter: Reporter) -> Plan:
    from liveinstall._staging.policy import start_notes

    wishes, request = _parse(requirements, options)
    scene = RequestContext.of(find_target(for_change=False, user=request.user), reporter)
    with temporary_directory() as directory:
        chooser = RequestResolver(scene, request, wishes, engine, directory)
        candidates = chooser.candidates(fetch=False)
        decided = chooser.check(scene.decide(request, candidates), candidates)
        at_start = [note for c in candidates for note in start_notes(c.name, c.wheel or c.unpacked)]
        return replace(decided, notes=(*decided.notes, *at_start))


def _parse(requirements: Requirements, options: Mapping[str, Any]) -> tuple[RequestPolicy, Request]:
    mine = {name: options[name] for name in _WISHES if name in options}
    rest = {name: value for name, value in options.items() if name not in mine}
    request = parse_request(requirements, **rest)
    wishes = RequestPolicy(**mine)
    return wishes, replace(request, requester=wishes.requester or "", verify=wants_verification(wishes.verify))


def refuse_to_wait(when: str, decided: Plan, asked: Container[str]) -> None:
    """RestartRequiredError if `when` is now and something that was asked for waits."""
    reasons = {change.name: change.reason for change in decided.waiting if change.name in asked}
    if when == "now" and reasons:
        raise RestartRequiredError(
            "this cannot happen now: " + "; ".join(f"{name}: {reason}" for name, reason in reasons.items()) + ".",
            todo='Without when="now" it would be staged for the next start of Python.',
            reasons=reasons,
        )
