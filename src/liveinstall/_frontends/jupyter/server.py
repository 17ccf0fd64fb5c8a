"""The Jupyter server extension: it protects the distributions that the server uses, and reports pending changes.

A file in our wheel enables it in every server of the environment, so that a kernel that upgrades tornado, traitlets or
pyzmq does not replace them while the server that runs the kernel uses them. Pending changes are reported on a page, in
an API for programs, in its log, and to the status bar of JupyterLab (`kernel_handlers`).
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.ioloop import IOLoop, PeriodicCallback

from liveinstall._frontends.jupyter.html import render
from liveinstall._frontends.jupyter.kernel_handlers import routes
from liveinstall._verbs.hold import hold
from liveinstall._verbs.pending import pending
from liveinstall._verbs.status import status
from liveinstall.errors import LiveInstallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from liveinstall.results import Pending

_INTERVAL = 20_000  # milliseconds between two checks for pending changes that are not in the log yet
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>liveinstall</title>
<style>body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2em }} th {{ font-weight: normal }}</style></head>
<body><h1>liveinstall</h1>{status}
<p>Changes of packages that only a kernel uses are applied when that kernel is restarted; changes of packages that this
server (pid {pid}) uses, when the server is restarted. <a href="api/pending">The same as JSON</a>.</p></body></html>
"""


def points() -> list[dict[str, str]]:
    """Return the value for a package's `_jupyter_server_extension_points`."""
    return [{"module": __name__, "name": "liveinstall"}]


def _load_jupyter_server_extension(app: Any) -> None:
    """Take the server's hold, and serve `/liveinstall/`. Failures are logged; the server starts in any case."""
    base = url_path_join(app.web_app.settings["base_url"], "liveinstall")
    app.web_app.add_handlers(
        ".*$",
        [
            (base, web.RedirectHandler, {"url": f"{base}/"}),
            (f"{base}/", _Page),
            (f"{base}/api/pending", _Api),
            *routes(base),
        ],
    )
    try:
        hold()
    except (LiveInstallError, OSError) as error:
        app.log.warning("liveinstall cannot protect the files that this server uses: %s", error)
        return
    app.log.info("liveinstall protects the distributions that this server uses; %s/ shows pending changes", base)
    IOLoop.current().add_callback(_PendingWatch(app.log).start)


class _PendingWatch:
    """Writes each pending transaction to the log once."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._logged: set[tuple[str, str, str]] = set()  # without the reasons, which may change

    async def start(self) -> None:
        await self.look()
        PeriodicCallback(self.look, _INTERVAL).start()

    async def look(self) -> None:
        """Log new pending transactions. A failure is logged at debug level only, and the next check tries again."""
        try:
            transactions = await _in_thread(pending)
        except Exception as error:  # noqa: BLE001  the server must keep running
            self._log.debug("liveinstall cannot read the pending changes: %r", error)
            return
        for item in transactions:
            self._log_once(item)

    def _log_once(self, item: Pending) -> None:
        changes = ", ".join(map(str, item.changes))
        key = (item.transaction, item.state, changes)
        if key not in self._logged:
            self._logged.add(key)
            word = "was set aside" if item.state == "failed" else "pending until a restart"
            self._log.info("liveinstall: %s: %s (%s)", word, changes, item.waits_for)


class _Page(JupyterHandler):
    """The status of the environment as a page."""

    auth_resource = "liveinstall"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.finish(_PAGE.format(status=render(await _in_thread(status)), pid=os.getpid()))


class _Api(APIHandler):
    """The status of the environment as JSON, in the envelope of the command line."""

    auth_resource = "liveinstall"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        summary = await _in_thread(status)
        result = {**asdict(summary), "restart_required": summary.restart_required}
        self.finish({"liveinstall": 1, "command": "status", "ok": True, "result": result})


async def _in_thread(look: Any) -> Any:
    """Run a call in a thread: reading a large environment takes time, and the server must stay responsive."""
    return await asyncio.get_running_loop().run_in_executor(None, look)
