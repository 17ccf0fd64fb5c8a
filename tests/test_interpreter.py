"""The interpreter that belongs to this process; no other program is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from liveinstall._system import interpreter
from liveinstall.errors import TargetError


@pytest.fixture
def program(tmp_path):
    """A program that must not be started: it leaves a mark."""

    def make(name: str) -> Path:
        path = tmp_path / "host" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\necho started >> {tmp_path}/started\n")
        path.chmod(0o755)
        return path

    yield make
    assert not (tmp_path / "started").exists()


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch):
    monkeypatch.delenv("LIVEINSTALL_PYTHON", raising=False)


def test_an_interpreter_is_its_own_and_starts_nothing(monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    assert interpreter.which() == (sys.executable, "") and interpreter.program() == ""


@pytest.mark.parametrize("value", [None, "", "/nowhere/python3", 42])
def test_without_an_executable_it_is_found_next_to_the_library(monkeypatch, value):
    real = sys.executable
    monkeypatch.setattr(sys, "executable", value)
    found, how = interpreter.which()
    assert os.path.samefile(found, real) and how.startswith("found next to")


found_by_path = pytest.mark.skipif(os.name == "nt", reason="needs a sys.executable that is searched for on PATH")
HOSTS = ["qgis", "python-host", "FreeCAD", "pythonista3.app", "blender", pytest.param("python3", marks=found_by_path)]


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_is_not_started_even_if_it_is_called_like_python(monkeypatch, program, name):
    real = sys.executable
    monkeypatch.setattr(sys, "executable", str(program(name)))
    assert os.path.samefile(interpreter.executable(), real)


def test_what_the_variable_names_is_taken_for_a_host(monkeypatch, program):
    real = sys.executable
    monkeypatch.setattr(sys, "executable", str(program("host")))
    monkeypatch.setenv("LIVEINSTALL_PYTHON", real)
    assert interpreter.which() == (real, "named by LIVEINSTALL_PYTHON")


def test_what_the_variable_names_must_be_of_this_environment(monkeypatch, program):
    monkeypatch.setattr(sys, "executable", str(program("host")))
    for wrong, why in (
        (sys._base_executable, "its environment is"),
        ("python3", "full path"),
        (os.path.abspath(__file__) if os.name == "nt" else "/bin/cat", "cannot be run"),
    ):
        if wrong != sys._base_executable or sys.prefix != sys.base_prefix:
            monkeypatch.setenv("LIVEINSTALL_PYTHON", wrong)
            with pytest.raises(TargetError, match=why):
                interpreter.executable()


def test_a_path_with_letters_that_the_encoding_of_pipes_does_not_have_is_reported(tmp_path):
    code = f"import sys; sys.base_prefix = {str(tmp_path / 'José 日本')!r}; {interpreter._IDENTITY_SCRIPT}"
    variables = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    output = subprocess.check_output([sys.executable, "-c", code], env=variables)
    assert os.fsdecode(output).splitlines()[-1] == str(tmp_path / "José 日本")


def test_a_frozen_application_has_none_and_starts_nothing(monkeypatch, program):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(program("app")))
    with pytest.raises(TargetError, match="frozen"):
        interpreter.executable()


def test_where_no_interpreter_belongs_to_the_process_the_error_names_the_variable(monkeypatch, program, tmp_path):
    monkeypatch.setattr(sys, "executable", str(program("host")))
    for name in ("prefix", "exec_prefix", "base_prefix", "base_exec_prefix"):
        monkeypatch.setattr(sys, name, str(tmp_path))
    with pytest.raises(TargetError, match="LIVEINSTALL_PYTHON"):
        interpreter.executable()


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *[(name, True) for name in ("python", "python3", "python3.13t", "python3.12d", "pythonw.exe", "PYTHON.EXE")],
        *[(name, True) for name in ("pypy3", "python3-dbg", "python_d.exe", "python3-intel64", "python-real")],
        *[(name, False) for name in ("qgis-bin.exe", "blender", "PythonSlicer", "pythonhost", "ipython", "uwsgi", "")],
    ],
)
def test_names_of_interpreters(name, is_one):
    assert interpreter.is_python(name) is is_one
