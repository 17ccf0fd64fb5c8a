"""Failures and late hosts on real Dask clusters: whole versions at every instant, and the same ones at the end."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from integration.lib.dask_cluster import DaskProcesses, copies, kill_child_of, version_in
from integration.lib.environments import Environment
from integration.lib.wheels import write_wheel

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(os.name == "nt", reason="Dask's processes are started as on POSIX"),
]


_INTERRUPTED = """
before = workers(4)
cluster = liveinstall.cluster.of(client)
cluster.install("alpha>=2", no_index=True, find_links=[WHEELS], quiet=False)
"""
_AFTERWARDS = """
end = time.monotonic() + 120
cluster = liveinstall.cluster.of(client)
while cluster.status().phase not in ("done", "failed", "idle") and time.monotonic() < end:
    time.sleep(0.2)
tell(phase=cluster.status().phase)
client.wait_for_workers(COUNT, timeout=240)
tell(first=sorted(version for version, _ in client.run(seen).values()))
outcome = cluster.install("alpha>=2", no_index=True, find_links=[WHEELS])
client.wait_for_workers(COUNT, timeout=240)
tell(again=outcome.phase, then=sorted(version for version, _ in client.run(seen).values()))
"""


def _kill(what: str, dask: DaskProcesses, client: Any, dask_hosts: dict[str, Environment]) -> None:
    if what == "client":
        client.kill()
    elif what == "step":
        while not kill_child_of(dask_hosts["h1"].path, "liveinstall._cluster.child"):
            assert client.poll() is None, "the step was not seen"
    elif what == "worker":
        dask.kill_worker("h1-0")
    elif what == "nanny":
        dask.kill_nanny("h1-0")
    else:
        dask.kill(what)


_PHASES = ("Looking at", "Sending", "Preparing", "Arming", "Restarting workers")
# A step is a child process: there is none while wheels are sent and workers restart.
_KILLS = [
    (what, phase)
    for what in ("step", "client", "worker", "nanny", "h1-0", "scheduler")
    for phase in _PHASES
    if what != "step" or phase not in ("Sending", "Restarting workers")
]


def _expected(what: str, phase: str) -> set[str]:
    """The versions that workers may have after a kill; the phase may have ended when the process was killed."""
    if phase == "Restarting workers" or (what == "client" and phase in ("Preparing", "Arming")):
        return {"2.0"}  # the request goes on; a client that has sent nothing yet has not made it
    if what == "step" and phase in ("Looking at", "Preparing"):
        return {"1.0"}
    return {"1.0", "2.0"}


@pytest.mark.parametrize(("what", "phase"), _KILLS)
def test_a_kill_leaves_whole_versions_and_the_same_request_ends_with_the_new_one(
    dask_hosts: dict[str, Environment],
    dask: DaskProcesses,
    wheels: Path,
    tmp_path: Path,
    what: str,
    phase: str,
) -> None:
    code = _INTERRUPTED.replace("WHEELS", repr(str(wheels)))
    client = dask.client(code)
    log = tmp_path / "client.log"
    while phase not in log.read_text(encoding="utf-8"):
        assert client.poll() is None, log.read_text(encoding="utf-8")
        time.sleep(0.02)
    _kill(what, dask, client, dask_hosts)
    if what == "scheduler":  # its workers end without it
        client.kill()
        dask.close()
        dask = DaskProcesses(tmp_path, dask_hosts)
        for name in ("h1-0", "h1-1", "h2-0", "h2-1"):
            dask.worker(*name.split("-"))
    elif what in ("nanny", "h1-0"):
        dask.worker("h1", 8)
    client.wait(300)
    code = _AFTERWARDS.replace("WHEELS", repr(str(wheels))).replace("COUNT", "4")
    try:
        facts = dask.run_client(code)
    finally:
        dask.close()
    assert set(facts["first"]) <= _expected(what, phase)
    assert facts["again"] == "done" and set(facts["then"]) == {"2.0"}
    assert {version_in(dask_hosts[name]) for name in ("scheduler", "h1", "h2")} == {"2.0"}


_DECIDED = """
outcome = cluster.install("alpha>=2", restart="never", **HERE)
tell(left=len(outcome.left))
"""
_SUCCESSOR = """
cluster = liveinstall.cluster.of(client)
end = time.monotonic() + 120
while time.monotonic() < end:
    found = client.run(seen)
    if len(found) == 3 and {version for version, _ in found.values()} == {VERSION} and cluster.status().phase == "done":
        break
    time.sleep(0.5)
