from __future__ import annotations

import pytest
from support import make_environment


@pytest.fixture
def env(tmp_path):
    """A venv of its own: no test touches the interpreter that runs it."""
    return make_environment(tmp_path / "env")
