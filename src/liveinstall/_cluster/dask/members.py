"""The code in the workers and nannies of Dask."""

from __future__ import annotations

import asyncio
import logging
from functools import wraps
from multiprocessing import spawn
from weakref import WeakKeyDictionary

from distributed import NannyPlugin, WorkerPlugin
from distributed.core import Status

from _liveinstall_boot.holds import VARIABLE
from _liveinstall_boot.layout import PART
from liveinstall._cluster.convergence import converge
from liveinstall._cluster.decisions import Decisions
from liveinstall._cluster.member import identify, perform, stale
from liveinstall._cluster.participants import failure_of
from liveinstall._cluster.transfer import fetch, read_piece
from liveinstall._cluster.values import Lock
from liveinstall.errors import LiveInstallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from distributed import Nanny, Worker
    from distributed.core import Server

OP = "liveinstall"  # the name of the handler in every process
PIECE = "liveinstall_piece"  # of the handler that serves wheels
WAITING = "liveinstall_waiting"  # of the handler that lists the tasks that a worker has not started
SCHEDULER = "scheduler"  # in place of an address
_NOT_BEGUN = frozenset({"ready", "constrained", "waiting"})
_WORKER_PROCESS = "Dask Worker process"  # the name that distributed's nannies give to theirs
_log = logging.getLogger(__name__)
# For each event loop: one of its nannies converges at a time, and the next ones find everything done.
_converging: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def serve_piece(sha256: str, file: str, offset: int) -> dict[str, Any]:
    """Answer another process that fetches a wheel."""
    try:
        return {"piece": read_piece(sha256, file, offset)}
    except LiveInstallError as error:
        return {"piece": b"", "error": error.what}


async def take_step(server: Server, scheduler: str, step: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Execute a step in a Dask process.

    Args:
        server: The process: a worker, a nanny or the scheduler.
        scheduler: The scheduler's address.
        step: `fetch`, or one of `perform()`.
        arguments: Its arguments.

    Returns:
        The answer; one with `error` if the step failed.
    """
    if step != "fetch":
        return await perform(step, **arguments)
    source = scheduler if arguments["source"] == SCHEDULER else arguments["source"]

    async def ask(sha256: str, file: str, offset: int) -> bytes:
        answer = await server.rpc(source).liveinstall_piece(sha256=sha256, file=file, offset=offset)
        if answer.get("error"):
            raise OSError(answer["error"])
        piece: bytes = answer["piece"]
        return piece

    try:
        return {"bytes": await fetch(Lock.parse(arguments["lock"]), ask)}
    except (LiveInstallError, OSError) as error:
        return failure_of(error)


class WorkerSide(WorkerPlugin):
    """Answers the coordinator in a worker, and holds the environment as long as the worker runs."""

    name = "liveinstall-worker"

    async def setup(self, worker: Worker) -> None:
        """Add the handlers, and report to the scheduler. Dask calls this, also in workers that start later."""

        async def answer(step: str, arguments: dict[str, Any]) -> dict[str, Any]:
            return await take_step(worker, worker.scheduler.address, step, arguments)

        worker.handlers[OP] = answer

        def waiting() -> list[Any]:
            if worker.status == Status.running:  # otherwise it could start them now
                return []
            return [task.key for task in worker.state.tasks.values() if task.state in _NOT_BEGUN]

        worker.handlers[PIECE] = serve_piece
        worker.handlers[WAITING] = waiting
        arrived = {"decided": identify()["decided"], "stale": stale([])["stale"]}
        await worker.scheduler.liveinstall(step="arrived", arguments=arrived)


class NannySide(NannyPlugin):
    """Starts each worker with the current versions, and installs them on a host that joins late."""

    name = "liveinstall-nanny"
    restart = False

    async def setup(self, nanny: Nanny) -> None:
        """Install the decided versions before the first worker starts. Dask calls this, in later nannies, too."""
        nanny.pre_spawn_env[VARIABLE] = ""  # a worker must not inherit the view of its nanny
        _spawn_workers_without_parts()
        steps = _NannySteps(nanny)
        nanny.handlers[PIECE] = serve_piece
        own = (await steps.take("decided")).get("decided", Decisions().as_json())
        arguments = {"decided": own, "address": nanny.address}
        current = await steps.scheduler.liveinstall(step="current", arguments=arguments)
        decided = Decisions.from_json(current["decided"])
        if not decided.stamp:
            return
        async with _converging.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            found = await converge(steps, decided, SCHEDULER)
        if found.get("error"):  # the worker starts anyway; Dask would start none otherwise
            _log.warning("liveinstall: %s starts with other versions: %s", nanny.address, found["what"])
            report = {"address": nanny.address, "error": found["what"]}
            await steps.scheduler.liveinstall(step="joined", arguments=report)


class _NannySteps:
    """Takes steps in a nanny's environment, and plans in the scheduler."""

    def __init__(self, nanny: Nanny) -> None:
        self._nanny = nanny
        self.scheduler = nanny.rpc(nanny.scheduler.address)

    async def take(self, step: str, **arguments: Any) -> dict[str, Any]:
        return await take_step(self._nanny, self._nanny.scheduler.address, step, arguments)

    async def plan(self, lock: str, over: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self.scheduler.liveinstall(step="plan", arguments={"lock": lock, "over": dict(over)})
        return dict(answer)


def _spawn_workers_without_parts() -> None:
    """Let the workers of this process's nannies start without the parts that are on its `sys.path`.

    `multiprocessing` gives a child the path of its parent. A nanny that started while a change was pending runs from
    its part; after an undo its workers must not.
    """
    prepare = spawn.get_preparation_data
    if hasattr(prepare, "__wrapped__"):
        return

    @wraps(prepare)
    def without_parts(name: str) -> dict[str, Any]:
        data = prepare(name)
        if name.startswith(_WORKER_PROCESS) and "sys_path" in data:
            data["sys_path"] = [entry for entry in data["sys_path"] if not entry.endswith(PART)]
        return data

    spawn.get_preparation_data = without_parts
