"""The environment of a kernel, for the Jupyter server: the answers of its own liveinstall, in a child process.

The kernel itself is not asked, because it may be busy, and its environment may be another one than the server's. The
child runs the interpreter of the kernel with the JSON commands, so that it answers in the same form as a terminal.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import string
import threading
import time
from contextlib import suppress
from pathlib import Path

from _liveinstall_boot.layout import STATE
from liveinstall._environment.holders import describe
from liveinstall._system.lean_dataclasses import dataclass, field
from liveinstall._system.programs import run_captured
from liveinstall.errors import EngineError, LiveInstallError, TargetError, TrialError
from liveinstall.results import Holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_PYTHON = re.compile(r"(python|pypy)[0-9.]*w?(\.exe)?", re.IGNORECASE)
_SECONDS = 60.0  # for a question; an undo of a large transaction compares all of its files
_LONGEST = 300.0  # seconds that an answer is kept even if nothing has changed on disk
_LONGEST_FAILURE = 60.0  # seconds that "not installed" is kept
_MOST = 32  # environments whose last answer is kept


@dataclass(frozen=True)
class KernelPython:
    """The interpreter of a running kernel.

    Attributes:
        path: Its path, absolute.
        variables: The environment variables that its kernelspec adds to the server's.
        pid: The process id of the kernel, or of the wrapper that has started it; 0 if unknown.
    """

    path: str
    variables: Mapping[str, str] = field(default_factory=dict, compare=False)
    pid: int = 0


def python_of(manager: Any) -> KernelPython:
    """Find the interpreter of a kernel.

    Args:
        manager: The KernelManager of jupyter_client.

    Returns:
        The interpreter: that of the kernelspec, or on Linux, where a wrapper such as `uv run` or `conda run` starts the
        kernel, that of the process.

    Raises:
        TargetError: It is not a Python kernel, runs on another machine, or its interpreter was not found.
    """
    spec = manager.kernel_spec
    if spec is None or spec.language.lower() != "python":
        raise TargetError("this is not a Python kernel.", site="")
    process = getattr(manager.provisioner, "process", None)
    if process is None:
        raise TargetError("this kernel does not run on the machine of the Jupyter server.", site="")
    variables = {name: string.Template(value).safe_substitute(os.environ) for name, value in spec.env.items()}
    command = manager.format_kernel_cmd()
    path = shutil.which(command[0]) if _is_python(command[0]) else _running_python(process.pid)
    if not path:
        raise TargetError(f"the interpreter of this kernel was not found: it is started by {command[0]}.", site="")
    return KernelPython(os.path.abspath(path), variables, process.pid)


def _is_python(path: str) -> bool:
    return bool(_PYTHON.fullmatch(os.path.basename(path)))


def _running_python(pid: int) -> str | None:
    """The first Python among a process and its descendants, in Linux' /proc."""
    waiting = [pid]
    while waiting:
        process = Path(f"/proc/{waiting.pop(0)}")
        with suppress(OSError):
            word = process.joinpath("cmdline").read_text(encoding="utf-8", errors="replace").split("\0")[0]
            if _is_python(word):
                variables = process.joinpath("environ").read_text(encoding="utf-8", errors="replace").split("\0")
                places = next((line[len("PATH=") :] for line in variables if line.startswith("PATH=")), None)
                return shutil.which(word, path=places)
            waiting += map(int, process.joinpath("task", process.name, "children").read_text(encoding="ascii").split())
    return None


def ask(python: KernelPython, *words: str) -> dict[str, Any]:
    """Run a command of liveinstall in the environment of a kernel.

    Args:
        python: The interpreter of the kernel.
        *words: The command, such as "status".

    Returns:
        The JSON that the command prints, even if that is an error.

    Raises:
        TargetError: liveinstall is not installed there.
        EngineError: The command did not finish in time, or printed something else.
    """
    command = [python.path, "-m", "liveinstall", *words, "--json"]
    variables = {**os.environ, **python.variables, "PYTHONSAFEPATH": "1"}  # nothing from the server's directory
    try:
        _, output, errors = run_captured(command, variables, timeout=_SECONDS)
    except TrialError as error:
        raise EngineError(f"liveinstall of {python.path} did not answer: {error.what}", log="") from None
    for line in output.splitlines():
        with suppress(ValueError):
            answer = json.loads(line)
            if isinstance(answer, dict) and "liveinstall" in answer:
                return answer
    if "No module named liveinstall" in errors:
        raise TargetError(f"liveinstall is not installed in the environment of this kernel ({python.path}).", site="")
    raise EngineError(f"liveinstall of {python.path} gave no answer.", log=errors)


def stamp_of(site: str) -> tuple[int, ...]:
    """Return the times of the last changes of an environment's directory and of its state; they cost a few stat calls.

    Args:
        site: The site-packages directory; empty if unknown.
    """
    if not site:
        return ()
    state = os.path.join(site, STATE)
    places = [site, state]
    with suppress(OSError), os.scandir(state) as entries:
        places += sorted(entry.path for entry in entries if entry.is_dir())
    return tuple(os.stat(place).st_mtime_ns for place in places if os.path.exists(place))


_TICK = 20_000_000  # nanoseconds by which the time of a file may lag behind the clock
_CHANGED = (-1,)  # in place of a stamp, if the environment has changed while it was asked: the next request asks again


@dataclass
class _Known:
    """The last answer of an environment, and the state that it depends on."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    answer: dict[str, Any] | None = None
    failure: LiveInstallError | None = None
    stamp: tuple[int, ...] = ()
    until: float = 0.0

    def is_fresh(self) -> bool:
        """Whether it is as good as a new one."""
        if time.monotonic() > self.until:
            return False
        return self.answer is None or stamp_of(_site_of(self.answer)) == self.stamp


class KernelEnvironments:
    """The states of the environments of a server's kernels. Asking for one that has not changed starts no process."""

    def __init__(self) -> None:
        self._known: dict[KernelPython, _Known] = {}
        self._lock = threading.Lock()

    def status(self, python: KernelPython, *, fresh: bool = False) -> dict[str, Any]:
        """Return what `status --json` prints, with a description of each holder as `who`. May be called in any thread.

        Args:
            python: The interpreter of the kernel.
            fresh: Whether to ask even if nothing has changed on disk.

        Raises:
            LiveInstallError: As from `ask()`.
        """
        with self._lock:
            if len(self._known) >= _MOST:
                self._known.clear()
            known = self._known.setdefault(python, _Known())
        with known.lock:  # a request that waited here gets the answer to the previous one
            if fresh or not known.is_fresh():
                known.answer = known.failure = None
                began = time.time_ns() - _TICK
                try:
                    known.answer = _described(ask(python, "status"), python.pid)
                    stamp = stamp_of(_site_of(known.answer))
                    known.stamp = stamp if max(stamp, default=0) < began else _CHANGED  # perhaps after it was read
                except LiveInstallError as error:
                    known.failure = error
                known.until = time.monotonic() + (_LONGEST_FAILURE if known.failure else _LONGEST)
            if known.failure is not None:
                raise known.failure
            assert known.answer is not None
            return known.answer


def _site_of(answer: dict[str, Any]) -> str:
    return str(answer.get("result", {}).get("target", {}).get("site", ""))


def _described(answer: dict[str, Any], pid: int) -> dict[str, Any]:
    """Add a description to each holder; the kernel's own process is "this notebook"."""
    for holder in answer.get("result", {}).get("holders", ()):
        known = {name: holder[name] for name in ("pid", "command", "since", "notebook") if name in holder}
        holder["who"] = describe(Holder(**known, mine=holder["pid"] == pid), since=False)
    return answer
