"""The flow that prepares a change: staged and checked like an `install()`, but without effect until it is armed."""

from __future__ import annotations

import os

from liveinstall._changes.context import RequestContext, changing
from liveinstall._changes.execution import prepare as execute
from liveinstall._changes.resolution import RequestPolicy, RequestResolver
from liveinstall._environment.holders import take_hold
from liveinstall._requirements.request import parse_request
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._system.lean_dataclasses import replace
from liveinstall._system.workplace import workplace
from liveinstall._transactions import prepared
from liveinstall.errors import StagingError
from liveinstall.events import Reporter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from liveinstall._engines.base import Engine
    from liveinstall._requirements.request import Request
    from liveinstall.results import Plan, Target


def prepare(
    target: Target,
    pins: tuple[str, ...],
    digest: str,
    engine: Callable[[], Engine],
    *,
    verify: bool,
    timeout: float | None,
    known: Callable[[], str],
) -> str:
    """Stage pinned distributions as a prepared transaction.

    If all requested changes could be applied now, they are prepared alone; otherwise they are prepared with the changes
    that are pending, which the transaction replaces when it is armed.

    Args:
        target: The environment.
        pins: The requirements, `name==version`.
        digest: The digest of the lock, by which the transaction is found again.
        engine: Creates the engine that has the wheels; called with the environment's lock.
        verify: Whether to import the changed distributions in a preview.
        timeout: Seconds to wait for the environment's lock. Default: 60.
        known: Called with the lock: the id of a transaction with the same digest, or an empty text.

    Returns:
        The id of the prepared transaction; empty if there is nothing to change.

    Raises:
        LiveInstallError: It failed, and nothing is left.
    """
    request = replace(parse_request(pins, timeout=timeout), verify=verify)
    try:
        with changing(target, timeout):
            return known() or _prepare(target, request, digest, engine)
    except OSError as error:
        raise StagingError(
            f"the change could not be prepared: {error}.", todo="Free disk space and try again."
        ) from None


def _prepare(target: Target, request: Request, digest: str, engine: Callable[[], Engine]) -> str:
    with workplace(target.site) as directory, BytecodeCompiler() as compiler:
        context = RequestContext.of(target, Reporter(quiet=True))
        with RequestResolver(context, request, RequestPolicy(), engine(), directory) as resolver:
            candidates = resolver.candidates(fetch=True)
            names = {candidate.name for candidate in candidates}

            def decide(overlaps: Mapping[str, frozenset[str]] | None = None) -> Plan:
                plan = context.decide(request, candidates, overlaps)
                if any(change.name in names for change in plan.waiting):
                    plan = context.decide(replace(request, when="restart"), candidates, overlaps)
                return resolver.check(plan, candidates)

            if not candidates:
                return ""
            decided = decide()
            context.check_replaceable(decided)
            owner = os.path.basename(take_hold(target.site))
            facts = {"lock": digest, "base": prepared.base_of(target.site), "owner": owner}
            return execute(context, request, candidates, decided, compiler, again=decide, facts=facts)
