from __future__ import annotations

import gc
import os
import sys

import pytest
from helpers.environments import make_environment
from hypothesis import settings

from liveinstall import _redact

for _switch in ("NO_COLOR", "FORCE_COLOR"):  # those who run the tests may have set them
    os.environ.pop(_switch, None)

settings.register_profile("busy", deadline=None)  # examples may take long while other tests run
settings.load_profile("busy")


@pytest.fixture
def env(tmp_path):
    """A venv of its own: no test touches the interpreter that runs it."""
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
    """What a test installs into a directory of its own is not found by the next."""
    before = sys.path[:]
    yield
    sys.path[:] = before


@pytest.fixture(autouse=True)
def no_secrets_learnt(monkeypatch):
    """What one test has typed as a password is no secret to the next."""
    monkeypatch.setattr(_redact, "_learnt", set())
