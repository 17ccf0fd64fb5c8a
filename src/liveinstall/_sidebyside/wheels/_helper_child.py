"""The helper's side of `wheelhelper`: a line that it is ready; then a line of JSON in, a line of JSON out.

Each answer says what was asked, so that nobody takes it for the answer to something else. It ends when nobody asks any
more.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

from liveinstall._sidebyside.wheels.archive import READY
from liveinstall._sidebyside.wheels.examine import examine, unpack
from liveinstall._sidebyside.wheels.record import encode, parse
from liveinstall.errors import LiveInstallError

_IDLE = 10  # seconds


def answer_to(question: dict[str, Any]) -> dict[str, Any]:
    """What to answer: {"answer": text}, or the parts of an error."""
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
    except Exception as error:  # noqa: BLE001  whoever asked must hear of it
        what = f"{path} cannot be looked at: {type(error).__name__}: {error}."
        return {"error": "OwnerError", "what": what, "todo": "", "details": {"place": path}}


def main() -> None:
    """Answer until the input ends, or nobody has asked for some seconds."""
    busy = [time.monotonic(), False]
    threading.Thread(target=_watch, args=(busy,), daemon=True).start()
    sys.stdout.write(READY.decode())
    sys.stdout.flush()
    for line in sys.stdin:
        busy[1] = True
        question = json.loads(line)
        text = json.dumps({**answer_to(question), "asked": [question["do"], question["path"]]})
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        busy[:] = [time.monotonic(), False]


def _watch(busy: list[Any]) -> None:
    while busy[1] or time.monotonic() - busy[0] < _IDLE:
        time.sleep(1)
    os._exit(0)
