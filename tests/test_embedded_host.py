"""A compiled program that embeds Python: `ensure()` works in it, and does not start it a second time."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

HOST = r"""
#include <Python.h>
#include <stdio.h>

/* As a desktop program does: its own name, the home of its Python, and code to run. Each start is noted in MARK. */
int main(int argc, char **argv) {
    FILE *mark = fopen(MARK, "a");
    fprintf(mark, "started with %d arguments\n", argc);
    fclose(mark);
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    PyConfig_SetBytesString(&config, &config.program_name, argv[1]);
    PyStatus status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status)) Py_ExitStatusException(status);
    int failed = PyRun_SimpleString(argv[2]);
    return Py_FinalizeEx() < 0 || failed;
}
"""


@pytest.fixture
def host(tmp_path):
    """The compiled program."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    get = sysconfig.get_config_var
    include, library = sysconfig.get_path("include"), get("LIBDIR")
    found = Path(library or "", get("LDLIBRARY") or "").exists()
    if not compiler or not Path(include, "Python.h").exists() or not found:
        pytest.skip("needs a C compiler, and the headers and library of this Python")
    place = tmp_path / "Host"
    place.mkdir()
    (place / "host.c").write_text(HOST)
    words = [compiler, "host.c", "-o", "host", f'-DMARK="{place}/started"', f"-I{include}"]
    words += [f"-L{library}", f"-Wl,-rpath,{library}"]
    words += [f"-lpython{get('LDVERSION')}", *(get("LIBS") or "").split(), *(get("SYSLIBS") or "").split()]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place / "host"


CODE = """
import sys
assert sys.prefix == {root!r}, sys.prefix  # no other environment is changed
sys.executable = {host!r}  # as desktop programs have it
import liveinstall as li, fake_engine
print(li.ensure("alpha").installed[0].name)
import alpha
print(li.status().python, li.status().python_from.startswith("found next to"))
"""


def test_ensure_works_in_a_host_and_no_second_host_starts(env, host):
    env.wheel("alpha", "1.0", {"alpha.py": "V = 1\n"})
    code = CODE.format(root=str(env.root), host=str(host))
    done = subprocess.run(
        [host, env.root / "bin" / "python", code],
        env=env.variables(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    name, found = done.stdout.splitlines()
    assert name == "alpha" and found.startswith(str(env.root / "bin")) and found.endswith(" True")
    assert (host.parent / "started").read_text().count("started") == 1