tell(phase=cluster.status().phase, error=cluster.status().error, rows=len(cluster.status().rows))
tell(versions=sorted(version for version, _ in client.run(seen).values()))
"""


def test_a_scheduler_on_a_new_host_goes_on_with_what_the_former_one_has_decided(
    dask_client: Any, dask: DaskProcesses, dask_hosts: dict[str, Environment], dask_model: Environment, tmp_path: Path
) -> None:
    facts = dask_client(_DECIDED)
    assert facts["left"] == 4
    dask.close()
    for gone in (dask_hosts["scheduler"].path, tmp_path / "cache-scheduler"):
        shutil.rmtree(gone)
    copies(dask_model, tmp_path, "scheduler")
    successor = DaskProcesses(tmp_path, dask_hosts)
    try:
        for host, number in (("h1", 0), ("h3", 0), ("h3", 1)):
            successor.worker(host, number)
        facts = successor.run_client("before = workers(3)\n" + _SUCCESSOR.replace("VERSION", "'2.0'"))
    finally:
        successor.close()
    assert facts["versions"] == ["2.0"] * 3 and facts["phase"] == "done" and not facts["error"]
    assert {version_in(dask_hosts[name]) for name in ("scheduler", "h1", "h3")} == {"2.0"}


_AWAY = """
outcome = cluster.install("alpha>=2", **HERE)
tell(first=sorted(version for version, _ in workers(4).values()))
open({ready!r}, "x").close()
while len(client.scheduler_info()["workers"]) > 2:
    time.sleep(0.1)
back = cluster.undo()
tell(alone=sorted(version for version, _ in workers(2).values()))
open({gone!r}, "x").close()
tell(back=sorted(version for version, _ in workers(4).values()))
"""


def test_a_host_that_was_away_during_an_undo_returns_with_the_old_version(
    dask_client: Any, dask: DaskProcesses, dask_hosts: dict[str, Environment], tmp_path: Path
) -> None:
    ready, gone = tmp_path / "ready", tmp_path / "gone"

    def leave_and_return() -> None:
        wait_for(ready)
        for number in range(2):
            dask.kill(f"h2-{number}")
        wait_for(gone)
        for number in range(2):
            dask.worker("h2", number)

    Thread(target=leave_and_return, daemon=True).start()
    facts = dask_client(_AWAY.format(ready=str(ready), gone=str(gone)))
    assert facts["first"] == ["2.0"] * 4 and facts["alone"] == ["1.0"] * 2 and facts["back"] == ["1.0"] * 4
    assert version_in(dask_hosts["h2"]) == "1.0"


def wait_for(path: Path) -> None:
    """Wait until a file exists."""
    end = time.monotonic() + 240
    while not path.exists():
        assert time.monotonic() < end, f"{path} does not appear"
        time.sleep(0.05)


_JOINS = """
outcome = cluster.install("alpha>=2", quiet=False, **HERE)
open({done!r}, "x").close()
while not os.path.exists({joined!r}):
    time.sleep(0.1)
end = time.monotonic() + 120
while time.monotonic() < end:
    found = workers(8)
    if {{version for version, _ in found.values()}} == {{"2.0"}} and cluster.status().phase == "done":
        break
    time.sleep(0.5)
tell(phase=outcome.phase, versions=sorted(version for version, _ in found.values()))
back = cluster.undo()
tell(back=sorted(version for version, _ in workers(8).values()), left=back.left)
"""


def test_workers_that_join_in_any_step_end_with_the_versions_of_all(
    dask_client: Any, dask: DaskProcesses, tmp_path: Path
) -> None:
    joined, done, log = tmp_path / "joined", tmp_path / "done", tmp_path / "client.log"

    def join() -> None:
        for host, number, steps in (
            ("h1", 5, "Sending|Preparing"),
            ("h3", 0, "Arming|Restarting"),
            ("h2", 5, "Restarting workers"),
        ):
            while not log.exists() or not re.search(steps, log.read_text(encoding="utf-8")):
                time.sleep(0.02)
            dask.worker(host, number)
        wait_for(done)
        dask.worker("h3", 1)
        joined.touch()

    Thread(target=join, daemon=True).start()
    facts = dask_client(_JOINS.format(joined=str(joined), done=str(done)))
    assert facts["phase"] == "done" and facts["versions"] == ["2.0"] * 8
    assert facts["back"] == ["1.0"] * 8 and not facts["left"]


_BAD = """
from liveinstall.errors import LiveInstallError
from liveinstall._cluster.values import Lock

def refused(name, act):
    try:
        act()
    except LiveInstallError as error:
        tell(**{name: [type(error).__name__, str(error)]})

refused("unknown", lambda: cluster.install("no-such-project-anywhere", **HERE))
refused("malformed", lambda: cluster.install("alpha >>= 2", **HERE))
refused("option", lambda: cluster.install("alpha>=2", restart="sometimes", **HERE))
wheels = liveinstall.cluster.lock("alpha>=2", **HERE).wheels
strange = Lock(wheels, ("alpha>=2",), "cpython 2.7", "linux-x86_64")
cluster._send(strange)
refused("lock", lambda: cluster._watch(cluster._ask("request", lock=strange.text, treatment={})["number"], print))
refused("text", lambda: cluster._ask("request", lock="no lock", treatment={}))
tell(same=client.run(seen) == before)
client.close()
refused("closed", lambda: liveinstall.cluster.of(client))
"""


def test_what_cannot_work_is_refused_with_a_typed_error_and_changes_nothing(
    dask_client: Any, dask: DaskProcesses, dask_hosts: dict[str, Environment]
) -> None:
    facts = dask_client(_BAD)
    names = {"unknown", "malformed", "option", "lock", "text", "closed"}
    assert {name: facts[name][0] for name in names} == {
        "unknown": "ResolutionError",
        "malformed": "RequirementError",
        "option": "RequirementError",
        "lock": "ClusterError",
        "text": "ClusterError",
        "closed": "ClusterError",
    }
    assert "cpython 2.7" in facts["lock"][1] and str(dask_hosts["h1"].site) in facts["lock"][1]
    assert facts["same"]
    assert {version_in(dask_hosts[name]) for name in ("scheduler", "h1", "h2")} == {"1.0"}


_TRIAL = """
from liveinstall.errors import ClusterError
try:
    cluster.install("alpha==3", verify=True, no_index=True, find_links=[WHEELS])
