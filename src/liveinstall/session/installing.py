"""From a request to its result."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from liveinstall.environment.target import find_target
from liveinstall.errors import RestartRequiredError
from liveinstall.planning.requests import parse_request
from liveinstall.session.scene import Scene, changing
from liveinstall.session.views import result_of
from liveinstall.staging.bytecode import BytecodeCompiler
from liveinstall.staging.policy import start_notes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from liveinstall.model import Candidate, Plan, Result
    from liveinstall.planning.engines import Engine
    from liveinstall.planning.requests import Request, RequirementLike

Requirements = tuple["RequirementLike", ...]


def install(requirements: Requirements, options: Mapping[str, Any], engine: Engine, *, dry_run: bool) -> Result:
    """See `liveinstall.install`."""
    if dry_run:
        return result_of(plan(requirements, options, engine), dry_run=True)
    request = parse_request(requirements, **options)
    target = find_target(user=request.user, break_system_packages=request.break_system_packages)
    with (
        changing(target, request.timeout),
        tempfile.TemporaryDirectory(prefix="liveinstall-") as directory,
        BytecodeCompiler() as compiler,
    ):
        scene = Scene.of(target)
        candidates = scene.resolve(request, directory, engine, fetch=True)
        decided = scene.decide(request, candidates)
        _refuse_to_wait(request, decided, candidates)
        scene.check_replaceable(decided)
        from liveinstall.session.work import carry_out  # imported while the engine worked

        return carry_out(scene, request, candidates, decided, compiler)


def plan(requirements: Requirements, options: Mapping[str, Any], engine: Engine) -> Plan:
    """See `liveinstall.plan`. Wheels are not fetched: what runs at start is told of those that are on this disk."""
    request = parse_request(requirements, **options)
    scene = Scene.of(find_target(for_change=False, user=request.user))
    with tempfile.TemporaryDirectory(prefix="liveinstall-") as directory:
        candidates = scene.resolve(request, directory, engine, fetch=False)
        decided = scene.decide(request, candidates)
        at_start = [note for c in candidates if c.wheel for note in start_notes(c.name, c.wheel)]
        return replace(decided, notes=(*decided.notes, *at_start))


def _refuse_to_wait(request: Request, decided: Plan, candidates: Iterable[Candidate]) -> None:
    chosen = {candidate.name for candidate in candidates}
    reasons = {change.name: change.reason for change in decided.waiting if change.name in chosen}
    if request.when == "now" and reasons:
        raise RestartRequiredError(
            "this cannot happen now: " + "; ".join(f"{name}: {reason}" for name, reason in reasons.items()) + ".",
            todo='Without when="now" it would be staged for the next start of Python.',
            reasons=reasons,
        )
