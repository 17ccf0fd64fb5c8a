"""The requests of JupyterLab's status bar to the server: the state of a kernel's environment, undo and cancel.

    GET  liveinstall/api/kernels/KERNEL/status     `?fresh=1`: even if nothing has changed on disk
    GET  liveinstall/api/kernels/KERNEL/history
    POST liveinstall/api/kernels/KERNEL/cancel     {"names": ["numpy"]}; without names all pending changes
    POST liveinstall/api/kernels/KERNEL/undo       {"transaction": "20261121T034425-bb8e01ea"}

The answers are those of the command line with `--json`, errors of liveinstall included.
"""

from __future__ import annotations

import asyncio
import re

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from liveinstall._frontends.jupyter.kernel_environment import KernelEnvironments, ask, python_of
from liveinstall.errors import LiveInstallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_KERNEL = r"(?P<kernel>\w+-\w+-\w+-\w+-\w+)"
_CHANGES = ("cancel", "undo")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # also that of a transaction; never an option


def routes(base: str) -> list[tuple[Any, ...]]:
    """Return the handlers below the URL of the server extension.

    Args:
        base: The path of the extension's URL.
    """
    kernel = url_path_join(base, "api/kernels", _KERNEL)
    known = {"environments": KernelEnvironments()}
    return [
        (f"{kernel}/(?P<verb>status|history)", _KernelState, known),
        (f"{kernel}/(?P<verb>{'|'.join(_CHANGES)})", _KernelChange, {}),
    ]


class _KernelHandler(APIHandler):
    """A question about the environment of a kernel."""

    auth_resource = "liveinstall"

    async def _answer(self, verb: str, question: Callable[[], dict[str, Any]]) -> None:
        """Answer a request; the command runs in a thread, so that the server is not blocked."""
        try:
            answer = await asyncio.get_running_loop().run_in_executor(None, question)
        except LiveInstallError as error:
            unchanged = error.unchanged if verb in _CHANGES else ""
            about = {"type": type(error).__name__, "message": error.what, "unchanged": unchanged, "todo": error.todo}
            answer = {"liveinstall": 1, "command": verb, "ok": False, "error": about}
        self.finish(answer)

    def _manager(self, kernel: str) -> Any:
        try:
            return self.kernel_manager.get_kernel(kernel)
        except KeyError:
            raise web.HTTPError(404, f"Kernel does not exist: {kernel}") from None


class _KernelState(_KernelHandler):
    """The state of the environment of a kernel, or its history."""

    def initialize(self, environments: KernelEnvironments) -> None:
        self._environments = environments

    @web.authenticated
    @authorized
    async def get(self, kernel: str, verb: str) -> None:
        manager, fresh = self._manager(kernel), bool(self.get_query_argument("fresh", ""))

        def question() -> dict[str, Any]:
            python = python_of(manager)
            return self._environments.status(python, fresh=fresh) if verb == "status" else ask(python, verb)

        await self._answer(verb, question)


class _KernelChange(_KernelHandler):
    """Undo or cancel in the environment of a kernel."""

    @web.authenticated
    @authorized
    async def post(self, kernel: str, verb: str) -> None:
        words = _words(verb, self.get_json_body() or {})
        manager = self._manager(kernel)
        await self._answer(verb, lambda: ask(python_of(manager), verb, *words))


def _words(verb: str, body: Any) -> list[str]:
    """The arguments of a command, from the body of a request."""
    given = _given(verb, body) if isinstance(body, dict) else None
    if not isinstance(given, list) or not all(isinstance(word, str) and _NAME.fullmatch(word) for word in given):
        expected = '{"names": ["NAME", ...]}' if verb == "cancel" else '{"transaction": "ID"}'
        raise web.HTTPError(400, f"The body must be {expected}")
    return given


def _given(verb: str, body: dict[str, Any]) -> Any:
    return body.get("names", []) if verb == "cancel" else [body.get("transaction")]
