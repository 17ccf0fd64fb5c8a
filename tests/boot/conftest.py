from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from helpers.in_process_site import Place


@pytest.fixture
def tmp_path():
    """In memory if possible: thousands of small trees are created here, each flushed many times."""
    memory = "/dev/shm"
    usable = os.name != "nt" and os.access(memory, os.W_OK)
    path = tempfile.mkdtemp(prefix="crash-tests-", dir=memory if usable else None)
    yield Path(path)
    shutil.rmtree(path)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "root")
