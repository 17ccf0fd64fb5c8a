"""What the machine that runs the tests can do: marks that skip a test by capability, with a named reason."""

from __future__ import annotations

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
has_fifos = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
has_modes = pytest.mark.skipif(os.name == "nt", reason="needs the modes of POSIX")
