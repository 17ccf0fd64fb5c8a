"""Kernels, and the servers that run them, as users have them: they listen on 127.0.0.1 and write below one folder."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from integration.lib.environments import Environment, user_variables

_SECONDS = 120


class Kernel:
    """A client of a kernel that runs in the environment."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        client.start_channels()
        end = time.monotonic() + _SECONDS
        while True:
            try:
                client.wait_for_ready(timeout=_SECONDS)
            except RuntimeError:  # the kernel of a server answers no heartbeat while it starts: on a busy machine, late
                if client.parent or time.monotonic() > end:
                    raise
            else:
                break

    def cell(self, code: str) -> list[dict[str, Any]]:
        """The messages of a cell that is run as by JupyterLab and Notebook 7; one that fails has an `error`."""
        heard: list[dict[str, Any]] = []
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": True}
        message = self.client.session.msg("execute_request", {**content, "stop_on_error": True})
        message["metadata"]["cellId"] = "a-cell"
        self.client.shell_channel.send(message)
        while True:
            told = self.client.get_iopub_msg(timeout=_SECONDS)
            if told["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            if told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
                self.client.get_shell_msg(timeout=_SECONDS)
                return heard
            heard.append(told)

    def run(self, code: str) -> str:
        """The stdout of the cell; an error fails the test."""
        printed: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
                printed.append(message["content"]["text"])
            elif message["msg_type"] == "error":
                printed.append("\n".join(message["content"]["traceback"]))

        reply = self.client.execute_interactive(code, output_hook=hear, timeout=_SECONDS)
        assert reply["content"]["status"] == "ok", "".join(printed)
        return "".join(printed).strip()


@contextmanager
def kernel(environment: Environment, folder: Path, module: str = "ipykernel_launcher") -> Iterator[KernelManager]:
    spec = folder / "kernels" / "real" / "kernel.json"
    spec.parent.mkdir(parents=True, exist_ok=True)
    argv = [str(environment.python), "-m", module, "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "real", "language": "python"}), encoding="utf-8")
    specs = KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
    manager = KernelManager(kernel_name="real", kernel_spec_manager=specs)
    manager.start_kernel(env=user_variables(**places(folder)), stderr=subprocess.DEVNULL)
    try:
        yield manager
    finally:
        manager.shutdown_kernel(now=True)


def places(folder: Path) -> dict[str, str]:
    """Variables that keep the files of Jupyter and IPython in a folder of the test."""
    names = {"JUPYTER_RUNTIME_DIR": "runtime", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data"}
    more = {"IPYTHONDIR": "ipython", "JUPYTERLAB_WORKSPACES_DIR": "lab", "JUPYTERLAB_SETTINGS_DIR": "settings"}
    return {name: str(folder / where) for name, where in {**names, **more}.items()}


@dataclass(frozen=True)
class Server:
    """A running server; a call returns JSON of its API."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def __call__(self, method: str, path: str, body: Any) -> Any:
        return json.loads(self.text(path, method, body) or "{}")

    def text(self, path: str, method: str = "GET", body: Any = None) -> str:
        """The text of its response."""
        request = urllib.request.Request(self.url + path.removeprefix("/"), method=method)
        request.add_header("Authorization", "token t")
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=_SECONDS) as answer:
            return str(answer.read().decode())


@contextmanager
def server(environment: Environment, folder: Path, app: str = "jupyter_server", *more: str) -> Iterator[Server]:
    """A Jupyter server on 127.0.0.1; `app` is its module (jupyterlab, notebook), `more` are its options."""
    options = ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", "--IdentityProvider.token=t", "--allow-root", *more]
    with (folder / "server.log").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(
            [environment.python, "-m", app, "--no-browser", *options],
            env=user_variables(**places(folder)),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            started = folder / "server.log"
            ask = Server(_url_of(folder / "runtime", process, started), process, started)
            yield ask
            for one in ask("GET", "/api/kernels", None):
                ask.text(f"/api/kernels/{one['id']}", "DELETE")
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:  # it waits forever for a thread of AnyIO that never ends
                process.kill()
                process.wait(timeout=_SECONDS)


def _url_of(runtime: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    """The address of a server that answers."""
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end and process.poll() is None:
        for path in runtime.glob("jpserver-*.json"):
            with suppress(ValueError, OSError):  # it is being written, and that before the server listens
                url = str(json.loads(path.read_text(encoding="utf-8"))["url"])
                with urllib.request.urlopen(f"{url}api", timeout=_SECONDS):
                    return url
        time.sleep(0.1)
    raise AssertionError(f"the server did not start:\n{log.read_text(encoding='utf-8')}")


def errors_of_ours(log: Path) -> list[str]:
    """The messages in a server's log with a traceback in which liveinstall occurs: Jupyter has others of its own."""
    messages = re.split(r"^(?=\[[IWEC] )", log.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [message for message in messages if "Traceback" in message and "liveinstall" in message]


def client_of(folder: Path, id: str) -> BlockingKernelClient:
    client = BlockingKernelClient()
    client.load_connection_file(str(folder / "runtime" / f"kernel-{id}.json"))
    return client