except ClusterError as error:
    tell(error=str(error), same=client.run(seen) == before)
"""


def test_a_version_that_cannot_be_imported_on_the_hosts_is_refused_by_the_trial(
    dask_client: Any, dask_hosts: dict[str, Environment], tmp_path: Path
) -> None:
    files = {"alpha/__init__.py": "raise ImportError('needs a newer libalpha')\n"}
    wheel = write_wheel(tmp_path, "alpha", "3.0", files=files)
    facts = dask_client(_TRIAL.replace("WHEELS", repr(str(wheel.parent))))
    assert "needs a newer libalpha" in facts["error"] and "Every environment is as before." in facts["error"]
    assert facts["same"]
    parts = [path for name in ("scheduler", "h1", "h2") for path in dask_hosts[name].site.glob("*.part*")]
    assert not parts and {version_in(dask_hosts[name]) for name in ("scheduler", "h1", "h2")} == {"1.0"}


_OTHER = """
from liveinstall.errors import ClusterError
cluster = liveinstall.cluster.of(client)
try:
    cluster.install("alpha>=2", no_index=True)
except ClusterError as error:
    tell(error=str(error))
"""
_GONE = """
from liveinstall.errors import ClusterError
try:
    cluster.install("alpha>=2", **HERE) if os.kill(client.run_on_scheduler(os.getpid), 9) is None else None
except ClusterError as error:
    tell(error=str(error))
"""


def test_a_host_or_a_client_with_another_liveinstall_is_named(
    dask_hosts: dict[str, Environment], tmp_path: Path
) -> None:
    package = dask_hosts["h1"].site / "liveinstall" / "_system" / "package.py"
    package.write_text(package.read_text(encoding="utf-8") + '\n__version__ = "0.0.1"\n', encoding="utf-8")
    shutil.copyfile(package, dask_hosts["client"].site / "liveinstall" / "_system" / "package.py")
    dask = DaskProcesses(tmp_path, dask_hosts)
    try:
        dask.worker("h1", 0)
        with pytest.raises(AssertionError, match=r"and this process 0\.0\.1"):
            dask.run_client(_OTHER)
        shutil.rmtree(dask_hosts["client"].path)
        shutil.copytree(dask_hosts["scheduler"].path, dask_hosts["client"].path, symlinks=True)
        facts = dask.run_client("before = workers(1)\n" + _OTHER)
    finally:
        dask.close()
    assert f"{dask_hosts['h1'].site}" in facts["error"] and "has liveinstall 0.0.1" in facts["error"]


def test_a_scheduler_that_is_gone_is_a_typed_error(dask_client: Any, dask: DaskProcesses) -> None:
    facts = dask_client("dask_timeout = client.run_on_scheduler(lambda: 1)\n" + _GONE)
    assert "the scheduler cannot be reached" in facts["error"]


_TWO_OF_FOUR = """
client.wait_for_workers(4, timeout=120)
pids = client.run(os.getpid)
users = sorted(pids)[::2]
client.run(seen, workers=users)
cluster = liveinstall.cluster.of(client)
outcome = cluster.install("alpha>=2", no_index=True, find_links=[WHEELS])
client.wait_for_workers(4, timeout=120)
now = set(client.run(os.getpid).values())
tell(restarted=outcome.restarted, left=outcome.left, gone=sorted(set(pids.values()) - now),
     users=sorted(pids[each] for each in users), versions=sorted(version for version, _ in client.run(seen).values()))
"""


def test_only_workers_that_have_loaded_what_changes_are_restarted(dask: DaskProcesses, wheels: Path) -> None:
    facts = dask.run_client(_TWO_OF_FOUR.replace("WHEELS", repr(str(wheels))))
    assert facts["gone"] == facts["users"] and facts["restarted"] == 2 and not facts["left"]
    assert facts["versions"] == ["2.0"] * 4


@pytest.mark.parametrize("version", ["2026.3.0", "2025.1.0"])
def test_a_client_with_another_version_of_dask(
    dask_client: Any, dask_hosts: dict[str, Environment], version: str
) -> None:
    dask_hosts["client"].add(f"distributed=={version}", deps=True)
    facts = dask_client(_UPGRADED)
    assert facts["version"] == version and facts["phase"] == "done" and facts["versions"] == ["2.0"] * 4


_UPGRADED = """
import distributed
outcome = cluster.install("alpha>=2", **HERE)
tell(version=distributed.__version__, phase=outcome.phase, versions=sorted(v for v, _ in workers(4).values()))
"""
