"""Programs in a real terminal (a pty): input keys, and the output without control sequences."""

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
UP = "\x10"  # Ctrl-P: the code of the arrow key depends on the terminal's mode


class Terminal:
    """`shown` is the output since `forget()`, `all` the whole output."""

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
        """Press keys like a user: after a moment, the return key separately."""
        for key in re.split("(\r)", keys):
            time.sleep(0.1)
            os.write(self._handle, key.encode())

    def until(self, text: str, seconds: float = 30.0) -> str:
        """Wait until `text` has appeared after the previous match, also wrapped; the output up to it."""
        return self.until_any((text,), seconds)

    def until_any(self, texts: Sequence[str], seconds: float = 30.0) -> str:
        end = time.monotonic() + seconds
        while not any(text in self.shown or text in " ".join(self.shown.split()) for text in texts):
            ready, _, _ = select.select([self._handle], [], [], max(end - time.monotonic(), 0))
            assert ready, f"{texts} did not appear in:\n{self.shown}"
            try:
                self._raw += os.read(self._handle, 65_536)
            except OSError as error:
                raise AssertionError(f"it ended before {texts} appeared:\n{self.shown}") from error
        return self.shown

    def enter(self, line: str, prompt: str, seconds: float = 120.0) -> str:
        """Type a line at a prompt; what appears before the next prompt."""
        self.forget()
        self.type(f"{line}\r")
        self.until("\n")
        return self.until(prompt, seconds).partition("\n")[2]

    def forget(self) -> None:
        """Ignore all previous output."""
        while select.select([self._handle], [], [], 0.3)[0]:
            self._raw += os.read(self._handle, 65_536)
        self._before, self._raw = self._before + self._raw, b""

    def say(self, code: str, answer: str) -> str:
        """Type a line, and wait for output that only its execution can print."""
        self.forget()
        self.type(f"{code}\r")
        return self.until(answer)


def _plain(raw: bytes) -> str:
    return _CONTROL.sub("", raw.decode("utf-8", "replace").replace("\r\n", "\n"))


@contextmanager
def terminal(home: Path, *words: str | Path, **more: str) -> Iterator[Terminal]:
    """A program in its own terminal, with its own home directory."""
    variables = user_variables(
        HOME=str(home), TERM="xterm", PROMPT_TOOLKIT_NO_CPR="1", IPYTHONDIR=str(home / "ipython"), **more
    )
    pid, handle = pty.fork()
    if pid == 0:
        try:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))  # before anything reads the size
            os.chdir(home)
            os.execve(words[0], [str(word) for word in words], variables)
        finally:
            os._exit(127)
    try:
        yield Terminal(pid, handle)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(handle)
