"""Draining and restarting workers of Dask, so that no running task is killed and no result is lost."""

from __future__ import annotations

import asyncio
import time

from distributed.core import Status

from liveinstall._cluster.dask.members import WAITING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from distributed import Scheduler

_POLL = 0.05
_START = 120.0  # seconds for a worker to return


async def restart(
    scheduler: Scheduler, addresses: Sequence[str], *, patience: float | None, force: bool
) -> Mapping[str, str]:
    """Drain workers, and restart those that have become free; the others keep running.

    Args:
        scheduler: The scheduler.
        addresses: The workers' addresses.
        patience: Seconds to wait for a worker to finish its tasks; None: as long as they take.
        force: Restart a worker after that anyway.

    Returns:
        The reason for each that was not restarted, by address.
    """
    end = None if patience is None else time.monotonic() + patience
    reasons = dict(
        zip(addresses, await asyncio.gather(*(_drain(scheduler, each, end) for each in addresses)), strict=True)
    )
    for address in reasons:
        if address not in scheduler.workers:
            reasons[address] = "it has left the cluster"
        elif force:
            reasons[address] = ""
    nannies = {address: scheduler.workers[address].nanny for address, reason in reasons.items() if not reason}
    if nannies:
        stimulus = f"liveinstall-restart-{time.time()}"
        await scheduler.restart_workers(
            list(nannies), timeout=_START, wait_for_workers=False, on_error="return", stimulus_id=stimulus
        )
        back = await asyncio.gather(*(_wait_for(scheduler, nanny, address) for address, nanny in nannies.items()))
        for address, is_back in zip(nannies, back, strict=True):
            if not is_back:
                reasons[address] = "its nanny could not restart it in time"
    return {address: reason for address, reason in reasons.items() if reason}


async def _wait_for(scheduler: Scheduler, nanny: str | None, old: str) -> bool:
    """Wait until the successor of a worker takes tasks and results: Dask waits only for the number of workers.

    Returns:
        Whether it does; False after two minutes.
    """
    end = time.monotonic() + _START
    while time.monotonic() < end:
        if any(each.nanny == nanny and each.address != old for each in scheduler.running):
            return True
        await asyncio.sleep(_POLL)
    return False


async def _drain(scheduler: Scheduler, address: str, end: float | None) -> str:
    """Let a worker finish its tasks, give those that it has not started to others, and move its results.

    Returns:
        Why it is not free; empty if it is. A worker that is not free takes tasks again.
    """
    worker = scheduler.workers.get(address)
    if worker is None:
        return "it has left the cluster"
    alone = len(scheduler.running) == 1  # then its tasks wait for its return
    if not await _move_results(scheduler, address) and not alone:
        return "its results cannot be moved to another worker"
    _stop_tasks(scheduler, address)
    while worker.processing:
        await _hand_back(scheduler, address)
        if address not in scheduler.workers:
            return "it has left the cluster"
        if end is not None and time.monotonic() > end:
            _resume(scheduler, address)
            count = len(worker.processing)
            return f"it was still running {count} task{'s' if count > 1 else ''} when the patience ran out"
        await asyncio.sleep(_POLL)
    if not worker.has_what or await _move_results(scheduler, address):
        return ""
    _resume(scheduler, address)
    return "its results cannot be moved to another worker"


async def _move_results(scheduler: Scheduler, address: str) -> bool:
    """Give the worker no more tasks, and copy results that only it has to others. False if that is not possible."""
    return address in await scheduler.retire_workers(workers=[address], close_workers=False, remove=False)


def _stop_tasks(scheduler: Scheduler, address: str) -> None:
    _set_status(scheduler, address, Status.closing_gracefully)


def _resume(scheduler: Scheduler, address: str) -> None:
    _set_status(scheduler, address, Status.running)


def _set_status(scheduler: Scheduler, address: str, status: Status) -> None:
    """Like `retire_workers()` of the scheduler: here and in the worker."""
    worker = scheduler.workers.get(address)
    if worker is not None and worker.status != status:
        stimulus = f"liveinstall-{status.name}-{time.time()}"
        scheduler.handle_worker_status_change(status, worker, stimulus)
        message = {"op": "worker-status-change", "status": status.name, "stimulus_id": stimulus}
        scheduler.worker_send(address, message)


async def _hand_back(scheduler: Scheduler, address: str) -> None:
    """Withdraw the tasks that the worker has not started; while it accepts no tasks, it starts none of them."""
    answer = await scheduler.broadcast(msg={"op": WAITING}, workers=[address], on_error="ignore")
    worker = scheduler.workers.get(address)
    waiting = set(answer.get(address) or ())
    if worker is not None:
        keys: Any = {task.key: "released" for task in worker.processing if task.key in waiting}
        if keys:
            scheduler.transitions(keys, f"liveinstall-hand-back-{time.time()}")
