"""Other users of the machine: a forked child becomes one of them."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VICTIM, ATTACKER = 1001, 1002  # no accounts are needed
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)


@contextmanager
def shared_directory(mode: int = 0o1777) -> Iterator[Path]:
    """A directory that every user can write to. pytest's own are closed to others."""
    from pathlib import Path

    place = tempfile.mkdtemp(prefix="li-shared-", dir="/tmp")
    os.chmod(place, mode)
    try:
        yield Path(place)
    finally:
        shutil.rmtree(place)


def as_user(number: int, action: Callable[[], Any]) -> Any:
    """The return value of `action`, run by that user; its exception is raised here. The limit is 30 seconds."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        _become(number, action, write)
    os.close(write)
    with open(read, "rb") as stream:
        answer = stream.read()
    status = os.waitpid(child, 0)[1]
    assert answer, f"it ended without an answer, and with status {status}: it hung"
    is_good, value = pickle.loads(answer)
    if not is_good:
        raise value
    return value


def _become(number: int, action: Callable[[], Any], write: int) -> None:
    import signal

    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(30)
        os.setgroups([])
        os.setgid(number)
        os.setuid(number)
        try:
            answer = True, action()
        except BaseException as error:
            answer = False, error
        os.write(write, pickle.dumps(answer))
    finally:
        os._exit(0)
