"""A helper process that examines and unpacks wheels, so that this process does not load the libraries for that.

Those are packaging and installer, and an active location may have other versions of them. The helper is
started at the first request. It writes READY, answers each line of JSON with another, and exits with this process or
after some seconds without a request. Where no child process can be started, this process does the work itself.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import time
from contextlib import suppress
from threading import Lock

from liveinstall import errors
from liveinstall._sidebyside.imports.isolation import default_places
from liveinstall._sidebyside.imports.path_hooks import NoWheelsOpened
from liveinstall._sidebyside.wheels.archive import READY, failed
from liveinstall._system.caller import place_of, search_path
from liveinstall._system.interpreter import executable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from typing import IO, Any

# Without site-packages. The needed directories follow the standard library, so they cannot shadow a module of it.
_OPTIONS = ("-I", "-S", "-X", "utf8")
_CODE = "import sys; sys.path += sys.argv[1:]; from liveinstall._sidebyside.wheels._helper_child import main; main()"
_NEEDED = ("liveinstall", "_liveinstall_boot", "packaging", "installer")
_READY_WITHIN, _ANSWER_WITHIN = 30.0, 600.0  # seconds
_lock = Lock()
_helper: subprocess.Popen[bytes] | None = None
_stderr: IO[bytes] | None = None  # the helper's
_unavailable = False  # whether there is no helper, because the program that was started is not one


def ask(what: str, path: str, cache: str, record: str = "") -> str:
    """Have the helper examine or unpack a wheel.

    Args:
        what: "examine" or "unpack".
        path: The wheel, absolute.
        cache: The cache directory; empty for none.
        record: For "unpack", the encoded record, which the wheel must still match.

    Returns:
        For "examine" the encoded record; for "unpack" the directory of the unpacked wheel, absolute.

    Raises:
        OwnerError: The wheel cannot be used or unpacked, or the helper does not answer.
        WheelRefusedError: The wheel violates a rule of safe unpacking.
    """
    question = {"do": what, "path": path, "cache": cache, "record": record}
    with NoWheelsOpened(), _lock:
        try:
            answer = _exchange(question)
        except BaseException:  # an interrupt: a late answer must not be read as the answer to the next request
            _discard_helper()
            raise
    if answer is None:
        from liveinstall._sidebyside.wheels._helper_child import answer_to

        answer = answer_to(question)
    if "error" in answer:
        kind = getattr(errors, answer["error"], errors.OwnerError)
        raise kind(answer["what"], todo=answer["todo"], **answer["details"])
    return str(answer["answer"])


def _exchange(question: dict[str, Any]) -> dict[str, Any] | None:
    """The helper's answer; None if no helper can be started. A helper that has just exited is restarted once."""
    reason = ""
    for _ in range(2):
        helper = _running_helper()
        if helper is None:
            return None
        assert helper.stdin is not None
        with suppress(OSError, ValueError):
            unsent = memoryview(json.dumps(question).encode("ascii") + b"\n")
            while unsent:
                unsent = unsent[os.write(helper.stdin.fileno(), unsent) :]
            line = _read_line(helper, _ANSWER_WITHIN)
            answer = dict(json.loads(line)) if line else {}
            if answer.get("asked") == [question["do"], question["path"]]:
                return answer
        reason = _last_stderr_line() or reason
        _discard_helper()
    what = "cannot be examined: the helper process gave no answer"
    raise failed(question["path"], f"{what} ({reason})" if reason else what)


def _running_helper() -> subprocess.Popen[bytes] | None:
    """The running helper, started if necessary; None if it cannot be started or is not a helper."""
    global _helper, _stderr, _unavailable  # noqa: PLW0603  one helper for the process
    if _helper is not None:
        return _helper
    if _unavailable or not _can_start():
        return None
    import subprocess
    import tempfile

    pipe = subprocess.PIPE
    command = [executable(), *_OPTIONS, "-c", _CODE, *_library_paths()]
    try:
        _stderr = tempfile.TemporaryFile()
        _helper = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=_stderr, bufsize=0)
    except OSError:
        _discard_helper()  # the file is open
        return None
    atexit.unregister(_discard_helper)
    atexit.register(_discard_helper)
    line = _read_line(_helper, _READY_WITHIN)
    if line in (READY, b""):  # empty: it has exited, and its stderr has the reason
        return _helper
    _discard_helper()
    _unavailable = True
    return None


def _can_start() -> bool:
    if sys.platform in ("emscripten", "wasi"):
        return False
    try:
        return bool(executable())
    except errors.TargetError:  # an embedding program: it would start itself again
        return False


def _read_line(helper: subprocess.Popen[bytes], seconds: float) -> bytes | None:
    """The helper's next line with its line break; empty if the helper has exited, None after a timeout."""
    assert helper.stdout is not None
    if os.name == "nt":  # where select() does not accept pipes
        return helper.stdout.readline()
    from selectors import EVENT_READ, DefaultSelector

    line, deadline = b"", time.monotonic() + seconds
    with DefaultSelector() as selector:
        selector.register(helper.stdout, EVENT_READ)
        while not line.endswith(b"\n"):
            if not selector.select(max(0, deadline - time.monotonic())):
                return None
            chunk = os.read(helper.stdout.fileno(), 1 << 16)
            if not chunk:
                return b""
            line += chunk
    return line


def _last_stderr_line() -> str:
    """The last line that the helper wrote to stderr."""
    if _stderr is None:
        return ""
    with suppress(OSError):
        _stderr.seek(0)
        return next((line for line in reversed(_stderr.read().decode("utf-8", "replace").splitlines()) if line), "")
    return ""


def _discard_helper() -> None:
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
    """Reset the helper in a forked child: it is the parent's, and a thread of the parent may hold the lock."""
    global _helper, _stderr, _lock
    if _helper is not None:
        _helper.returncode = 0  # only the parent can wait for it
    _helper, _stderr, _lock = None, None, Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _library_paths() -> list[str]:
    """The directories of the helper's libraries in the default environment, not those of active versions."""
    path = [*search_path(), *default_places()]
    # No path hook is called: ours would examine a wheel on sys.path, for which it needs the helper.
    return list(dict.fromkeys(filter(None, (place_of(name, path) for name in _NEEDED))))
