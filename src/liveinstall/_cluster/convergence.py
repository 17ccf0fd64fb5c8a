"""Bringing one environment to what the cluster has decided, whatever it missed: what was undone, then the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from liveinstall._cluster.decisions import Decisions


class Steps(Protocol):
    """Executes steps in a process of the environment, and plans where there is an index."""

    async def take(self, step: str, **arguments: Any) -> Mapping[str, Any]:
        """Execute a step in the environment; `error` in the answer if it failed."""

    async def plan(self, lock: str, over: Mapping[str, Any]) -> Mapping[str, Any]:
        """Plan a lock with the versions of another one for this environment, which lacks more than the others did."""


async def converge(steps: Steps, decided: Decisions, source: str) -> Mapping[str, Any]:
    """Revert what was undone while the environment was away, and prepare and arm what was decided.

    Args:
        steps: Executes the steps.
        decided: The decisions.
        source: The address of a process that has the wheels.

    Returns:
        The answer of the last step; with `error` if one failed, and with `changes` if something changed.
    """
    answer = own = await steps.take("decided")
    if not answer.get("error") and own["decided"]["stamp"] != decided.stamp:
        answer = await steps.take("revert", decided=decided.as_json())
    for item in decided.items:
        if answer.get("error"):
            break
        if item.key not in own["done"]:
            answer = await _apply(steps, decided, item.key, item.lock, source)
    return answer


async def _apply(steps: Steps, decided: Decisions, key: str, lock: str, source: str) -> Mapping[str, Any]:
    answer = await _prepare(steps, lock, source)
    if answer.get("error") == "LockError":  # it lacks distributions that the others already had
        look = await steps.take("look")
        found = look if look.get("error") else await steps.plan(lock, look)
        answer = found if found.get("error") else await _prepare(steps, found["lock"], source)
    if answer.get("error"):
        return answer
    return await steps.take("arm", id=answer["id"], key=key, decided=decided.as_json())


async def _prepare(steps: Steps, lock: str, source: str) -> Mapping[str, Any]:
    answer = await steps.take("fetch", lock=lock, source=source)
    return answer if answer.get("error") else await steps.take("prepare", lock=lock, verify=False)
