"""`liveinstall.cluster` on Dask with hosts that have networks, process ids and mounts of their own, and no way out."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.lib.dask_cluster import DaskProcesses, copies
from integration.lib.environments import Environment
from integration.lib.network_hosts import NetworkHosts, why_not
from integration.lib.wheels import write_wheel

pytestmark = pytest.mark.full


@pytest.fixture
def network() -> Iterator[NetworkHosts]:
    """A network of two hosts and the scheduler's."""
    if why_not():
        pytest.skip(f"SKIPPED: Dask on several hosts: {why_not()}")
    with NetworkHosts(["h1", "h2"]) as made:
        yield made


@pytest.fixture
def hosts(dask_model: Environment, tmp_path: Path) -> dict[str, Environment]:
    """Environments of the scheduler, of the two hosts, and of the client."""
    return copies(dask_model, tmp_path, "scheduler", "h1", "h2", "client")


@pytest.fixture
def start(hosts: dict[str, Environment], network: NetworkHosts, tmp_path: Path) -> Iterator[Any]:
    """Starts a cluster with so many workers on each host."""
    made: list[DaskProcesses] = []

    def begin(**workers: int) -> DaskProcesses:
        made.append(DaskProcesses(tmp_path, hosts, network))
        for host, count in workers.items():
            for number in range(count):
                made[0].worker(host, number)
        return made[0]

    yield begin
    for each in made:
        each.close()


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A directory with alpha 2.0 as a wheel of 8 MB."""
    data = base64.b85encode(os.urandom(8_000_000)).decode()
    return write_wheel(tmp_path / "big", "alpha", "2.0", files={"alpha/data.txt": data}).parent


def client_of(dask: DaskProcesses, workers: int, wheels: Path) -> Callable[[str], dict[str, Any]]:
    """Runs code in the client's process; what it has told."""

    def run(code: str) -> dict[str, Any]:
        here = f"HERE = dict(no_index=True, find_links=[{str(wheels)!r}])\n"
        return dask.run_client(f"{here}before = workers({workers})\ncluster = liveinstall.cluster.of(client)\n{code}")

    return run


_BYTES = """
def received():
    import socket
    for line in open("/proc/net/dev"):
        device, _, counters = line.strip().partition(":")
        if device == "eth0":
            return int(counters.split()[0])

def by_host():
    return {address.split("/")[-1].split(":")[0]: count for address, count in client.run(received).items()}

first = by_host()
outcome = cluster.install("alpha>=2", restart="never", **HERE)
last = by_host()
tell(bytes={host: last[host] - first[host] for host in first}, sent=outcome.sent)
tell(states=[row.state for row in outcome.rows])
"""


def test_the_wheels_cross_to_each_host_once_however_many_workers_it_has(
    start: Any, network: NetworkHosts, big: Path
) -> None:
    size = next(big.glob("*.whl")).stat().st_size
    assert size > 7_000_000 and not network.has_way_out("h1") and not network.has_way_out("h2")
    facts = client_of(start(h1=1, h2=4), 5, big)(_BYTES)
    assert len(facts["states"]) == 3 and "pending" in facts["states"]
    assert facts["sent"] == 2 * size, "the scheduler had them already"
    for host in ("h1", "h2"):
        assert size <= facts["bytes"][network.address(host)] <= 1.1 * size


_FULL = """
from liveinstall.errors import ClusterError
try:
    cluster.install("alpha>=2", **HERE)
except ClusterError as error:
    tell(error=str(error), states={row.site: row.state for row in error.outcome.rows})
tell(same=client.run(seen) == before)
"""


def test_a_host_with_a_full_disk_leaves_all_as_they_were_and_is_named(
    start: Any, network: NetworkHosts, hosts: dict[str, Environment], dask_model: Environment, big: Path
) -> None:
    place = hosts["h2"].path
    network.mount("h2", "-t", "tmpfs", "tmpfs", place)
    network.run("h2", "cp", "-a", f"{dask_model.path}/.", place)
    network.run("h2", hosts["h2"].python, "-m", "compileall", "-q", hosts["h2"].site)
    used = int(network.run("h2", "du", "-sk", place).split()[0])
    network.mount("h2", "-o", f"remount,size={used + 3000}k", place)
    facts = client_of(start(h1=2, h2=2), 4, big)(_FULL)
    assert str(hosts["h2"].site) in facts["error"] and network.address("h2") in facts["error"]
    assert "No space left" in facts["error"] and "Every environment is as before." in facts["error"]
    assert facts["same"], "the versions and the processes are the same"
    parts = network.run("h2", "find", place, "-name", "*.part*").split()
    assert not parts and not [path for name in ("scheduler", "h1") for path in hosts[name].site.glob("*.part*")]
    for name in ("scheduler", "h1", "h2"):
        code = "import alpha, alpha.late; print(alpha.VERSION, alpha.late.VERSION)"
        assert network.run(name, hosts[name].python, "-c", code).split() == ["1.0", "1.0"]


_SHARED = """
outcome = cluster.install("alpha>=2", restart="never", **HERE)
tell(rows=[len(row.members) for row in outcome.rows], left=len(outcome.left), same=client.run(seen) == before)
"""
_ROLLED = """
outcome = cluster.install("alpha>=2", **HERE)
tell(restarted=outcome.restarted, versions=sorted(version for version, _ in workers(4).values()))
"""


def test_two_hosts_that_share_an_environment_prepare_it_once_and_move_no_file_that_either_uses(
    start: Any, network: NetworkHosts, hosts: dict[str, Environment], wheels: Path
) -> None:
    network.mount("h2", "--bind", hosts["h1"].path, hosts["h2"].path)
    dask = start(h1=2, h2=2)
    facts = client_of(dask, 4, wheels)(_SHARED)
    assert sorted(facts["rows"]) == [1, 4] and facts["left"] == 4 and facts["same"]
    file = hosts["h1"].site / "alpha" / "__init__.py"
    for number in range(2):
        dask.kill(f"h1-{number}")
    code = "import alpha, alpha.late, liveinstall; print(alpha.VERSION, alpha.late.VERSION)"
    assert network.run("h1", hosts["h1"].python, "-c", code).split() == ["2.0", "2.0"]
    assert "1.0" in file.read_text(encoding="utf-8"), "the other host's workers use these files"
    for number in range(2):
        dask.worker("h1", number)
    facts = client_of(dask, 4, wheels)(_ROLLED)
    assert facts["restarted"] == 2 and facts["versions"] == ["2.0"] * 4
    dask.close()
    assert network.run("h2", hosts["h2"].python, "-c", code).split() == ["2.0", "2.0"]
    assert "2.0" in file.read_text(encoding="utf-8"), "no process uses the old files"
    assert not list(hosts["h1"].site.glob("*.part*"))
