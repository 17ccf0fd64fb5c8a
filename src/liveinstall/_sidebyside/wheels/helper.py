"""A process beside this one that looks at wheels and unpacks them, so that this one loads nothing that they may be.

liveinstall needs packaging, installer and filelock for that, and an active place may have another version of them. The
helper starts when it is first needed, says that it is ready, answers one line of JSON with another, and ends with this
process, or when nobody has asked for some seconds. Where there can be no other process, the work is done here.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import time
from _frozen_importlib_external import PathFinder
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

from liveinstall import errors
from liveinstall._sidebyside.imports.isolation import default_places
from liveinstall._sidebyside.wheels.archive import READY, failed
from liveinstall._system.caller import search_path
from liveinstall._system.interpreter import executable

if TYPE_CHECKING:
    import subprocess
    from typing import IO

# Without site-packages, and with what is needed after the standard library: nothing there can hide a module of that.
_OPTIONS = ("-I", "-S", "-X", "utf8")
_CODE = "import sys; sys.path += sys.argv[1:]; from liveinstall._sidebyside.wheels._helper_child import main; main()"
_NEEDED = ("liveinstall", "_liveinstall_boot", "packaging", "installer", "filelock")
_READY_WITHIN, _ANSWER_WITHIN = 30.0, 600.0  # seconds
_lock = Lock()
_helper: subprocess.Popen[bytes] | None = None
_stderr: IO[bytes] | None = None  # the helper's
_alone = False  # whether what was started is no helper


def ask(what: str, path: str, cache: str, record: str = "") -> str:
    """Let the helper `examine` a wheel or `unpack` it: the record as text, or the directory.

    Raises: OwnerError, WheelRefusedError.
    """
    question = {"do": what, "path": path, "cache": cache, "record": record}
    with _lock:
        try:
            answer = _exchange(question)
        except BaseException:  # an interrupt: the answer may still come, and nobody must take it for another's
            _forget()
            raise
    if answer is None:
        from liveinstall._sidebyside.wheels._helper_child import answer_to

        answer = answer_to(question)
    if "error" in answer:
        kind = getattr(errors, answer["error"], errors.OwnerError)
        raise kind(answer["what"], todo=answer["todo"], **answer["details"])
    return str(answer["answer"])


def _exchange(question: dict[str, Any]) -> dict[str, Any] | None:
    """The helper's answer; None where there can be none. One that has just ended is started anew."""
    why = ""
    for _ in range(2):
        helper = _started()
        if helper is None:
            return None
        assert helper.stdin is not None
        with suppress(OSError, ValueError):
            left = memoryview(json.dumps(question).encode("ascii") + b"\n")
            while left:
                left = left[os.write(helper.stdin.fileno(), left) :]
            line = _line(helper, _ANSWER_WITHIN)
            answer = dict(json.loads(line)) if line else {}
            if answer.get("asked") == [question["do"], question["path"]]:
                return answer
        why = _last_words() or why
        _forget()
    what = "cannot be looked at: the process that does it gave no answer"
    raise failed(question["path"], f"{what} ({why})" if why else what)


def _started() -> subprocess.Popen[bytes] | None:
    """The helper; None where none can be, or what was started does not say that it is one."""
    global _helper, _stderr, _alone  # noqa: PLW0603  one for the process
    if _helper is not None:
        return _helper
    if _alone or not _can_start():
        return None
    import subprocess
    import tempfile

    pipe = subprocess.PIPE
    command = [executable(), *_OPTIONS, "-c", _CODE, *_paths()]
    try:
        _stderr = tempfile.TemporaryFile()
        _helper = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=_stderr, bufsize=0)
    except OSError:
        return None
    atexit.unregister(_forget)
    atexit.register(_forget)
    line = _line(_helper, _READY_WITHIN)
    if line in (READY, b""):  # one that has ended has left a reason
        return _helper
    _forget()
    _alone = True
    return None


def _can_start() -> bool:
    if sys.platform in ("emscripten", "wasi"):
        return False
    try:
        return bool(executable())
    except errors.TargetError:  # a program that Python is part of: it would start once more
        return False


def _line(helper: subprocess.Popen[bytes], seconds: float) -> bytes | None:
    """What the helper says next, with the end of its line; empty when it has ended, None when that takes longer."""
    assert helper.stdout is not None
    if os.name == "nt":  # where nobody can wait for a pipe
        return helper.stdout.readline()
    from selectors import EVENT_READ, DefaultSelector

    found, end = b"", time.monotonic() + seconds
    with DefaultSelector() as selector:
        selector.register(helper.stdout, EVENT_READ)
        while not found.endswith(b"\n"):
            if not selector.select(max(0, end - time.monotonic())):
                return None
            part = os.read(helper.stdout.fileno(), 1 << 16)
            if not part:
                return b""
            found += part
    return found


def _last_words() -> str:
    """The last line that the helper wrote to stderr."""
    if _stderr is None:
        return ""
    with suppress(OSError):
        _stderr.seek(0)
        return next((line for line in reversed(_stderr.read().decode("utf-8", "replace").splitlines()) if line), "")
    return ""


def _forget() -> None:
    global _helper, _stderr
    helper, stderr, _helper, _stderr = _helper, _stderr, None, None
    with suppress(OSError):
        if helper is not None:
            helper.kill()
            for stream in (helper.stdin, helper.stdout):
                if stream is not None:
                    stream.close()
            helper.wait()
        if stderr is not None:
            stderr.close()


def _after_fork() -> None:
    """The parent's helper is not this process's, and its lock may be held by a thread that is not here."""
    global _helper, _stderr, _lock
    if _helper is not None:
        _helper.returncode = 0  # nobody here waits for it
    _helper, _stderr, _lock = None, None, Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _paths() -> list[str]:
    """Where the helper finds what it needs: in the default environment, whatever is active here."""
    found = []
    for name in _NEEDED:
        spec = PathFinder.find_spec(name, [*search_path(), *default_places()])
        if spec is not None and spec.origin:
            found.append(os.path.dirname(os.path.dirname(spec.origin)))
    return list(dict.fromkeys(found))
