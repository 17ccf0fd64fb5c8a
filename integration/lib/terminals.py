"""Programs in a real terminal (a pty): keys go in, and what appears comes out without its control sequences."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from integration.lib.environments import user_variables

_CONTROL = re.compile(
    r"\x1b\[[0-9;?>=]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[()][0-9AB]|\x1b[=>78DEM]|[\x00-\x09\x0b-\x1f]"
)
UP = "\x10"  # Ctrl-P: what the arrow key sends depends on the terminal's mode


class Terminal:
    """`shown` is what has appeared since `forget()`, `all` everything."""

    def __init__(self, pid: int, handle: int) -> None:
        self.pid = pid
        self._handle = handle
        self._raw = b""
        self._before = b""

    @property
    def raw(self) -> bytes:
        return self._before + self._raw

    @property
    def all(self) -> str:
        return _plain(self.raw)

    @property
    def shown(self) -> str:
        return _plain(self._raw)

    def type(self, keys: str) -> None:
        """Press keys, as a person would: after a moment, the return key on its own."""
        for key in re.split("(\r)", keys):
            time.sleep(0.1)
            os.write(self._handle, key.encode())

    def until(self, text: str, seconds: float = 30.0) -> str:
        """Wait until `text` has appeared after what was waited for before; everything up to there."""
        return self.until_any((text,), seconds)

    def until_any(self, texts: Sequence[str], seconds: float = 30.0) -> str:
        end = time.monotonic() + seconds
        while not any(text in self.shown for text in texts):
            ready, _, _ = select.select([self._handle], [], [], max(end - time.monotonic(), 0))
            assert ready, f"{texts} did not appear in:\n{self.shown}"
            try:
                self._raw += os.read(self._handle, 65_536)
            except OSError as error:
                raise AssertionError(f"it ended before {texts} appeared:\n{self.shown}") from error
        return self.shown

    def forget(self) -> None:
        """From here on only what comes counts."""
        while select.select([self._handle], [], [], 0.3)[0]:
            self._raw += os.read(self._handle, 65_536)
        self._before, self._raw = self._before + self._raw, b""

    def say(self, code: str, answer: str) -> str:
        """Type a line, wait for the answer that only its run can print."""
        self.forget()
        self.type(f"{code}\r")
        return self.until(answer)


def _plain(raw: bytes) -> str:
    return _CONTROL.sub("", raw.decode("utf-8", "replace").replace("\r\n", "\n"))


@contextmanager
def terminal(home: Path, *words: str | Path, **more: str) -> Iterator[Terminal]:
    """A program in a terminal of its own, with a home directory of its own."""
    variables = user_variables(
        HOME=str(home), TERM="xterm", PROMPT_TOOLKIT_NO_CPR="1", IPYTHONDIR=str(home / "ipython"), **more
    )
    pid, handle = pty.fork()
    if pid == 0:
        try:
            os.chdir(home)
            os.execve(words[0], [str(word) for word in words], variables)
        finally:
            os._exit(127)
    fcntl.ioctl(handle, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    try:
        yield Terminal(pid, handle)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(handle)
