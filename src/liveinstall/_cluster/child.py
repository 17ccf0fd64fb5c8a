"""One step of a cluster request in a separate process: `python -m liveinstall._cluster.child`.

Workers and their supervisors run long, and a process that stages a change holds it. So a short-lived child does it.
The request is JSON at standard input, `{"step": ..., ...}`; the answer is the last line of standard output, also JSON.
"""

from __future__ import annotations

import sys
from dataclasses import asdict

from liveinstall._cluster import steps
from liveinstall._cluster.decisions import NOTHING, Decisions
from liveinstall._cluster.environment import look
from liveinstall._cluster.step_process import answer_request
from liveinstall._cluster.values import Environment, Lock, Prepared
from liveinstall._cluster.wheel_lock import lock, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def _look() -> dict[str, Any]:
    found = asdict(look())
    return found | {"prepared": [], "pending": []}


def _plan(requirements: list[str], over: list[dict[str, Any]], options: dict[str, Any]) -> dict[str, Any]:
    return {"lock": lock(*requirements, over=[environment_of(each) for each in over], **options).text}


def _prepare(lock: str, *, verify: bool) -> dict[str, Any]:
    read = Lock.parse(lock)
    return _answer(steps.prepare(read, pack(read).files, verify=verify))


def _arm(id: str, key: str, decided: dict[str, Any]) -> dict[str, Any]:
    """Keep the decision, and arm its change if there is one."""
    steps.revert(Decisions.from_json(decided), {key: id or NOTHING})
    if not id:
        return _answer(Prepared("", "", "current"))
    return _answer(steps.arm(id))


def _drop(id: str) -> dict[str, Any]:
    return _answer(steps.drop(id))


def _revert(decided: dict[str, Any]) -> dict[str, Any]:
    return _answer(steps.revert(Decisions.from_json(decided)))


def _answer(value: Prepared) -> dict[str, Any]:
    changes = [[each.name, each.old_version, each.new_version] for each in value.changes]
    return {"id": value.id, "state": value.state, "reason": value.reason, "changes": changes}


def environment_of(found: Mapping[str, Any]) -> Environment:
    """Return the description that the step `look` has answered with."""
    return Environment(**{**found, "requires": {name: tuple(lines) for name, lines in found["requires"].items()}})


_STEPS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "look": _look,
    "plan": _plan,
    "prepare": _prepare,
    "arm": _arm,
    "drop": _drop,
    "revert": _revert,
}


def main() -> int:
    """Execute the requested step; the status is 0, and errors are in the answer."""
    return answer_request(_STEPS)


if __name__ == "__main__":
    sys.exit(main())
