"""A process beside this one that looks at wheels and unpacks them, so that this one loads nothing that they may be.

liveinstall needs packaging, installer and filelock for that, and an active place may have another version of them. The
helper starts when it is first needed, answers one line of JSON with another, and ends with this process, or when nobody
has asked for some seconds. Where there can be no other process, the work is done here.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from _frozen_importlib_external import PathFinder
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

from liveinstall import errors
from liveinstall.parallel.shutting import default_places
from liveinstall.parallel.wheelarchive import failed

if TYPE_CHECKING:
    import subprocess

_CODE = "import sys; sys.path[:0] = sys.argv[1:]; from liveinstall.parallel._wheel_child import main; main()"
_NEEDED = ("liveinstall", "_liveinstall_boot", "packaging", "installer", "filelock")
_lock = Lock()
_helper: subprocess.Popen[str] | None = None


def ask(what: str, path: str, cache: str, record: str = "") -> str:
    """Let the helper `examine` a wheel or `unpack` it: the record as text, or the directory.

    Raises: OwnerError, WheelRefusedError.
    """
    question = {"do": what, "path": path, "cache": cache, "record": record}
    with _lock:
        answer = _exchange(question)
    if answer is None:
        from liveinstall.parallel._wheel_child import answer_to

        answer = answer_to(question)
    if "error" in answer:
        kind = getattr(errors, answer["error"], errors.OwnerError)
        raise kind(answer["what"], todo=answer["todo"], **answer["details"])
    return str(answer["answer"])


def _exchange(question: dict[str, Any]) -> dict[str, Any] | None:
    """The helper's answer; None where there can be none. One that has just ended is started anew."""
    for _ in range(2):
        helper = _started()
        if helper is None:
            return None
        assert helper.stdin is not None
        assert helper.stdout is not None
        with suppress(OSError):
            helper.stdin.write(json.dumps(question) + "\n")
            helper.stdin.flush()
            line = helper.stdout.readline()
            if line:
                return dict(json.loads(line))
        _forget()
    raise failed(question["path"], "cannot be looked at: the process that does it ended at once")


def _started() -> subprocess.Popen[str] | None:
    global _helper  # noqa: PLW0603  one for the process
    if _helper is not None:
        return _helper
    if not sys.executable or sys.platform in ("emscripten", "wasi"):
        return None
    import subprocess

    pipe = subprocess.PIPE
    try:
        _helper = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", "-c", _CODE, *_paths()],
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
    except OSError:
        return None
    atexit.register(_forget)
    return _helper


def _forget() -> None:
    global _helper  # noqa: PLW0603
    if _helper is not None:
        _helper.kill()
        with suppress(OSError):
            _helper.communicate()
    _helper = None


def _after_fork() -> None:
    """The parent's helper is not this process's, and its lock may be held by a thread that is not here."""
    global _helper, _lock
    if _helper is not None:
        _helper.returncode = 0  # nobody here waits for it
    _helper, _lock = None, Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _paths() -> list[str]:
    """Where the helper finds what it needs: in the default environment, whatever is active here."""
    found = []
    for name in _NEEDED:
        spec = PathFinder.find_spec(name, [*sys.path, *default_places()])
        if spec is not None and spec.origin:
            found.append(os.path.dirname(os.path.dirname(spec.origin)))
    return list(dict.fromkeys(found))
