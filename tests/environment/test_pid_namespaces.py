"""Processes of two containers or machines that share an environment: they may have equal process ids."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache

import pytest

from _liveinstall_boot import holds as boot_holds
from _liveinstall_boot import process
from liveinstall._environment import holders
from liveinstall.results import Holder

NAMESPACE = ["unshare", "-Ur", "--pid", "--fork", "--kill-child"]


@cache
def has_namespaces():
    """User namespaces are disabled on some systems."""
    return bool(shutil.which("unshare")) and subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0


in_namespaces = pytest.mark.skipif(not has_namespaces(), reason="needs user and pid namespaces (unshare -Ur --pid)")


def start_in_namespace(env, code, *, processes_before=0):
    """Start Python as pid 1 of a new pid namespace, or as a later one."""
    script = env.root / f"script-{os.urandom(4).hex()}.py"
    script.write_text(code)
    shell = "true & wait; " * processes_before + f'"$0" "{script}"; exit $?'
    program = ["sh", "-c", shell] if processes_before else []
    pipe = subprocess.PIPE
    command = [*NAMESPACE, *program, str(env.python)] + ([] if processes_before else [str(script)])
    return subprocess.Popen(command, env=env.variables(), stdin=pipe, stdout=pipe, stderr=pipe, text=True)


USER = """
import os, sys
import liveinstall
liveinstall.hold()
import alpha
print(os.getpid(), flush=True)
sys.stdin.readline()
import alpha.late
print(alpha.__version__, alpha.late.V)
"""
CHANGER = """
import os, fake_engine, liveinstall as li
result = li.install("alpha>=2")
print(os.getpid(), [str(change) for change in result.staged], result.staged and result.staged[0].reason)
print(li.status())
"""


@in_namespaces
@pytest.mark.parametrize("processes_before", [0, 3])
def test_an_upgrade_is_staged_while_a_process_of_another_container_uses_the_old_version(env, processes_before):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    user = start_in_namespace(env, USER)
    assert user.stdout.readline() == "1\n"
    changer = start_in_namespace(env, CHANGER, processes_before=processes_before)
    out, err = changer.communicate(timeout=60)
    assert changer.returncode == 0, err
    first, shown = out.split("\n", 1)
    assert "['alpha 1.0 -> 2.0']" in first and "in another container" in first
    assert int(first.split()[0]) == 1 if processes_before == 0 else int(first.split()[0]) > 1
    assert re.search(r"pid 1 in another container", shown)
    assert env.versions() == {"alpha": "1.0"}
    assert user.communicate("\n", timeout=60)[0] == "1.0 1.0\n"
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"


def hold_of(tmp_path, name, *lines):
    return boot_holds.Hold(str(tmp_path / name), "\n".join([boot_holds.MAGIC, *lines]) + "\n")


def test_a_hold_is_mine_by_process_id_and_host(tmp_path):
    pid, (boot, namespace, name) = os.getpid(), process.host().split(" ")
    mine = hold_of(tmp_path, f"{pid}-0a", f"host {boot} {namespace} {name}")
    renamed = hold_of(tmp_path, f"{pid}-0a", f"host {boot} {namespace} another-name")
    elsewhere = hold_of(tmp_path, f"{pid}-0a", f"host {boot} {namespace}0 {name}")
    another = hold_of(tmp_path, f"{pid + 1}-0a", f"host {boot} {namespace} {name}")
    assert [hold.is_mine() for hold in (mine, renamed, elsewhere, another)] == [True, True, False, False]
    assert [hold.is_elsewhere() for hold in (mine, renamed, elsewhere, another)] == [False, False, True, False]


def test_a_hold_without_a_host_is_mine_if_this_process_has_named_it(tmp_path, monkeypatch):
    """A hold of an earlier version, or one that was emptied because the disk is full."""
    hold = hold_of(tmp_path, f"{os.getpid()}-0a")
    monkeypatch.delenv(boot_holds.VARIABLE, raising=False)
    assert not hold.is_mine()
    monkeypatch.setenv(boot_holds.VARIABLE, hold.path)
    assert hold.is_mine()


def test_a_subinterpreter_or_a_view_never_takes_up_the_hold_of_another_container(tmp_path, monkeypatch):
    site = str(tmp_path)
    path = boot_holds.take_hold(site, "test", sees=["alpha-2.0.part"])
    try:
        monkeypatch.setattr(process, "host", lambda: "another 1 container")
        assert boot_holds.own_holds(site) == [] and len(boot_holds.live_holds(site, others=True)) == 1
        with holders.variables_for_exec():
            assert os.path.exists(path)  # it still has the id in its name
    finally:
        boot_holds.release(site)


@pytest.mark.parametrize(
    ("host", "shown"), [("node-3", "another Python (pid 7 on node-3)"), ("", "another Python (pid 7)")]
)
def test_a_holder_is_described_with_its_host(host, shown):
    assert holders.describe(Holder(7, "unknown", 0.0, host=host)) == shown
    server = holders.describe(Holder(7, "jupyter-lab", 0.0, host=host))
    assert server.endswith("; restart JupyterLab itself)") and (f"on {host};" in server) == bool(host)
