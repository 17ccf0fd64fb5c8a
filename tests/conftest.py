from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest
from helpers.environments import make_environment
from hypothesis import settings

from liveinstall import _redact

for _switch in ("NO_COLOR", "FORCE_COLOR"):  # those who run the tests may have set them
    os.environ.pop(_switch, None)

os.environ["LIVEINSTALL_NO_CACHE"] = "1"  # of the user; tests of the caches set their own

if os.name == "nt":  # tests write the same bytes as elsewhere, and read them so

    def _write_text(path, data, encoding="utf-8", errors=None, newline="\n", *, write=Path.write_text):
        return write(path, data, encoding, errors, newline)

    def _read_text(path, encoding="utf-8", errors=None, *, read=Path.read_text):
        return read(path, encoding, errors)

    Path.write_text, Path.read_text = _write_text, _read_text

settings.register_profile("busy", deadline=None)  # examples may take long while other tests run
settings.load_profile("busy")


@pytest.fixture
def env(tmp_path):
    """A separate venv: no test changes the interpreter that runs it."""
    return make_environment(tmp_path / "env")


@pytest.fixture
def usual_threshold():
    """Garbage is collected after 700 objects."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


@pytest.fixture(autouse=True)
def search_path_as_before():
    """Distributions that a test installs into its own directory are not found by the next test."""
    before = sys.path[:]
    yield
    sys.path[:] = before


@pytest.fixture(autouse=True)
def no_secrets_learnt(monkeypatch):
    """The passwords of one test are not hidden in the next."""
    monkeypatch.setattr(_redact, "_learnt", set())
