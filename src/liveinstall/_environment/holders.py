"""Holds: shared locks by which running processes protect the packages that they use. The boot package manages them."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from _liveinstall_boot import holds as boot_holds
from _liveinstall_boot import ownership, patient, views
from liveinstall._environment.installed import record_of
from liveinstall._redact import redact
from liveinstall._system.command_line import command_line
from liveinstall._system.programs import exit_status, start_in_foreground
from liveinstall.errors import DamagedError
from liveinstall.results import Holder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from liveinstall._model import Distribution


def take_hold(site: str) -> str:
    """Take a hold on the environment until this process exits, if it has none yet.

    Args:
        site: The site-packages directory, absolute.

    Returns:
        The absolute path of the hold.
    """
    return str(boot_holds.take_hold(site, command_line()))


def holders(site: str, installed: Mapping[str, Distribution] | None = None) -> tuple[Holder, ...]:
    """List the running processes that use the environment, including this one. Holds of dead processes are removed.

    Args:
        site: The site-packages directory, absolute.
        installed: Installed distributions, by name; the used ones are listed for each process. Default: none.

    Returns:
        The processes.
    """
    processes = []
    tops = {name: top_names(distribution)[0] for name, distribution in (installed or {}).items()}
    own = boot_holds.own_hold(site)
    for hold in boot_holds.live_holds(site):
        # Another copy of the boot module may have taken this process's hold, and a forked child shares its parent's.
        mine = hold.pid == os.getpid() or (own is not None and hold.path == own.path)
        uses = None if hold.uses is None else tuple(sorted(hold.uses))
        used = tuple(sorted(name for name, names in tops.items() if uses and not names.isdisjoint(uses)))
        processes.append(Holder(hold.pid, redact(hold.command), hold.since, mine, uses, tuple(hold.sees), used))
    return tuple(processes)


def users(distributions: Iterable[Distribution], processes: Iterable[Holder]) -> dict[str, Holder]:
    """Find the distributions that other processes use, by their holds or by memory-mapped libraries.

    Args:
        distributions: The distributions to check.
        processes: The processes with holds.

    Returns:
        One process that uses the distribution, by name; unused distributions are omitted.
    """
    users: dict[str, Holder] = {}
    library_paths = {}
    processes = list(processes)
    for distribution in distributions:
        tops, libraries = top_names(distribution)
        site_dir = os.path.dirname(distribution.info)
        library_paths[distribution.name] = [os.path.join(site_dir, path) for path in libraries]
        for holder in processes:
            if holder.uses is None or not tops.isdisjoint(holder.uses):
                users.setdefault(distribution.name, holder)
    for pid, name in views.mapped(library_paths):
        users.setdefault(name, replace(unannounced(pid), distributions=(name,)))
    return users


def unannounced(pid: int) -> Holder:
    """Describe a process that has no hold, because it does not use liveinstall, by its command line in /proc."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    except OSError:
        arguments = []
    return Holder(pid, redact(" ".join(arguments).strip())[:120] or "unknown", 0.0)


def top_names(distribution: Distribution) -> tuple[set[str], set[str]]:
    """Find the top-level names of a distribution by its RECORD.

    Args:
        distribution: The distribution.

    Returns:
        The top-level import names, and the top-level paths, relative to its site directory, that contain shared
        libraries. Without a usable RECORD: its name as an import name, and no paths.
    """
    try:
        names, libraries = ownership.top_names(record_of(distribution)[0])
    except DamagedError:
        return {distribution.name.replace("-", "_")}, set()
    return names, libraries


def replace_process(command: Sequence[str], more: Mapping[str, str] | None = None) -> NoReturn:
    """Replace this process by another program, with `variables_for_exec()`.

    On Windows `exec` quotes no arguments, and whoever waits for this process would go on at once. So there the program
    is started in the same console, and this process, now without holds, waits for it and exits with its status.

    Args:
        command: The command line, with the absolute path of the program.
        more: Additional environment variables.

    Raises:
        OSError: The program cannot be started.
    """
    with variables_for_exec() as variables:
        variables |= more or {}
        if os.name != "nt":
            os.execve(command[0], list(command), variables)  # noqa: S606  no shell
        sites = boot_holds.held_sites()
        for site in sites:
            boot_holds.release(site)
        try:
            child = start_in_foreground(command, variables)
        except OSError:
            for site in sites:
                take_hold(site)
            raise
        os._exit(exit_status(child))


@contextmanager
def variables_for_exec() -> Iterator[dict[str, str]]:
    """Prepare the environment variables for a program that replaces this process by `exec`, which ends its hold.

    The new program inherits the ancestors of this process, but not its hold. A forked child may share the hold and
    continue to run: so the process id is removed from the hold's name, or the new program would use it as its own. If
    the `exec` fails, the hold gets its name back.

    Yields:
        The environment variables; call `exec` in the block.
    """
    variables = dict(os.environ)
    directory = os.path.dirname(variables.get(boot_holds.VARIABLE, ""))
    own: dict[str, boot_holds.Hold] = {}
    for site in {*boot_holds.held_sites(), os.path.dirname(os.path.dirname(directory))}:
        own |= {hold.name: hold for hold in boot_holds.live_holds(site, start=f"{os.getpid()}-")}
    name = os.path.basename(variables.pop(boot_holds.VARIABLE, ""))
    while name in own:
        name = own[name].parent
    if name:
        variables[boot_holds.VARIABLE] = os.path.join(directory, name)
    renamed = []
    for hold in own.values():
        parent, file = os.path.split(hold.path)  # the rest of the name shows whether the process may use any package
        with suppress(OSError):
            patient.rename(hold.path, anonymous := os.path.join(parent, f"0-{file.partition('-')[2]}"))
            renamed.append((anonymous, hold.path))
    try:
        yield variables
    except BaseException:
        for anonymous, path in renamed:
            with suppress(OSError):
                patient.rename(anonymous, path)
        raise
