"""The messages in a Jupyter server's log; jupyter_server itself runs in integration/, and is faked here."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from liveinstall.results import Change, Pending, Timing


@pytest.fixture
def server(monkeypatch):
    def same(method):
        return method

    names = {
        "jupyter_server.auth.decorator": {"authorized": same},
        "jupyter_server.base.handlers": {"APIHandler": object, "JupyterHandler": object},
        "jupyter_server.utils": {"url_path_join": None},
        "tornado": {"web": SimpleNamespace(authenticated=same)},
        "tornado.ioloop": {"IOLoop": None, "PeriodicCallback": None},
    }
    for name, has in names.items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**has))
    for name in ("jupyter_server", "jupyter_server.auth", "jupyter_server.base"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace())
    ours = [f"liveinstall._frontends.jupyter.{name}" for name in ("server", "kernel_handlers")]
    for name in ours:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module(ours[0])
    for name in ours:
        sys.modules.pop(name, None)


def test_pending_changes_are_logged_once_whatever_they_wait_for(server):
    told = []
    watch = server._PendingWatch(SimpleNamespace(info=lambda text, *words: told.append(text % words)))
    change = Change("alpha", "1.0", "2.0", Timing.RESTART)
    item = Pending("t1", (change,), 0.0, 1, "python", (), waits_for="pid 7")
    for each in (
        item,
        replace(item, waits_for="pid 8"),
        replace(item, state="failed"),
        replace(item, transaction="t2"),
    ):
        watch._log_once(each)
    assert told == [
        "liveinstall: pending until a restart: alpha 1.0 -> 2.0 (pid 7)",
        "liveinstall: was set aside: alpha 1.0 -> 2.0 (pid 7)",
        "liveinstall: pending until a restart: alpha 1.0 -> 2.0 (pid 7)",
    ]
