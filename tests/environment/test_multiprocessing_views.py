"""Children of multiprocessing import the versions in their hold, although multiprocessing replaces their path."""

from __future__ import annotations

import json
import subprocess

import pytest
from helpers.capabilities import can_fork

PARENT = """
import alpha, json, multiprocessing, sys

def look():
    import glob, importlib.metadata, os, sys
    import alpha, alpha.late
    site = [entry for entry in sys.path if entry.endswith("site-packages")][0]
    pid = os.getppid() if multiprocessing.get_start_method() == "forkserver" else os.getpid()
    holds = "".join(open(path).read() for path in glob.glob(f"{site}/.liveinstall/holds/{pid}-*"))
    sees = [line for line in holds.splitlines() if line.startswith("sees ")]
    beside = any(entry.endswith("more") for entry in sys.path)
    return alpha.__version__, alpha.late.V, importlib.metadata.version("alpha"), sees, beside

if __name__ == "__main__":
    method, is_holder = sys.argv[1:]
    if is_holder == "True":
        import liveinstall
        liveinstall.hold()
    multiprocessing.set_start_method(method)
    print("loaded", flush=True)
    sys.stdin.readline()
    with multiprocessing.Pool(1) as pool:
        print(json.dumps([alpha.__version__, *pool.apply(look)]))
"""
NEW = {
    "alpha/__init__.py": "__version__ = '2.0'\n",
    "alpha/late.py": "V = '2.0'\n",
    "alpha.pth": "more\n",
    "more/beside.py": "",
}


def child_of_a_user_of_the_old_version(env, method, *, is_holder):
    """A process has imported alpha 1.0; another stages 2.0 and keeps running; then a child of the first one imports."""
    env.put_liveinstall_in()
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0", NEW)
    script = env.root / "parent.py"
    script.write_text(PARENT)
    pipe = subprocess.PIPE
    command = [str(env.python), str(script), method, str(is_holder)]
    parent = subprocess.Popen(command, env=env.variables(), stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert parent.stdout.readline() == "loaded\n"
    stager = env.start("import alpha; li.install('alpha>=2'); print('staged', flush=True); input()")
    assert stager.stdout.readline() == "staged\n"
    out, err = parent.communicate("\n", timeout=60)
    stager.communicate("\n")
    assert parent.returncode == 0, err
    return json.loads(out)


@pytest.mark.parametrize("method", ["spawn", pytest.param("forkserver", marks=can_fork)])
def test_a_child_runs_the_version_that_its_hold_names(env, method):
    found = child_of_a_user_of_the_old_version(env, method, is_holder=False)
    assert found == ["1.0", "2.0", "2.0", "2.0", ["sees alpha-2.0.part"], True]


@pytest.mark.parametrize("method", ["spawn", pytest.param("forkserver", marks=can_fork)])
def test_a_child_of_a_holder_runs_the_version_of_the_holder(env, method):
    found = child_of_a_user_of_the_old_version(env, method, is_holder=True)
    assert found == ["1.0", "1.0", "1.0", "1.0", [], False]


@can_fork
def test_a_forked_child_runs_the_version_of_its_parent(env):
    found = child_of_a_user_of_the_old_version(env, "fork", is_holder=False)
    assert found[:3] == ["1.0", "1.0", "1.0"] and found[4:] == [[], False]
