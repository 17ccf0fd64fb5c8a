"""The child process of `helper`: it writes READY, then answers each request, one line of JSON, with one line of JSON.

Each answer repeats the request's action and path, so that it cannot be mistaken for the answer to another request. The
child exits when its input ends, or after some seconds without a request.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from liveinstall._sidebyside.wheels.archive import READY
from liveinstall._sidebyside.wheels.examine import examine, unpack
from liveinstall._sidebyside.wheels.record import encode, parse
from liveinstall.errors import LiveInstallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_IDLE = 10  # seconds without a request, after which the child exits


def answer_to(question: dict[str, Any]) -> dict[str, Any]:
    """Answer one request; no exception is raised.

    Args:
        question: The request: {"do": "examine" or "unpack", "path": the wheel, absolute, "cache": the cache directory,
            empty for none, "record": the encoded record for "unpack", else empty}.

    Returns:
        {"answer": the encoded record, or the directory of the unpacked wheel}, or the error: {"error": its type's
        name, "what": ..., "todo": ..., "details": its attributes}.
    """
    path, cache = question["path"], question["cache"]
    try:
        if question["do"] == "examine":
            return {"answer": encode(examine(path, cache))}
        record = parse(question["record"], path)
        assert record is not None
        return {"answer": unpack(path, cache, record)}
    except LiveInstallError as error:
        details = {name: value for name, value in error.details.items() if isinstance(value, str)}
        return {"error": type(error).__name__, "what": error.what, "todo": error.todo, "details": details}
    except Exception as error:  # noqa: BLE001  the parent has to report it
        what = f"{path} cannot be examined: {type(error).__name__}: {error}."
        return {"error": "OwnerError", "what": what, "todo": "", "details": {"place": path}}


def main() -> None:
    """Answer requests until the input ends, or until some seconds have passed without a request."""
    busy = [time.monotonic(), False]
    threading.Thread(target=_watch, args=(busy,), daemon=True).start()
    _write(READY)
    for line in sys.stdin:
        busy[1] = True
        question = json.loads(line)
        text = json.dumps({**answer_to(question), "asked": [question["do"], question["path"]]})
        _write(text.encode("ascii") + b"\n")
        busy[:] = [time.monotonic(), False]


def _write(line: bytes) -> None:
    """Write a line for the parent as it is: Windows would write another line break for text."""
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _watch(busy: list[Any]) -> None:
    while busy[1] or time.monotonic() - busy[0] < _IDLE:
        time.sleep(1)
    os._exit(0)
