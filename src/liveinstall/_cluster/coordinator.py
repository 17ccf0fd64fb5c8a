"""A request on a cluster, step by step, for any engine: look, ship, prepare, arm, restart.

No process uses the change until it is prepared in every environment, and a failure before that drops it everywhere.
After that the request always runs to completion: a process that cannot be reached catches up when it returns.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from liveinstall._cluster.child import environment_of
from liveinstall._cluster.convergence import converge
from liveinstall._cluster.decisions import Decisions
from liveinstall._cluster.discovery import find_places
from liveinstall._cluster.fan_out import all_of, outcomes
from liveinstall._cluster.outcome import Outcome
from liveinstall._cluster.participants import Member, Place, leave, note_restarts, take
from liveinstall._cluster.request_progress import Changes
from liveinstall._cluster.values import Lock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from liveinstall._cluster.options import Options
    from liveinstall._cluster.outcome import EnvironmentRow
    from liveinstall._cluster.values import Environment

Answer = Mapping[str, Any]
_FAN = 2  # an environment with the wheels serves this many others at a time


class Cluster(Protocol):
    """The interface of an engine for the coordinator."""

    def members(self) -> Sequence[Member]:
        """Return the current processes."""

    async def ask(self, address: str, step: str, **arguments: Any) -> Answer:
        """Execute a step in a process; `error` in the answer if it failed. Raises OSError if it cannot be reached."""

    async def restart(self, addresses: Sequence[str], *, patience: float | None, force: bool) -> Mapping[str, str]:
        """Drain workers and restart them, all at the same time.

        Returns:
            The reason for each that was not restarted, by address.
        """

    def tell(self, outcome: Outcome, changed: Sequence[EnvironmentRow]) -> None:
        """Report the progress, and the rows that have changed since the last report."""


class _LeaderSteps:
    """Takes steps in an environment by its leader, and plans where the wheels are."""

    def __init__(self, cluster: Cluster, leader: str, source: str) -> None:
        self._cluster, self._leader, self._source = cluster, leader, source

    async def take(self, step: str, **arguments: Any) -> Answer:
        """Execute a step in the leader."""
        return await self._cluster.ask(self._leader, step, **arguments)

    async def plan(self, lock: str, over: Answer) -> Answer:
        """Plan with the settings of the process that has the wheels."""
        pins = list(Lock.parse(lock).pins)
        return await self._cluster.ask(self._source, "plan", requirements=pins, over=[dict(over)], options={})


class Coordinator:
    """Runs requests, one after the other, with the progress of the current one.

    Attributes:
        outcome: What the current or last request has done so far.
        decided: The decided requests, the newest last; workers that join later get them, too.
        changes: The changes of its rows.
    """

    def __init__(self, cluster: Cluster) -> None:
        """Start without a request.

        Args:
            cluster: The engine.
        """
        self._cluster = cluster
        self._running = asyncio.Lock()
        self.outcome = Outcome()
        self.decided = Decisions()
        self.changes = Changes()
        self._is_undoing = False

    async def look(self) -> list[Environment]:
        """Describe every environment of the cluster.

        Raises:
            OSError: A process cannot be reached.
            RuntimeError: One failed; the message says which and why.
        """
        places = await self._places()
        found = await all_of([place.leader for place in places], lambda address: self.ask(address, "look"))
        return [replace(environment_of(each), id=place.id) for place, each in zip(places, found.values(), strict=True)]

    async def request(self, lock: Lock, source: str, options: Options) -> Outcome:
        """Apply a lock everywhere, or leave every environment unchanged.

        Args:
            lock: The lock.
            source: The address of a process that has the wheels in its cache.
            options: How workers are treated.
        """
        async with self._running:
            self.outcome = Outcome(requests=lock.requests, phase="looking")
            places: list[Place] = []
            try:
                places = await self._places(source)
                await self._ship(places, lock, source)
                await self._prepare(places, lock, options)
            except (OSError, RuntimeError) as error:
                await self._give_up(places, str(error))
                return self.outcome
            self.decided = self.decided.plus(lock)
            self._show(places, phase="arming", decided=True)
            await self._arm(places)
            await self._restart(await self._with_newcomers(places, source), options)
            return self.outcome

    async def undo(self, source: str, options: Options) -> Outcome:
        """Undo the last decided request, and restart the workers that use its versions.

        Args:
            source: The address of a process that has the wheels in its cache.
            options: How workers are treated.
        """
        self._is_undoing = True  # a request that runs now restarts no more workers
        async with self._running:
            self._is_undoing = False
            try:
                places = await self._places(source)
            except (OSError, RuntimeError) as error:
                self.outcome = Outcome(phase="failed", error=str(error))
                return self.outcome
            if not self.decided.items:
                self.outcome = Outcome(phase="failed", error="there is nothing to undo")
                return self.outcome
            lock, self.decided = Lock.parse(self.decided.items[-1].lock), self.decided.without_last()
            self.outcome = Outcome(requests=lock.requests, phase="undoing", decided=True)
            await self._each(places, self._revert)
            for place in places:
                place.names = [wheel.name for wheel in lock.wheels]
            await self._restart(places, options)
            return self.outcome

    async def resume(self, source: str, options: Options) -> Outcome:
        """Bring all environments to what an earlier coordinator has decided, and restart the workers that it left.

        Args:
            source: The address of a process that has the wheels in its cache.
            options: How workers are treated.
        """
        async with self._running:
            try:
                places = await self._places(source)
            except (OSError, RuntimeError) as error:
                self.outcome = Outcome(phase="failed", error=str(error))
                return self.outcome
            requests = tuple(each for item in self.decided.items for each in Lock.parse(item.lock).requests)
            self.outcome = Outcome(requests=requests, decided=True)
            self._show(places, phase="arming")
            await self._each(places, partial(self._converge, source=source))
            await self._restart(places, options)
            return self.outcome

    async def adopt(self, found: Decisions, giver: str, source: str) -> bool:
        """Take over decisions that an environment keeps, if they are newer.

        Args:
            found: The environment's copy.
            giver: The address of a process of the environment, which has the wheels.
            source: The address of the process that serves wheels to environments.

        Returns:
            Whether they are newer, so that there is something to `resume()`.
        """
        if not found.is_newer(self.decided):
            return False
        self.decided = found
        for item in found.items if giver != source else ():
            with suppress(OSError, RuntimeError):  # an environment that lacks them reports it
                await self.ask(source, "fetch", lock=item.lock, source=giver)
        return True

    async def _places(self, source: str = "") -> list[Place]:
        """Find the environments.

        With the address of the process that serves wheels, newer decisions that an environment knows are adopted.
        """
        places, newest, stamp = await find_places(self._cluster.members(), self.ask)
        if source and stamp > self.decided.stamp:
            found = Decisions.from_json((await self.ask(newest, "decided"))["decided"])
            await self.adopt(found, newest, source)
        return places

    async def _with_newcomers(self, places: list[Place], source: str) -> list[Place]:
        """Add the processes that have joined since the look; their environments get what was decided."""
        known = {address for place in places for address in place.machines}
        if all(member.address in known for member in self._cluster.members()):
            return places
        before = {place.id: place for place in places}
        try:
            found = await self._places()
        except (OSError, RuntimeError):  # one that joins now asks for the decisions itself
            return places
        for place in found:
            if place.id in before:
                place.follow(before.pop(place.id))
        await self._each([place for place in found if not place.names], partial(self._converge, source=source))
        return [*found, *before.values()]

    async def _ship(self, places: list[Place], lock: Lock, source: str) -> None:
        """Send the wheels once to each environment, from one to the next: each that has them serves others."""
        self._show(places, phase="shipping")
        free = asyncio.Queue[str]()
        for _ in range(_FAN):
            free.put_nowait(source)

        async def bring(place: Place) -> None:
            giver = await free.get()
            try:
                answer = await self.ask(place.leader, "fetch", lock=lock.text, source=giver)
            finally:
                free.put_nowait(giver)
            for _ in range(_FAN):
                free.put_nowait(place.leader)
            self.outcome = replace(self.outcome, sent=self.outcome.sent + answer["bytes"])

        await all_of(places, bring)

    async def _prepare(self, places: list[Place], lock: Lock, options: Options) -> None:
        self._show(places, phase="preparing")

        async def prepare(place: Place) -> None:
            answer = await self.ask(place.leader, "prepare", lock=lock.text, verify=options.verify)
            take(place, answer)
            self._show(places)

        await self._each(places, prepare)
        failed = [
            f"{place.site} ({place.leader}): {place.row.error}" for place in places if place.row.state == "failed"
        ]
        if failed:
            raise RuntimeError("; ".join(failed))

    async def _give_up(self, places: list[Place], why: str) -> None:
        """Drop the prepared changes; an environment that cannot be reached removes its own after an hour."""
        await self._each([place for place in places if place.change], self._drop)
        self._show(places, phase="failed", error=why)

    async def _arm(self, places: list[Place]) -> None:
        key, decided = self.decided.items[-1].key, self.decided.as_json()

        async def arm(place: Place) -> None:
            take(place, await self.ask(place.leader, "arm", id=place.change, key=key, decided=decided))
            self._show(places)

        await self._each(places, arm)

    async def _drop(self, place: Place) -> None:
        if place.change:
            answer = await self.ask(place.leader, "drop", id=place.change)
            place.row = replace(place.row, state=answer["state"], error=answer["reason"])

    async def _revert(self, place: Place) -> None:
        answer = await self.ask(place.leader, "revert", decided=self.decided.as_json())
        place.row = replace(place.row, state=answer["state"], error=answer["reason"])

    async def _converge(self, place: Place, source: str) -> None:
        steps = _LeaderSteps(self._cluster, place.leader, source)
        answer = await converge(steps, self.decided, source)
        if answer.get("error"):
            raise RuntimeError(f"{answer['what']} {answer['todo']}".strip())
        if "changes" in answer:
            take(place, answer)
        place.names = sorted(self.decided.names.union(place.names))

    async def _restart(self, places: list[Place], options: Options) -> None:
        """Restart the workers that use old versions, and name the other processes that do."""
        self._show(places, phase="restarting workers")
        stale = await self._stale(places)
        if options.restart == "never":
            for address in list(stale):
                leave(places, address, "a restart was not requested")
        else:
            began = time.monotonic()
            members = {member.address: member for place in places for member in place.members}
            able = [address for address in stale if members[address].can_restart]
            for address in stale.keys() - set(able):
                worker = members[address].is_worker
                leave(places, address, "it has no nanny: restart it" if worker else "restart it to update it")
            await (self._together if options.restart == "together" else self._rolling)(places, able, options)
            mixed = time.monotonic() - began if able and options.restart == "rolling" else 0.0
            self.outcome = replace(self.outcome, mixed=mixed)
        self._show(places, phase="done")

    async def _rolling(self, places: list[Place], addresses: list[str], options: Options) -> None:
        workers = sum(member.is_worker for place in places for member in place.members)
        slots = asyncio.Semaphore(options.max_unavailable or max(1, workers // 10))
        hosts = {machine: asyncio.Lock() for place in places for machine in place.machines.values()}
        machines = {address: machine for place in places for address, machine in place.machines.items()}

        async def roll(address: str) -> None:
            async with hosts[machines[address]], slots:
                if self._is_undoing:
                    leave(places, address, "the request is being undone")
                    return
                note_restarts(places, [address], await self._try_restart([address], options))
                self._show(places)

        await all_of(addresses, roll)

    async def _together(self, places: list[Place], addresses: list[str], options: Options) -> None:
        if addresses:
            note_restarts(places, addresses, await self._try_restart(addresses, options))

    async def _try_restart(self, addresses: list[str], options: Options) -> Mapping[str, str]:
        try:
            return await self._cluster.restart(addresses, patience=options.patience, force=options.force)
        except (OSError, RuntimeError) as error:
            return dict.fromkeys(addresses, str(error))

    async def _stale(self, places: Iterable[Place]) -> dict[str, list[str]]:
        """The names of the old versions that each process uses, by address; exited ones are omitted.

        If nothing has to change, a coordinator that has died since may have armed an earlier request.
        """
        names = {member.address: place.names for place in places for member in place.members}
        found = await outcomes(list(names), lambda address: self.ask(address, "stale", names=names[address]))
        return {
            address: answer["stale"]
            for address, answer in zip(names, found, strict=True)
            if not isinstance(answer, Exception) and answer["stale"]
        }

    async def ask(self, address: str, step: str, **arguments: Any) -> Answer:
        """Execute a step in a process.

        Args:
            address: The address of the process.
            step: The step.
            **arguments: Its arguments.

        Returns:
            The answer.

        Raises:
            OSError: The process cannot be reached.
            RuntimeError: The step failed; the message says why.
        """
        answer = await self._cluster.ask(address, step, **arguments)
        if answer.get("error"):
            raise RuntimeError(f"{answer['what']} {answer['todo']}".strip())
        return answer

    async def _each(self, places: Sequence[Place], act: Callable[[Place], Awaitable[Any]]) -> None:
        """Act on all environments at the same time; a failure is in the row of its environment."""
        for place, found in zip(places, await outcomes(places, act), strict=True):
            if isinstance(found, Exception):
                place.row = replace(place.row, state="failed", error=str(found))

    def _show(self, places: Iterable[Place], **facts: Any) -> None:
        self.outcome = replace(self.outcome, rows=tuple(place.row for place in places), **facts)
        self._cluster.tell(self.outcome, self.changes.note(self.outcome.rows))
