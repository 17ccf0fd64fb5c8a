"""The scheduler's side: the coordinator runs here, so a request continues when the notebook is closed."""

from __future__ import annotations

import asyncio
import logging
import pickle
from dataclasses import asdict, replace

from distributed import SchedulerPlugin

from liveinstall._cluster.coordinator import Coordinator
from liveinstall._cluster.dask import workers
from liveinstall._cluster.dask.members import OP, PIECE, SCHEDULER, NannySide, WorkerSide, serve_piece, take_step
from liveinstall._cluster.decisions import Decisions
from liveinstall._cluster.options import Options, checked
from liveinstall._cluster.outcome import Outcome
from liveinstall._cluster.participants import Member, failure_of
from liveinstall._cluster.request_progress import brief
from liveinstall._cluster.transfer import Arrival, missing
from liveinstall._cluster.values import Lock
from liveinstall._system.package import __version__
from liveinstall.errors import LiveInstallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from distributed import Scheduler

    from liveinstall._cluster.outcome import EnvironmentRow

TOPIC = "liveinstall"
_log = logging.getLogger(__name__)


class LiveInstall(SchedulerPlugin):
    """Installs requirements on a Dask cluster, and on workers that join it later, before their first task.

    Register it with `client.register_plugin(LiveInstall("numpy>=2"))`. The scheduler plans the request with its own
    package index settings. `liveinstall.cluster.of(client).install()` does the same with the client's settings, and
    waits.

    Args:
        *requirements: As for `install()`. Without any it only prepares the cluster for requests.
        restart: "rolling": one worker at a time on each host; "together": all drain before one is restarted; "never".
        patience: Seconds to wait for a worker to finish its tasks before it is left running. Default: no limit.
        max_unavailable: How many workers may be drained or restarting at a time. Default: a tenth, at least one.
        verify: Import the changed packages in a preview, in each environment, before any process uses them.
        **options: Options of `liveinstall.cluster.lock()`.
    """

    name = "liveinstall"

    def __init__(
        self,
        *requirements: str,
        restart: str = "rolling",
        patience: float | None = None,
        max_unavailable: int | None = None,
        verify: bool = False,
        **options: Any,
    ) -> None:
        self.requirements = requirements
        self.options = options
        self.treatment = checked(Options(restart, patience, max_unavailable=max_unavailable, verify=verify))

    async def start(self, scheduler: Scheduler) -> None:
        """Add the handler and the plugins of workers and nannies. Dask calls this in the scheduler."""
        side = scheduler.extensions.get(self.name)
        if side is None:
            side = scheduler.extensions[self.name] = SchedulerSide(scheduler)
            await side.start()
        if self.requirements:
            side.begin(side.plan_and_request(self.requirements, self.options, self.treatment))


