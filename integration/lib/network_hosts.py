"""Hosts for tests of clusters: each has its own network, process ids and mounts, and no route to anywhere else (Linux).

The kernel removes a host with its last process, and that ends when the test process does, whatever happens to it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Self

_TOOLS = ("ip", "unshare", "nsenter", "mount")
_SPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--propagation", "private")


@cache
def why_not() -> str:
    """Why there can be no such hosts here; empty if there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "hosts with a network of their own need Linux and root"
    lacking = [tool for tool in _TOOLS if not shutil.which(tool)]
    if lacking:
        return f"hosts with a network of their own need {', '.join(lacking)}"
    try:
        with NetworkHosts(["h1"]):
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return f"hosts with a network of their own cannot be made here: {error}"


class NetworkHosts:
    """A switch, a host `scheduler` that it belongs to, and more hosts that are connected to it. A context manager."""

    def __init__(self, names: list[str]) -> None:
        self._holders: dict[str, subprocess.Popen[bytes]] = {}
        self._addresses = {name: f"10.77.0.{number}" for number, name in enumerate(["scheduler", *names], 1)}
        try:
            for name in self._addresses:
                self._holders[name] = _hold_spaces()
            switch = ("ip", "link", "add", "switch", "type", "bridge")
            for command in (switch, ("ip", "link", "set", "switch", "up"), ("ip", "link", "set", "lo", "up")):
                self.run("scheduler", *command)
            self.run("scheduler", "ip", "addr", "add", f"{self.address('scheduler')}/24", "dev", "switch")
            for name in names:
                self._connect(name)
        except BaseException:
            self.close()
            raise

    def _connect(self, name: str) -> None:
        """Make a cable; its end `eth0` is in the host, the other one in the switch."""
        network = f"--net=/proc/{self._first(name)}/ns/net"  # only that: process ids have to be those from outside
        cable = ("link", "add", "eth0", "type", "veth", "peer", "name", f"v-{name}")
        for command in (cable, ("link", "set", f"v-{name}", "netns", str(self._first("scheduler")))):
            subprocess.run(["nsenter", network, "ip", *command], check=True, capture_output=True)
        self.run("scheduler", "ip", "link", "set", f"v-{name}", "master", "switch", "up")
        self.run(name, "ip", "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            self.run(name, "ip", "link", "set", device, "up")

    def _first(self, name: str) -> int:
        """The pid of the first process of a host, seen from outside."""
        pid = self._holders[name].pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()[0])

    def address(self, name: str) -> str:
        """The IP address of a host."""
        return self._addresses[name]

    def inside(self, name: str, *command: str | Path) -> list[str]:
        """A command line that runs a command in a host."""
        return ["nsenter", "--target", str(self._first(name)), "--net", "--mount", "--pid", "--", *map(str, command)]

    def run(self, name: str, *command: str | Path) -> str:
        """Run a command in a host to its end; its output. Raises CalledProcessError."""
        done = subprocess.run(self.inside(name, *command), check=True, capture_output=True, text=True)
        return done.stdout

    def mount(self, name: str, *arguments: str | Path) -> None:
        """Mount something in one host only; it is gone with the host."""
        self.run(name, "mount", *arguments)

    def received(self, name: str) -> int:
        """The number of bytes that a host has received."""
        for line in self.run(name, "cat", "/proc/net/dev").splitlines():
            device, _, counters = line.strip().partition(":")
            if device == "eth0":
                return int(counters.split()[0])
        raise AssertionError(f"{name} has no network")

    def has_way_out(self, name: str) -> bool:
        """Whether a host has a route to anything but the other hosts."""
        found = subprocess.run(self.inside(name, "ip", "route", "get", "192.0.2.1"), check=False, capture_output=True)
        return found.returncode == 0

    def close(self) -> None:
        """End all processes of all hosts; what belongs to the hosts goes with them."""
        for holder in self._holders.values():
            holder.communicate()  # the end of its input ends the first process of the host, which ends all others

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _hold_spaces() -> subprocess.Popen[bytes]:
    """Start the first process of a host; it runs until its input ends."""
    process = subprocess.Popen([*_SPACES, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin and process.stdout
    process.stdin.write(b"\n")
    process.stdin.flush()
    if not process.stdout.readline():  # it is ready when it has answered
        _, errors = process.communicate()
        raise OSError(errors.decode("utf-8", "replace").strip())
    return process
