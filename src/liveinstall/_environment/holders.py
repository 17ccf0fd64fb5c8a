"""Holds: shared locks by which running processes protect the packages that they use. The boot package manages them."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager, suppress

from _liveinstall_boot import holds as boot_holds
from _liveinstall_boot import patient, process, views
from liveinstall._environment.installed import top_names
from liveinstall._redact import redact
from liveinstall._system import background
from liveinstall._system.command_line import command_line
from liveinstall._system.dist_info import may_have_top
from liveinstall._system.lean_dataclasses import replace
from liveinstall.results import Holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from typing import NoReturn

    from _liveinstall_boot.codec import TransactionRecord
    from liveinstall._model import Distribution

JUPYTER_SERVER = "the Jupyter server"
_SERVERS = {  # what a command line contains -> what to do
    r"jupyter[- ]lab(?![\w/\\])|-m jupyterlab\b": "restart JupyterLab itself",
    r"jupyterhub-singleuser\b": "restart the server in the control panel of JupyterHub",
    r"jupyter[- ](notebook|server)(?![\w/\\])|-m (notebook|jupyter_server)\b": "restart Jupyter itself",
}
_CONTAINER = "another container"  # on the same machine, or one of the same name
_KERNEL = r"kernel_launcher\b|-m ipykernel\b"


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
    processes, found = [], boot_holds.live_holds(site)
    uses = {name for hold in found for name in hold.uses or ()}
    tops = {name: top_names(each)[0] for name, each in (installed or {}).items() if _may_be_used(each, uses)}
    own = boot_holds.own_hold(site)
    for hold in found:
        # Another copy of the boot module may have taken this process's hold, and a forked child shares its parent's.
        mine = hold.is_mine() or (own is not None and hold.path == own.path)
        used = (name for name, names in tops.items() if hold.uses and not names.isdisjoint(hold.uses))
        processes.append(replace(_holder(hold), mine=mine, distributions=tuple(sorted(used))))
    return tuple(processes)


def _may_be_used(distribution: Distribution, uses: AbstractSet[str]) -> bool:
    """A quick check that rules most distributions out: whether one of these import names may be of it."""
    if not uses or distribution.name.replace("-", "_") in uses:
        return bool(uses)
    return may_have_top(distribution.info, lambda path: path.partition(".")[0] in uses)


def blocking(site: str, record: TransactionRecord) -> tuple[Holder, ...]:
    """Find the other processes that prevent a transaction from being applied, by a hold or a memory-mapped library.

    Args:
        site: The site-packages directory, absolute.
        record: The transaction.

    Returns:
        The processes, each with the distributions that it uses.
    """
    found = [
        replace(_holder(hold), distributions=tuple(names))
        for hold in boot_holds.live_holds(site, others=True)
        if (names := hold.blocks(record))
    ]
    known = {(holder.pid, name) for holder in found if not holder.host for name in holder.distributions}
    unknown = (user for user in views.mapping(site, record) if user not in known)
    return (*found, *(replace(unannounced(pid), distributions=(name,)) for pid, name in unknown))


def _holder(hold: boot_holds.Hold) -> Holder:
    """The public value for a hold of another process, without the distributions that it uses."""
    host = ""
    if hold.is_elsewhere():
        name = redact(hold.host.split(" ")[-1])
        host = _CONTAINER if name in ("-", process.host().split(" ")[-1]) else name
    uses = None if hold.uses is None else tuple(sorted(hold.uses))
    command, notebook = redact(hold.command), redact(hold.notebook)
    sees = tuple(hold.sees)
    return Holder(hold.pid, command, hold.since, uses=uses, sees=sees, notebook=notebook, host=host)


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


def describe(holder: Holder, *, since: bool = True) -> str:
    """Describe a process in the user's terms, and how a Jupyter server is restarted.

    Args:
        holder: The process.
        since: Whether to include since when another process has used the environment.

    Returns:
        For example `this notebook`, `the notebook x.ipynb`, `the Jupyter server (pid 7; restart JupyterLab itself)`,
        `another Python (pid 7: python x.py, since 14:02)`.
    """
    command = holder.command
    pid = f"pid {holder.pid}{where(holder)}"
    if _is_kernel(command):
        named = f"the notebook {holder.notebook}" if holder.notebook else f"another notebook ({pid})"
        return "this notebook" if holder.mine else named
    if _advice(command):
        return f"{JUPYTER_SERVER} ({pid}; {_advice(command)})"
    if holder.mine:
        return "this process"
    began = time.localtime(holder.since)
    is_today = began[:3] == time.localtime()[:3]
    moment = f", since {time.strftime('%H:%M' if is_today else '%Y-%m-%d %H:%M', began)}" if holder.since else ""
    known = "" if command == "unknown" else f": {command}"
    kind = "Python" if not known or "python" in command.lower() else "process"
    return f"another {kind} ({pid}{known}{moment if since else ''})"


def where(holder: Holder) -> str:
    """Name the machine or container of a holder, if it is another one: ` on node-3`, ` in another container`."""
    preposition = "in" if holder.host == _CONTAINER else "on"
    return f" {preposition} {holder.host}" if holder.host else ""


def restart_of_server(distributions: Mapping[str, Distribution], site: str) -> str:
    """Find out what to do about a Jupyter server that uses distributions which will change.

    Args:
        distributions: The distributions that will change, by name.
        site: The site-packages directory, absolute.

    Returns:
        For example `restart JupyterLab itself`; empty if no Jupyter server uses one of them.
    """
    tops = set().union(*(top_names(each)[0] for each in distributions.values()))
    for holder in holders(site):
        is_user = not holder.mine and (holder.uses is None or not tops.isdisjoint(holder.uses))
        if is_user and not _is_kernel(holder.command):
            advice = _advice(holder.command)
            if advice:
                return advice
    return ""


def _is_kernel(command: str) -> bool:
    import re

    return bool(re.search(_KERNEL, command))


def _advice(command: str) -> str:
    """How the Jupyter server with this command line is restarted; empty for any other program."""
    import re

    return next((advice for pattern, advice in _SERVERS.items() if re.search(pattern, command)), "")


def unannounced(pid: int) -> Holder:
    """Describe a process that has no hold, because it does not use liveinstall, by its command line in /proc."""
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as stream:
            arguments = stream.read().split("\0")
    except OSError:
        arguments = []
    return Holder(pid, redact(" ".join(arguments).strip())[:120] or "unknown", 0.0)


def replace_process(command: Sequence[str], more: Mapping[str, str] | None = None) -> NoReturn:
    """Replace this process by another program, with `variables_for_exec()`, after its output has been flushed.

    On Windows `exec` quotes no arguments, and the caller would stop waiting for this process. So there the program
    is started in the same console, and this process, now without holds, waits for it and exits with its status.

    Args:
        command: The command line, with the absolute path of the program.
        more: Additional environment variables.

    Raises:
        OSError: The program cannot be started.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # None without a console; or an object of the user's
            stream.flush()
    with variables_for_exec() as variables:
        variables |= more or {}
        if os.name != "nt":
            os.execve(command[0], list(command), variables)  # noqa: S606  no shell
        from liveinstall._system.programs import exit_status, start_in_foreground

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
    background.stop_all()
    variables = dict(os.environ)
    directory = os.path.dirname(variables.get(boot_holds.VARIABLE, ""))
    own: dict[str, boot_holds.Hold] = {}
    for site in {*boot_holds.held_sites(), os.path.dirname(os.path.dirname(directory))}:
        own |= {hold.name: hold for hold in boot_holds.own_holds(site)}
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
