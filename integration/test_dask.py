"""`liveinstall.cluster` on real Dask clusters: hosts are environments of their own, and no worker has an index."""

from __future__ import annotations

import os
import time
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from integration.lib.dask_cluster import DaskProcesses, copies, version_in
from integration.lib.environments import Environment, user_variables
from integration.lib.kernels import Kernel, kernel

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Dask's processes are started as on POSIX")


_UPGRADE = """
def task(number, seconds=0.3):
    import time, alpha
    with open(BEGAN, "a") as began:
        began.write(f"{number}\\n")
    time.sleep(seconds)
    import alpha.late
    return number, alpha.VERSION, alpha.late.VERSION

kept = client.submit(lambda: (os.urandom(8), b"x" * 10**6), pure=False)
only = kept.result()
new = cluster.install("beta", **HERE)
tell(new=new.restarted, beta=sorted(client.run(lambda: __import__("beta").VERSION).values()),
     scheduler=client.run_on_scheduler(lambda: __import__("beta").VERSION), same=client.run(seen) == before)
tasks = client.map(task, range(40), pure=False)
outcome = cluster.install("alpha>=2", **HERE)
done = client.gather(tasks)
after = workers(4)
tell(phase=outcome.phase, restarted=outcome.restarted, left=outcome.left, rows=len(outcome.rows), sent=outcome.sent,
     numbers=sorted(number for number, *_ in done), mixed=[row for row in done if row[1] != row[2]],
     versions=sorted(version for version, _ in after.values()), kept=kept.result() == only,
     pids=len({pid for _, pid in before.values()} & {pid for _, pid in after.values()}))
back = cluster.undo()
tell(back=sorted(version for version, _ in workers(4).values()), undone=back.restarted)
print(outcome)
"""


@pytest.mark.full
def test_a_cluster_is_upgraded_under_load_and_taken_back(
    dask_client: Any, dask_hosts: dict[str, Environment], tmp_path: Path
) -> None:
    facts = dask_client(_UPGRADE.replace("BEGAN", repr(str(tmp_path / "began"))))
    assert sorted(map(int, (tmp_path / "began").read_text().split())) == list(range(40)), "each task began once"
    assert facts["new"] == 0 and facts["same"], "a new package restarts no worker"
    assert facts["beta"] == ["1.0"] * 4 and facts["scheduler"] == "1.0"
    assert facts["phase"] == "done" and facts["rows"] == 3 and not facts["left"]
    assert facts["restarted"] == 4 and facts["pids"] == 0 and facts["versions"] == ["2.0"] * 4
    assert facts["numbers"] == list(range(40)) and not facts["mixed"], "each task saw one version"
    assert facts["kept"], "the only copy of a result was moved, not computed again"
    assert facts["back"] == ["1.0"] * 4 and facts["undone"] == 4
    assert {version_in(dask_hosts[name]) for name in ("scheduler", "h1", "h2")} == {"1.0"}


_FAILURE = """
from liveinstall.errors import ClusterError
try:
    cluster.install("alpha>=2", "beta", **HERE)
except ClusterError as error:
    tell(error=str(error), states=[row.state for row in error.outcome.rows])
tell(same=client.run(seen) == before)
try:
    cluster.undo()
except ClusterError as error:
    tell(undo=str(error))
"""


@pytest.mark.full
def test_one_host_that_cannot_prepare_leaves_all_as_they_were(
    dask_client: Any, dask_hosts: dict[str, Environment]
) -> None:
    state = dask_hosts["h2"].site / ".liveinstall"
    state.mkdir(exist_ok=True)
    (state / "transactions").write_text("not a directory")
    facts = dask_client(_FAILURE)
    assert str(dask_hosts["h2"].site) in facts["error"] and "Every environment is as before." in facts["error"]
    assert facts["same"] and "nothing to undo" in facts["undo"]
    assert {version_in(dask_hosts[name]) for name in ("scheduler", "h1")} == {"1.0"}
    parts = [path for name in ("scheduler", "h1", "h2") for path in dask_hosts[name].site.glob("*.part*")]
    assert not parts


_LATE = """
outcome = cluster.install("alpha>=2", "beta", **HERE)
tell(phase=outcome.phase)
open({ready!r}, "x").close()
while not os.path.exists({go!r}):
    time.sleep(0.1)
found = workers(6)
tell(versions=sorted(version for version, _ in found.values()))
back = cluster.undo()
tell(back=sorted(version for version, _ in workers(6).values()), left=back.left)
"""


@pytest.mark.full
def test_workers_that_join_late_have_the_change_before_their_first_task_and_lose_it_by_undo(
    dask_client: Any, dask: DaskProcesses, tmp_path: Path
) -> None:
    go = tmp_path / "go"

    def join() -> None:
        while not (tmp_path / "ready").exists():
            time.sleep(0.1)
        dask.worker("h1", 7)
        dask.worker("h3", 0)
        go.touch()

    Thread(target=join, daemon=True).start()
    facts = dask_client(_LATE.format(go=str(go), ready=str(tmp_path / "ready")))
    assert facts["versions"] == ["2.0"] * 6
    assert facts["back"] == ["1.0"] * 6 and not facts["left"]


_PATIENCE = """
def long():
    import time, alpha
    time.sleep(15)
    return alpha.VERSION

address = sorted(before)[0]
task = client.submit(long, workers=[address], pure=False)
time.sleep(1)
outcome = cluster.install("alpha>=2", patience=1, max_unavailable=4, **HERE)
after = client.run(seen)
tell(left=outcome.left, address=address, same=after.get(address) == before[address],
     versions=sorted(version for version, _ in after.values()), result=task.result())
"""


