"""Many workers of one environment, an upgrade over another that is still pending, and an undo during a restart."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from integration.lib.dask_cluster import DaskProcesses, version_in
from integration.lib.environments import Environment
from integration.lib.wheels import write_wheel

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(os.name == "nt", reason="Dask's processes are started as on POSIX"),
]

_TWICE = """
first = cluster.install("alpha==2.0", **HERE)
tell(first=sorted(version for version, _ in workers(4).values()), restarted=first.restarted)
second = cluster.install("alpha>=3", find_links=[{wheels!r}], no_index=True)
tell(second=sorted(version for version, _ in workers(4).values()), again=second.restarted)
"""
_CHECK = """
import json, liveinstall
liveinstall.install("beta", no_index=True, find_links={wheels!r})
print(json.dumps([[str(change) for change in entry.changes] for entry in liveinstall.history()]))
print(len(liveinstall.pending()), liveinstall.check().ok)
"""


def test_a_second_upgrade_over_a_pending_one_is_one_swap_when_the_workers_have_ended(
    dask_client: Any, dask: DaskProcesses, dask_hosts: dict[str, Environment], wheels: Path, tmp_path: Path
) -> None:
    write_wheel(tmp_path / "newer", "alpha", "3.0")
    facts = dask_client(_TWICE.format(wheels=str(tmp_path / "newer")))
    assert facts["first"] == ["2.0"] * 4 and facts["restarted"] == 4
    assert facts["second"] == ["3.0"] * 4 and facts["again"] == 4
    dask.close()
    for name in ("h1", "h2"):
        assert version_in(dask_hosts[name]) == "3.0"
        done = dask_hosts[name].run("-c", _CHECK.format(wheels=str(wheels)), check=True).stdout
        swaps = next(line for line in done.splitlines() if line.startswith("[["))
        assert swaps.count("alpha") == 1 and "alpha 1.0 -> 3.0" in swaps, done
        assert done.splitlines()[-1] == "0 True", done
        assert not list(dask_hosts[name].site.glob("*.part*"))


_CROWD = """
cluster = liveinstall.cluster.of(client)
outcome = cluster.install("alpha>=2", "beta", **HERE)
tell(phase=outcome.phase, sent=outcome.sent)
found = workers(50)
tell(versions=sorted({version for version, _ in found.values()}), count=len(found))
again = cluster.install("alpha>=2", "beta", **HERE)
tell(again=again.phase, sent_again=again.sent, restarted=again.restarted)
"""


def test_fifty_workers_that_start_at_once_in_one_environment_download_once(
    dask_hosts: dict[str, Environment], wheels: Path, tmp_path: Path
) -> None:
    dask = DaskProcesses(tmp_path, dask_hosts)
    try:
        here = f"HERE = dict(no_index=True, find_links=[{str(wheels)!r}])\n"
        dask.worker("h1", 0, "--nworkers", "25")
        code = here + "client.wait_for_workers(25, timeout=300)\n" + _CROWD.replace("workers(50)", "workers(25)")
        first = dask.run_client(code)
        dask.worker("h1", 1, "--nworkers", "25")
        code = here + "client.wait_for_workers(50, timeout=300)\n" + _CROWD
        facts = dask.run_client(code)
        logs = "".join(dask.log(name).read_text(encoding="utf-8") for name in ("scheduler", "h1-0", "h1-1"))
    finally:
        dask.close()
    sizes = [path.stat().st_size for path in wheels.glob("*.whl") if path.name.startswith(("alpha-2", "beta-1"))]
    assert first["phase"] == "done" and first["versions"] == ["2.0"] and first["sent"] == sum(sizes)
    assert facts["versions"] == ["2.0"] and facts["count"] == 50
    assert facts["sent"] == facts["sent_again"] == facts["restarted"] == 0, "late workers have everything"
    assert "LockTimeoutError" not in logs and "starts with other versions" not in logs
    assert version_in(dask_hosts["h1"]) == "2.0"


_UNDO = """
import threading

def slow(number):
    import time, alpha
    time.sleep(1)
    import alpha.late
    return alpha.VERSION, alpha.late.VERSION

tasks = client.map(slow, range(40), pure=False)
found = []
request = threading.Thread(target=lambda: found.append(cluster.install("alpha>=2", max_unavailable=1, **HERE)))
request.start()
end = time.monotonic() + 120
while time.monotonic() < end and not cluster.status().restarted:
    time.sleep(0.05)
back = cluster.undo()
request.join()
tell(restarted=found[0].restarted, left=list(found[0].left.values()), back=back.phase, kept=back.left)
tell(versions=sorted(version for version, _ in workers(4).values()))
tell(mixed=[pair for pair in client.gather(tasks) if pair[0] != pair[1]], count=len(tasks))
"""


def test_an_undo_in_the_middle_of_a_rolling_restart_brings_all_workers_back(
    dask_client: Any, dask_hosts: dict[str, Environment]
) -> None:
    facts = dask_client(_UNDO)
    assert 0 < facts["restarted"] < 4 and set(facts["left"]) == {"the request is being undone"}
    assert facts["back"] == "done" and not facts["kept"] and facts["versions"] == ["1.0"] * 4
    assert not facts["mixed"] and facts["count"] == 40
    assert {version_in(dask_hosts[name]) for name in ("scheduler", "h1", "h2")} == {"1.0"}


_GUARDED = """
before = workers(4)
cluster = liveinstall.cluster.of(client)
outcome = cluster.install("alpha>=2", **HERE)
tell(restarted=outcome.restarted, left=outcome.left, new=sorted(version for version, _ in workers(4).values()))
back = cluster.undo()
tell(back=sorted(version for version, _ in workers(4).values()), kept=back.left)
"""


def test_guarded_environments_with_several_workers_of_one_nanny_process(
    dask_hosts: dict[str, Environment], wheels: Path, tmp_path: Path
) -> None:
    for name in ("scheduler", "h1", "h2"):
        dask_hosts[name].run("-m", "liveinstall", "guard", "on", check=True)
    dask = DaskProcesses(tmp_path, dask_hosts)
    try:
        dask.worker("h1", 0, "--nworkers", "2")
        dask.worker("h2", 0, "--nworkers", "2")
        facts = dask.run_client(f"HERE = dict(no_index=True, find_links=[{str(wheels)!r}])\n{_GUARDED}")
    finally:
        dask.close()
    assert facts["restarted"] == 4 and not facts["left"] and facts["new"] == ["2.0"] * 4
    assert facts["back"] == ["1.0"] * 4 and not facts["kept"]
