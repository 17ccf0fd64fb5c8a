"""A step in a child process: the request and the answer are each a line of JSON."""

from __future__ import annotations

import json
import os
import sys

from _liveinstall_boot.holds import VARIABLE
from liveinstall._cluster.participants import failure_of
from liveinstall._system.child_process import Child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def ask_child(module: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Execute a step in a child process of this interpreter, which does not inherit the view of this process.

    Args:
        module: The module that the child runs; it calls `answer_request()`.
        request: The name of the step under the key `step`, and its arguments: JSON values.

    Returns:
        The answer, a JSON object; one with the key `error` (the class), `what` and `todo` if it failed.
    """
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    child = Child((sys.executable, "-P", "-m", module), env=environment)
    status, output = child.ask(json.dumps(request), timeout=None)
    try:
        answer: dict[str, Any] = json.loads(output.rstrip().rpartition("\n")[2])
    except ValueError:
        what = output.strip()[-500:] or f"the child process exited with status {status}"
        return {"error": "EngineError", "what": f"{request['step']} failed: {what}", "todo": ""}
    return answer


def answer_request(steps: Mapping[str, Callable[..., dict[str, Any]]]) -> int:
    """Execute the step that standard input requests, and write the answer as the last line of standard output.

    Args:
        steps: The functions by the names of their steps.

    Returns:
        The exit status: 0, because errors are in the answer.
    """
    request = json.loads(sys.stdin.readline())
    try:
        answer = steps[request.pop("step")](**request)
    except Exception as error:  # noqa: BLE001  the caller is in another process, and must learn of it
        answer = failure_of(error)
    print("\n" + json.dumps(answer))
    return 0