@pytest.mark.full
def test_a_worker_under_a_long_task_is_left_when_the_patience_ends_and_named(dask_client: Any) -> None:
    facts = dask_client(_PATIENCE)
    assert (
        list(facts["left"]) == [facts["address"]]
        and "1 task when the patience ran out" in facts["left"][facts["address"]]
    )
    assert facts["same"] and facts["versions"] == ["1.0", "2.0", "2.0", "2.0"] and facts["result"] == "1.0"


_WAYS = """
never = cluster.install("alpha>=2", restart="never", **HERE)
tell(never=len(never.left), same=client.run(seen) == before)
cluster.undo()
together = cluster.install("alpha>=2", restart="together", **HERE)
tell(together=together.restarted, mixed=together.mixed, versions=sorted(version for version, _ in workers(4).values()))
"""


@pytest.mark.full
def test_never_changes_no_process_and_together_changes_all_at_once(dask_client: Any) -> None:
    facts = dask_client(_WAYS)
    assert facts["never"] == 4 and facts["same"]
    assert facts["together"] == 4 and facts["mixed"] == 0 and facts["versions"] == ["2.0"] * 4


_PLUGIN = """
from liveinstall.cluster.dask import LiveInstall
client.register_plugin(LiveInstall("alpha>=2", **HERE))
end = time.monotonic() + 120
while cluster.status().phase not in ("done", "failed") and time.monotonic() < end:
    time.sleep(0.2)
tell(phase=cluster.status().phase, versions=sorted(version for version, _ in workers(4).values()))
"""


@pytest.mark.full
def test_the_plugin_installs_without_a_client_that_waits(dask_client: Any) -> None:
    facts = dask_client(_PLUGIN)
    assert facts["phase"] == "done" and facts["versions"] == ["2.0"] * 4


_MATCH = """
outcome = cluster.match(driver=True, **HERE)
tell(phase=outcome.phase, versions=sorted(version for version, _ in workers(4).values()))
"""


@pytest.mark.full
def test_the_cluster_gets_the_versions_of_the_client(
    dask_client: Any, dask_hosts: dict[str, Environment], wheels: Path
) -> None:
    dask_hosts["client"].add(wheels / "alpha-2.0-py3-none-any.whl")
    facts = dask_client(_MATCH)
    assert facts["phase"] == "done" and facts["versions"] == ["2.0"] * 4


_IN_A_CELL = "outcome = liveinstall.cluster.of(client).install('alpha>=2', no_index=True, find_links=[WHEELS]); outcome"


@pytest.mark.full
def test_a_notebook_shows_each_environment_while_it_runs_and_then_a_card(
    dask: DaskProcesses, dask_hosts: dict[str, Environment], wheels: Path, tmp_path: Path
) -> None:
    dask_hosts["client"].add("ipykernel", deps=True)
    with kernel(dask_hosts["client"], tmp_path / "kernel") as manager:
        cells = Kernel(manager.blocking_client())
        cells.run(f"import liveinstall; from distributed import Client; client = Client({dask.address!r}, timeout=120)")
        cells.run("client.wait_for_workers(4, timeout=120); client.run(lambda: __import__('alpha').VERSION)")
        told = cells.cell(_IN_A_CELL.replace("WHEELS", repr(str(wheels))))
    shown = [each["content"]["data"].get("text/html", "") for each in told if "data" in each["content"]]
    assert any(f"{dask_hosts['h1'].site}: 2 processes" in each for each in shown), told
    card = shown[-1]
    assert f"{dask_hosts['h2'].site}</b> (2 processes): pending; alpha 1.0 -&gt; 2.0; 2 restarted" in card, card
    assert "used by" not in card, card
    assert not [each for each in told if each["msg_type"] in ("stream", "error")], told


# `LocalCluster` gives up a worker that does not come back in time: 15 seconds may be too few on a busy machine.
_PATIENT = {"DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "300s"}
_LOCAL = """
import time

from distributed import Client, LocalCluster

import liveinstall

def seen():
    import alpha
    return alpha.VERSION

def task(number):
    import alpha
    with open(BEGAN, "a") as began:
        began.write(f"{number}\\n")
    time.sleep(0.2)
    import alpha.late
    return number, alpha.VERSION, alpha.late.VERSION

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as local:
        with Client(local) as client:
            assert set(client.run(seen).values()) == {"1.0"}
            cluster = liveinstall.cluster.of(client)
            tasks = client.map(task, range(30), pure=False)
            outcome = cluster.install("alpha>=2", no_index=True, find_links=[WHEELS])
            done = client.gather(tasks)
            client.wait_for_workers(2, timeout=120)
            print(outcome)
            assert sorted(number for number, *_ in done) == list(range(30))
            assert all(version == late for _, version, late in done), done
            assert set(client.run(seen).values()) == {"2.0"} and outcome.restarted == 2, outcome
            cluster.undo()
            client.wait_for_workers(2, timeout=120)
            assert set(client.run(seen).values()) == {"1.0"}
            print("BACK")
"""


def test_a_local_cluster_whose_nannies_are_in_the_client(dask_model: Environment, wheels: Path, tmp_path: Path) -> None:
    local = copies(dask_model, tmp_path, "local")["local"]
    program = tmp_path / "local.py"
    began = tmp_path / "began"
    program.write_text(_LOCAL.replace("WHEELS", repr(str(wheels))).replace("BEGAN", repr(str(began))))
    done = local.run(program, env=user_variables(XDG_CACHE_HOME=str(tmp_path / "cache"), **_PATIENT))
    assert done.returncode == 0 and "BACK" in done.stdout, done.stdout + done.stderr
    assert sorted(map(int, began.read_text().split())) == list(range(30)), "each task began once"
