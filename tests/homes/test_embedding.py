"""A host that embeds Python, like mod_wsgi: a small C program that uses the home in both ways that hosts have."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from helpers.environments import make_wheel

from liveinstall import homes
from liveinstall._sidebyside.store.store import Store

HOST = r"""
#include <Python.h>
#include <string.h>

/* host home PATH CODE: as WSGIPythonHome is handed on by Py_SetPythonHome (mod_wsgi up to 3, and on Windows)
   host program PATH/bin/python CODE: as mod_wsgi 4 hands it on, which sets the name of the program */
int main(int argc, char **argv) {
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0;
    wchar_t **field = strcmp(argv[1], "home") ? &config.program_name : &config.home;
    PyStatus status = PyConfig_SetBytesString(&config, field, argv[2]);
    if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status)) Py_ExitStatusException(status);
    int failed = PyRun_SimpleString(argv[3]);
    PyThreadState *main_state = PyThreadState_Get();
    PyThreadState *sub = Py_NewInterpreter();   /* each WSGI application group has its own interpreter */
    failed |= !sub || PyRun_SimpleString(argv[3]);
    if (sub) Py_EndInterpreter(sub);
    PyThreadState_Swap(main_state);
    return Py_FinalizeEx() < 0 || failed;
}
"""
CODE = (
    "import alpha, json, os, sys, _struct, importlib.metadata as m\n"
    "print(json.dumps([alpha.V, alpha.__file__, sys.prefix, sorted(d.name for d in m.distributions())]))\n"
)


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """The compiled host."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    get = sysconfig.get_config_var
    include, library = sysconfig.get_path("include"), get("LIBDIR")
    found = Path(library or "", get("LDLIBRARY") or "").exists()
    if not compiler or not Path(include, "Python.h").exists() or not found:
        pytest.skip("needs a C compiler, and the headers and library of this Python")
    place = tmp_path_factory.mktemp("host")
    (place / "host.c").write_text(HOST)
    words = [compiler, "host.c", "-o", "host", f"-I{include}", f"-L{library}", f"-Wl,-rpath,{library}"]
    words += [f"-lpython{get('LDVERSION')}", *(get("LIBS") or "").split(), *(get("SYSLIBS") or "").split()]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place / "host"


@pytest.fixture
def home(tmp_path):
    store = Store.at(tmp_path / "store")
    store.add(make_wheel(tmp_path / "wheels", "alpha", "1.0", {"alpha/__init__.py": "V = 1\n"}))
    return homes.create(tmp_path / "home", "alpha", store=store.path)


def run(host, kind: str, path: str, code: str = CODE):
    """As a server runs it: with few environment variables."""
    return subprocess.run(
        [host, kind, path, code], env={"PATH": os.defpath}, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("kind", ["home", "program"])
def test_a_host_and_its_subinterpreters_run_in_the_home(host, home, kind):
    done = run(host, kind, home.path if kind == "home" else home.python)
    assert (done.returncode, done.stderr) == (0, "")
    site = Path(home.path, "lib", Path(os.__file__).parent.name, "site-packages")
    wanted = [1, str(site / "alpha" / "__init__.py"), home.path, ["alpha"]]
    assert [json.loads(line) for line in done.stdout.splitlines()] == [wanted, wanted]


def test_a_host_with_another_patch_version_prints_a_line_and_continues(host, home):
    line = next(Path(home.path).glob("lib/*/site-packages/liveinstall-home.pth"))
    line.write_text(line.read_text().replace(home.version, "3.11.99"))
    done = run(host, "home", home.path)
    assert (
        done.returncode == 0 and done.stderr.count("is for Python 3.11.99, but this is Python") == 2
    )  # each interpreter


def test_one_link_for_the_whole_library_would_not_do(host, home, tmp_path):
    """The reason why each child of the library is a separate link."""
    if not (Path(os.__file__).parent / "site-packages").is_dir():
        pytest.skip("Debian's Pythons have no site-packages next to their library")
    name = Path(os.__file__).parent.name
    (tmp_path / "naive" / "lib").mkdir(parents=True)
    (tmp_path / "naive" / "lib" / name).symlink_to(Path(os.__file__).parent)
    done = run(host, "home", str(tmp_path / "naive"), "import sys; print([p for p in sys.path if 'site-' in p])")
    assert "site-packages" in done.stdout and os.path.samefile(
        Path(tmp_path, "naive", "lib", name, "site-packages"), Path(os.__file__).parent / "site-packages"
    )