class SchedulerSide:
    """The coordinator's view of Dask, and the handler that clients, workers and nannies talk to."""

    def __init__(self, scheduler: Scheduler) -> None:
        """Take the scheduler."""
        self._scheduler = scheduler
        self.coordinator = Coordinator(self)
        self._tasks: dict[int, asyncio.Task[Outcome]] = {}
        self._arrivals: dict[str, Arrival] = {}
        self._options: dict[str, Any] = {}
        self._is_resuming = self._has_late_workers = False

    async def start(self) -> None:
        """Add the handlers, and the plugins of workers and nannies."""
        self._scheduler.handlers[OP] = self.answer
        self._scheduler.handlers[PIECE] = serve_piece
        own = await self.ask(SCHEDULER, "decided")
        is_successor = await self.coordinator.adopt(Decisions.from_json(own["decided"]), SCHEDULER, SCHEDULER)
        await self._scheduler.register_worker_plugin(
            None, pickle.dumps(WorkerSide()), WorkerSide.name, idempotent=False
        )
        await self._scheduler.register_nanny_plugin(None, pickle.dumps(NannySide()), NannySide.name, idempotent=False)
        if is_successor:
            self.begin(self.coordinator.resume(SCHEDULER, Options()))

    def members(self) -> Sequence[Member]:
        """Return the workers and the scheduler."""
        found = [Member(each.address, can_restart=bool(each.nanny)) for each in self._scheduler.workers.values()]
        return [*found, Member(SCHEDULER, is_worker=False, can_restart=False)]

    async def ask(self, address: str, step: str, **arguments: Any) -> Mapping[str, Any]:
        """Execute a step in a process. Raises OSError if it cannot be reached."""
        if address == SCHEDULER:
            return await take_step(self._scheduler, self._scheduler.address, step, arguments)
        message = {"op": OP, "step": step, "arguments": arguments}
        try:
            answer = await self._scheduler.broadcast(msg=message, workers=[address])
        except Exception as error:  # noqa: BLE001  what a worker raises is raised here
            raise OSError(f"{address} did not answer: {error}") from None
        found: Mapping[str, Any] = answer[address]
        return found

    async def restart(self, addresses: Sequence[str], *, patience: float | None, force: bool) -> Mapping[str, str]:
        """Drain workers and restart them."""
        return await workers.restart(self._scheduler, addresses, patience=patience, force=force)

    def tell(self, outcome: Outcome, changed: Sequence[EnvironmentRow] = ()) -> None:
        """Make the progress an event of Dask, with what has changed: a cluster may have thousands of workers."""
        rows = [brief(row) for row in changed]
        self._scheduler.log_event(TOPIC, {"phase": outcome.phase, "error": outcome.error, "environments": rows})

    def begin(self, request: Any) -> int:
        """Run a request in the background; its number."""
        number = len(self._tasks)
        self._tasks[number] = asyncio.create_task(request)
        return number

    async def plan_and_request(
        self, requirements: Sequence[str], options: Mapping[str, Any], treatment: Options
    ) -> Outcome:
        """Plan a request here, and run it."""
        self._options = dict(options)
        try:
            lock = await self._plan(requirements, [asdict(each) for each in await self.coordinator.look()])
        except (OSError, RuntimeError) as error:
            outcome = Outcome(requests=tuple(requirements), phase="failed", error=str(error))
            self.coordinator.outcome = outcome
            _log.error("liveinstall: %s", outcome)
            self.tell(outcome)
            return outcome
        return await self.coordinator.request(Lock.parse(lock), SCHEDULER, treatment)

    async def _plan(self, requirements: Sequence[str], over: list[dict[str, Any]]) -> str:
        """The text of a lock; raises RuntimeError if there is none."""
        options = self._options
        request = {"requirements": list(requirements), "over": over, "options": options}
        answer = await self.coordinator.ask(SCHEDULER, "plan", **request)
        return str(answer["lock"])

    async def answer(self, step: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer a client or a nanny; with `error` if it failed."""
        try:
            found: dict[str, Any] = await getattr(self, f"_on_{step}")(**arguments)
        except (LiveInstallError, OSError, RuntimeError) as error:
            return failure_of(error)
        return found

    async def _on_hello(self) -> dict[str, Any]:
        return {"liveinstall": __version__}

    async def _on_look(self) -> dict[str, Any]:
        return {"environments": [asdict(each) for each in await self.coordinator.look()]}

    async def _on_missing(self, lock: str) -> dict[str, Any]:
        return {"missing": [wheel.sha256 for wheel in missing(Lock.parse(lock))]}

    async def _on_arrive(self, lock: str, sha256: str, piece: bytes) -> dict[str, Any]:
        """A piece of a wheel from a client; an empty one marks its end."""
        arrival = self._arrivals.get(sha256)
        if arrival is None:
            (wheel,) = (each for each in Lock.parse(lock).wheels if each.sha256 == sha256)
            arrival = self._arrivals[sha256] = Arrival(wheel)
        if piece:
            await asyncio.to_thread(arrival.add, piece)
        else:
            del self._arrivals[sha256]
            await asyncio.to_thread(arrival.finish)
        return {}

    async def _on_request(self, lock: str, treatment: dict[str, Any]) -> dict[str, Any]:
        request = self.coordinator.request(Lock.parse(lock), SCHEDULER, Options(**treatment))
        return {"number": self.begin(request)}

    async def _on_undo(self, treatment: dict[str, Any]) -> dict[str, Any]:
        return {"number": self.begin(self.coordinator.undo(SCHEDULER, Options(**treatment)))}

    async def _on_outcome(self, number: int | None = None) -> dict[str, Any]:
        task = self._tasks.get(number) if number is not None else None
        outcome = task.result() if task is not None and task.done() else self.coordinator.outcome
        return {"outcome": outcome.as_json()}

    async def _on_progress(self, number: int, since: int) -> dict[str, Any]:
        """The rows that have changed after a number of `Changes`."""
        changes = self.coordinator.changes
        facts = {"finished": self._tasks[number].done(), "phase": self.coordinator.outcome.phase}
        return {**facts, "number": changes.number, "environments": changes.since(since)}

    async def _on_current(self, decided: dict[str, Any], address: str) -> dict[str, Any]:
        """The decisions; a nanny brings those that its environment keeps, which may be newer."""
        if await self.coordinator.adopt(Decisions.from_json(decided), address, SCHEDULER):
            self.begin(self.coordinator.resume(SCHEDULER, Options()))
        return {"decided": self.coordinator.decided.as_json()}

    async def _on_arrived(self, decided: int, stale: list[str]) -> dict[str, Any]:
        """A worker has started; one that uses other versions than was decided is brought to them."""
        if stale or decided < self.coordinator.decided.stamp:
            self._has_late_workers = True
            if not self._is_resuming:
                self._is_resuming = True
                self.begin(self._resume())
        return {}

    async def _resume(self) -> Outcome:
        try:
            while self._has_late_workers:  # more may arrive meanwhile
                self._has_late_workers = False
                outcome = await self.coordinator.resume(SCHEDULER, Options())
        finally:
            self._is_resuming = False
        return outcome

    async def _on_plan(self, lock: str, over: dict[str, Any]) -> dict[str, Any]:
        """A lock with the same versions for an environment that joined late and lacks more than the others did."""
        return {"lock": await self._plan(Lock.parse(lock).pins, [over])}

    async def _on_joined(self, address: str, error: str) -> dict[str, Any]:
        """Report that a nanny could not bring its environment to what was decided."""
        self.tell(replace(self.coordinator.outcome, error=f"{address}: {error}"))
        return {}
