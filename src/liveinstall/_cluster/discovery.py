"""Finding the environments of a cluster, by asking every process for its own."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from liveinstall._cluster.fan_out import all_of
from liveinstall._cluster.participants import Member, Place
from liveinstall._system.package import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Ask(Protocol):
    """Executes a step in a process. Raises OSError if it cannot be reached, and RuntimeError if the step failed."""

    async def __call__(self, address: str, step: str, **arguments: Any) -> Mapping[str, Any]:
        """Execute the step; its answer."""


async def find_places(members: Iterable[Member], ask: Ask) -> tuple[list[Place], str, int]:
    """Ask every process for its environment, and determine which of them really share one.

    Args:
        members: The processes.
        ask: Executes a step in one.

    Returns:
        The environments; and the address of a process whose environment keeps the newest decisions, with their stamp.

    Raises:
        OSError: A process cannot be reached.
        RuntimeError: One failed, or has another version of liveinstall.
    """
    by_address = {member.address: member for member in members}
    asked = await all_of(by_address, lambda address: ask(address, "identify"))
    for address, answer in asked.items():
        if answer.get("liveinstall", "older") != __version__:
            raise RuntimeError(
                f"{answer['site']} ({address}) has liveinstall {answer.get('liveinstall', 'older')}, and the "
                f"scheduler has {__version__}. Install the same version there, and restart the process."
            )
    groups: dict[str, list[str]] = {}
    for address, answer in asked.items():
        groups.setdefault(answer["environment"], []).append(address)
    places = []
    for id, addresses in groups.items():
        for number, shared in enumerate(await _shared(addresses, asked, ask)):
            machines = {address: asked[address]["machine"] for address in shared}
            key = f"{id}-{number}" if number else id
            places.append(Place(key, asked[shared[0]]["site"], [by_address[each] for each in shared], machines))
    newest = max(asked, key=lambda address: asked[address]["decided"], default="")
    return places, newest, asked[newest]["decided"] if newest else 0


async def _shared(addresses: list[str], asked: Mapping[str, Mapping[str, Any]], ask: Ask) -> list[list[str]]:
    """Split the processes with one environment id: the id may have been copied with an image."""
    groups: list[list[str]] = []
    while addresses:
        first, *rest = addresses
        if all(asked[each]["machine"] == asked[first]["machine"] for each in rest):
            return [*groups, addresses]
        nonce = os.urandom(8).hex()
        await ask(first, "mark", nonce=nonce)
        try:
            found = await all_of(rest, partial(ask, step="sees", nonce=nonce))
        finally:
            await ask(first, "mark", nonce=nonce)
        groups.append([first, *(each for each in rest if found[each]["sees"])])
        addresses = [each for each in rest if not found[each]["sees"]]
    return groups
