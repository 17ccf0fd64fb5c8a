"""Hints in errors of real imports, in plain Python and in real IPython: pending and replaced versions."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.lib.environments import Environment, NotOfferedError, add_liveinstall, user_variables
from integration.lib.interpreters import find_python

_STAGE = "import packaging, liveinstall; r = liveinstall.install('packaging==25.0')"
# A package that is in 25.0 but not in 24.1, and one of its functions.
_MISSING = {"import packaging.licenses": "StagedImportError", "from packaging import licenses": "ImportError"}
_REPLACE = """
import numpy, liveinstall, subprocess, sys
r = liveinstall.install('six'); pip = [sys.executable, '-m', 'pip', 'install', '-q', '--disable-pip-version-check']
r = subprocess.run([*pip, 'numpy==2.2.6'], capture_output=True)
import numpy.testing
"""
_STAGED = r"packaging 25\.0 is staged since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
_REPLACED = "running numpy 1.26.4, installed 2.2.6. "


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Environment]:
    """IPython, and old versions of two projects."""
    base = find_python("3.11")
    if not base:
        pytest.skip("numpy 1.26 has wheels for 3.11, which is not here")
    made = Environment.make(tmp_path_factory.mktemp("hints") / "venv", base)
    try:
        add_liveinstall(made, wheel, {"packaging": "24.1"})
        made.add("numpy==1.26.4", "ipython", deps=True)
    except NotOfferedError as error:
        pytest.skip(str(error))
    yield made
    made.remove()


def ipython(place: Environment, code: str) -> str:
    """The output of cells, one a line, in IPython in a terminal."""
    command = [place.python, "-m", "IPython", "--simple-prompt", "--no-banner", "--colors=nocolor"]
    variables = user_variables(IPYTHONDIR=str(place.path / "ipython"))
    done = subprocess.run(
        command, input=code + "\nliveinstall.cancel() if liveinstall.pending() else None\nexit()\n",
        env=variables, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.parametrize(("line", "kind"), _MISSING.items())
def test_pending_versions_are_reported_in_plain_python_and_ipython(place: Environment, line: str, kind: str) -> None:
    plain = place.run("-c", f"{_STAGE}\n{line}")
    place.run("-m", "liveinstall", "install", "packaging==24.1", check=True)  # its start has swapped 25.0 in
    rich = ipython(place, f"{_STAGE}\n{line}")
    for text, advice in ((plain.stderr, "start the program again"), (rich, "exit Python and start it again")):
        assert kind in text and re.search(_STAGED, text) and advice in text, text
        assert "hints.py" not in text and "visible.py" not in text, text
    assert len(plain.stderr.splitlines()) <= 4, plain.stderr
    assert rich.count("is staged since") == 1, rich


def test_a_late_import_from_what_pip_replaced_names_both_versions(place: Environment) -> None:
    plain = place.run("-c", _REPLACE)
    assert plain.returncode == 1
    assert plain.stderr.splitlines()[-1] == f"{_REPLACED}To use the new version, start the program again.", plain.stderr
    place.add("numpy==1.26.4")
    rich = ipython(place, _REPLACE)
    assert f"{_REPLACED}To use the new version, exit Python and start it again." in rich, rich
