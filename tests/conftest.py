from __future__ import annotations

import os

import pytest
from support import make_environment

for _switch in ("NO_COLOR", "FORCE_COLOR"):  # those who run the tests may have set them
    os.environ.pop(_switch, None)


@pytest.fixture
def env(tmp_path):
    """A venv of its own: no test touches the interpreter that runs it."""
    return make_environment(tmp_path / "env")
