"""A Dask cluster of processes: a scheduler and hosts, each with its own environment, on 127.0.0.1 or on networks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from integration.lib.environments import Environment, user_variables
from integration.lib.network_hosts import NetworkHosts


def free_port() -> int:
    """A port that no process uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def copies(model: Environment, folder: Path, *names: str) -> dict[str, Environment]:
    """Copies of an environment, by name."""
    for name in names:
        shutil.copytree(model.path, folder / name, symlinks=True)
    return {name: Environment.at(folder / name) for name in names}


def told(output: str) -> dict[str, Any]:
    """What a client has told, all together."""
    facts: dict[str, Any] = {}
    for line in output.splitlines():
        if line.startswith("TOLD "):
            facts |= json.loads(line.removeprefix("TOLD "))
    return facts


def version_in(environment: Environment, name: str = "alpha") -> str:
    """The version that a new process of an environment has."""
    done = environment.run("-c", f"import {name}; print({name}.VERSION)", env=user_variables())
    return done.stdout.strip()


class DaskProcesses:
    """The processes of a cluster; `close()` ends them. Each host has its own cache of wheels, as another machine."""

    def __init__(self, folder: Path, environments: dict[str, Environment], network: NetworkHosts | None = None) -> None:
        self._folder = folder
        self._environments = environments
        self._network = network
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        port = free_port()
        self.address = f"tcp://{self._ip('scheduler')}:{port}"
        options = ("--host", self._ip("scheduler"), "--port", str(port), "--no-dashboard")
        self._start("scheduler", "-m", "distributed.cli.dask_scheduler", *options)

    def worker(self, host: str, number: int | str, *options: str) -> None:
        """Start a nanny and its worker."""
        name = f"{host}-{number}"
        place = str(self._folder / f"files-{name}")
        fixed = ("--host", self._ip(host), "--nthreads", "1", "--no-dashboard", "--name", name)
        directory = ("--local-directory", place, "--death-timeout", "240")
        self._start(name, "-m", "distributed.cli.dask_worker", self.address, *fixed, *directory, *options)

    def run_client(self, code: str) -> dict[str, Any]:
        """Run code in a client's process to its end; what it has told."""
        status = self.client(code).wait(600)
        output = (self._folder / "client.log").read_text(encoding="utf-8")
        assert status == 0, output
        print(output, file=sys.stderr)
        return told(output)

    def client(self, code: str) -> subprocess.Popen[bytes]:
        """Start code in a client's process on the scheduler's host, with `client` and `tell()`."""
        program = self._folder / "client.py"
        program.write_text(_CLIENT.format(address=self.address, code=code), encoding="utf-8")
        return self._start("client", program)

    def _ip(self, host: str) -> str:
        return self._network.address(host) if self._network else "127.0.0.1"

    def _start(self, name: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        host = name.partition("-")[0]
        cache = str(self._folder / f"cache-{host}")
        command = [str(self._environments[host].python), *map(str, arguments)]
        if self._network:
            place = "scheduler" if host == "client" else host
            command = self._network.inside(place, "env", "-C", self._folder, *command)
        with open(self.log(name), "wb") as log:
            self._processes[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=user_variables(XDG_CACHE_HOME=cache, PYTHONUNBUFFERED="1"),
                start_new_session=True,
            )
        return self._processes[name]

    def log(self, name: str) -> Path:
        """Where a process writes its output."""
        return self._folder / f"{name}.log"

    def kill(self, name: str) -> None:
        """Kill a process and its children, and wait for its end."""
        process = self._processes.pop(name)
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_nanny(self, name: str) -> None:
        """Kill a nanny alone: its worker notices, and exits by itself."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def kill_worker(self, name: str) -> None:
        """Kill the worker of a nanny (Linux), which starts another one."""
        nanny = self._processes[name].pid
        children = Path(f"/proc/{nanny}/task/{nanny}/children").read_text(encoding="utf-8").split()
        for child in children:
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)

    def close(self) -> None:
        """Kill all."""
        for name in list(self._processes):
            self.kill(name)


def kill_child_of(site: Path, module: str) -> bool:
    """Kill a process (Linux) of an environment that runs a module; whether there was one."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().decode("utf-8", "replace").split("\0")
            if module in words and words[0].startswith(str(site)):
                os.kill(int(path.parent.name), signal.SIGKILL)
                return True
    return False


_CLIENT = '''\
import json, os, sys, time

import liveinstall
from distributed import Client

client = Client({address!r}, timeout=120)


def seen():
    """The version of alpha that a worker has imported, and its pid."""
    import os
    import alpha
    return alpha.VERSION, os.getpid()


def tell(**facts):
    print("TOLD " + json.dumps(facts), flush=True)


def workers(count):
    client.wait_for_workers(count, timeout=120)
    return client.run(seen)


{code}
client.close()
'''
