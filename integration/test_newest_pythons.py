"""The start of Pythons that exist here only as wasm builds: their real site.py runs a real companion."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from integration.lib.wheels import write_wheel

SCRIPT = Path(__file__).with_name("start_on_wasm.mjs")


@pytest.mark.skipif(not shutil.which("npm"), reason="needs node and npm")
@pytest.mark.parametrize(("build", "version"), [("314.0.7", [3, 14]), ("315.0.0-alpha.2", [3, 15])])
def test_a_start_swaps_pending_changes(tmp_path: Path, build: str, version: list[int]) -> None:
    installed = subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", tmp_path, f"pyodide@{build}"],
        check=False,
        capture_output=True,
        text=True,
    )
    if installed.returncode:
        pytest.skip(f"the registry does not offer pyodide {build}")
    archive = stage(tmp_path)
    shutil.copy(SCRIPT, tmp_path)
    done = subprocess.run(
        ["node", SCRIPT.name, archive], cwd=tmp_path, check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == [version, "2.0", "2.0", 1, [".liveinstall", "alpha", "alpha-2.0.dist-info", "started.pth"]]


def stage(directory: Path) -> Path:
    """An environment with alpha 1.0, and 2.0 staged, which also has a .pth file; as an archive."""
    old = write_wheel(directory, "alpha", "1.0")
    pth = "import sys; sys.started = getattr(sys, 'started', 0) + 1\n"
    new = write_wheel(directory, "alpha", "2.0", files={"started.pth": pth})
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1] / "tests")!r})
from pathlib import Path
from helpers.in_process_site import Place
from liveinstall._model import Candidate
place = Place(Path({str(directory / "environment")!r}))
place.install(Candidate("alpha", "1.0", (), requested=True, wheel={str(old)!r}))
place.stage(Candidate("alpha", "2.0", (), requested=True, wheel={str(new)!r}))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    archive = directory / "environment.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(directory / "environment", ".")
    return archive
