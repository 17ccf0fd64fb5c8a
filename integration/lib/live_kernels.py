"""A kernel as driven by a notebook's front end: cells with their ids, and all its messages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.kernelspec import KernelSpec

from integration.lib.environments import Environment, user_variables

_WAIT = 40.0  # seconds; nothing here may hang


@dataclass
class Kernel:
    """`messages`: all its messages on iopub, in order."""

    manager: KernelManager
    client: BlockingKernelClient
    messages: list[dict[str, Any]] = field(default_factory=list)

    def send(self, code: str, **metadata: Any) -> str:
        """Queue a cell; the message's id. A notebook's cell has a `cellId` in its metadata."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": True, "stop_on_error": True}
        message = self.client.session.msg("execute_request", content, metadata=metadata or {"cellId": "cell"})
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def reply(self, to: str) -> dict[str, Any]:
        """The content of the answer to a cell."""
        end = time.monotonic() + _WAIT
        while time.monotonic() < end:
            message = self.client.get_shell_msg(timeout=_WAIT)
            if message["parent_header"].get("msg_id") == to:
                return dict(message["content"])
        raise TimeoutError(to)

    def execute(self, code: str) -> tuple[str, dict[str, Any]]:
        """Run a cell; its message id and the reply. Sent again while the kernel aborts cells, just after an error."""
        end = time.monotonic() + _WAIT
        while time.monotonic() < end:
            message_id = self.send(code)
            reply = self.reply(message_id)
            if reply["status"] != "aborted":
                return message_id, reply
            time.sleep(0.2)
        raise TimeoutError(code)

    def run(self, code: str) -> str:
        """The output of a cell; it must succeed."""
        asked, reply = self.execute(code)
        assert reply["status"] == "ok", "\n".join(reply.get("traceback", [str(reply)]))
        self.until(lambda message: _is_idle(message, asked))
        return "".join(m["content"]["text"] for m in self.said("stream", asked))

    def until(self, wanted: Any, seconds: float = _WAIT) -> dict[str, Any]:
        """Receive until a message is `wanted`."""
        end = time.monotonic() + seconds
        while True:
            message = self.client.get_iopub_msg(timeout=max(end - time.monotonic(), 0.01))
            self.messages.append(message)
            if wanted(message):
                return message

    def said(self, kind: str, to: str) -> list[dict[str, Any]]:
        """The messages of one kind that belong to a cell."""
        return [m for m in self.messages if m["msg_type"] == kind and m["parent_header"].get("msg_id") == to]


def _is_idle(message: dict[str, Any], to: str) -> bool:
    parent = message["parent_header"].get("msg_id")
    return message["msg_type"] == "status" and message["content"]["execution_state"] == "idle" and parent == to


@contextmanager
def kernel_of(environment: Environment, home: Path) -> Iterator[Kernel]:
    """A running kernel of an environment, with its own home directory."""
    manager = KernelManager()
    manager._kernel_spec = KernelSpec(
        argv=[str(environment.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python"
    )
    manager.connection_file = str(home / "kernel.json")
    manager.start_kernel(env=user_variables(HOME=str(home), IPYTHONDIR=str(home), JUPYTER_RUNTIME_DIR=str(home)))
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=_WAIT)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
