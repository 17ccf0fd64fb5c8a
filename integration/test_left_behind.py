"""`kill -9` while pip resolves and builds: after the next use there are no leftovers among the temporary files."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from integration.lib.environments import Environment, user_variables

_BACKEND = """
import os, tempfile, time
handle, path = tempfile.mkstemp()
def get_requires_for_build_wheel(config_settings=None):
    open(os.environ["FLAG"], "w").write(path)
    time.sleep(60)
    return []
"""


@pytest.mark.skipif(os.name == "nt", reason="needs a process group")
def test_a_kill_during_a_build_leaves_nothing_after_the_next_use(environment: Environment, tmp_path: Path) -> None:
    source, temporary, flag = tmp_path / "slow", tmp_path / "temporary", tmp_path / "flag"
    source.mkdir()
    temporary.mkdir()
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n', encoding="utf-8"
    )
    (source / "backend.py").write_text(_BACKEND, encoding="utf-8")
    variables = user_variables(TMPDIR=str(temporary), FLAG=str(flag))
    command = [str(environment.python), "-m", "liveinstall", "install", f"slow @ {source.as_uri()}"]
    process = subprocess.Popen(command, env=variables, start_new_session=True, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not flag.exists() or not flag.read_text(encoding="utf-8"):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    (left,) = temporary.iterdir()
    assert flag.read_text(encoding="utf-8").startswith(str(left))  # the build's own are removed with it
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert left.is_dir()
    environment.run("-m", "liveinstall", "finalize", env=variables, check=True)
    assert list(temporary.iterdir()) == []
    assert not (environment.site / ".liveinstall" / "work").exists()
    environment.remove()
