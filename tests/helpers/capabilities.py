"""The capabilities of the machine: marks that skip a test, with a named reason."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import tempfile
from functools import cache
from pathlib import Path

import pytest


@cache
def has_links() -> bool:
    """Ordinary accounts of Windows may not make symbolic links."""
    with tempfile.TemporaryDirectory() as directory:
        try:
            Path(directory, "link").symlink_to(directory)
        except OSError:
            return False
    return True


can_symlink = pytest.mark.skipif(not has_links(), reason="needs symbolic links, which this account may not make")
can_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
has_exec = pytest.mark.skipif(os.name == "nt", reason="exec() of Windows starts another process")
has_signals = pytest.mark.skipif(os.name == "nt", reason="needs signals that another process can handle")
has_fifos = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
has_shell = pytest.mark.skipif(os.name == "nt", reason="needs scripts that begin with #!")
has_terminals = pytest.mark.skipif(importlib.util.find_spec("termios") is None, reason="needs pseudoterminals")
has_modes = pytest.mark.skipif(os.name == "nt", reason="needs the modes of POSIX")
has_forkserver = pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="needs multiprocessing's fork server"
)
