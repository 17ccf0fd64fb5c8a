"""A restart of Dask's workers ends when their successors take tasks, not when the number of workers is right."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

pytest.importorskip("distributed", reason="Dask is not installed here; integration/test_dask.py runs the same for real")

from liveinstall._cluster.dask import workers


class FakeWorker(SimpleNamespace):
    """A worker without tasks and results."""

    __hash__ = object.__hash__

    def __init__(self, address, nanny):
        super().__init__(address=address, nanny=nanny, processing={}, has_what={}, status=workers.Status.running)


class FakeScheduler:
    """Two workers without tasks; the successor of one that is restarted registers before it takes tasks."""

    def __init__(self, *, returns=True):
        self.workers = {name: FakeWorker(name, f"nanny-{name}") for name in ("one", "two")}
        self.running = set(self.workers.values())
        self.returns = returns

    async def retire_workers(self, workers, **_):
        return dict.fromkeys(workers)

    def handle_worker_status_change(self, status, worker, _stimulus):
        worker.status = status

    def worker_send(self, _address, _message):
        pass

    async def restart_workers(self, addresses, **_):
        self.tasks = [asyncio.create_task(self.come_back(address)) for address in addresses]

    async def come_back(self, address):
        old = self.workers[address]
        await asyncio.sleep(0.05)
        self.running.remove(old)
        del self.workers[address]
        new = self.workers[f"{address}-again"] = FakeWorker(f"{address}-again", old.nanny)
        await asyncio.sleep(0.1)
        if self.returns:
            self.running.add(new)


def restart(scheduler):
    return asyncio.run(workers.restart(scheduler, ["one"], patience=None, force=False))


def test_a_restart_waits_until_the_successor_takes_tasks():
    scheduler = FakeScheduler()
    assert restart(scheduler) == {}
    assert {each.address for each in scheduler.running} == {"one-again", "two"}


def test_a_successor_that_never_takes_tasks_is_named(monkeypatch):
    monkeypatch.setattr(workers, "_START", 0.3)
    assert restart(FakeScheduler(returns=False)) == {"one": "its nanny could not restart it in time"}
