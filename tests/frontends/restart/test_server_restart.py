"""A Jupyter server restarts a kernel whose process cannot be replaced. (A real one: integration.)"""

from __future__ import annotations

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from liveinstall._frontends.restart import kernel_report, server_restart
from liveinstall._frontends.restart.server_restart import Kernel
from liveinstall._system.settings import RESTARTED

ID = "0b7e-41"


class _Server(BaseHTTPRequestHandler):
    status, heard = 200, []

    def _answer(self):
        is_known = self.headers["Authorization"] == "token t" and self.path.startswith(f"/base/api/kernels/{ID}")
        self.heard.append((self.command, self.path))
        self.send_response(self.status if is_known else 403)
        self.end_headers()

    do_GET = do_POST = _answer

    def log_message(self, *_):
        pass


@pytest.fixture
def url(monkeypatch):
    """A server that knows one kernel and one token."""
    monkeypatch.setattr(_Server, "heard", [])
    with HTTPServer(("127.0.0.1", 0), _Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/base/"
        server.shutdown()
        thread.join()


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """Jupyter's runtime directory, and this process as a kernel of the server."""
    connection = os.path.join("any", f"kernel-{ID}.json")
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace(get_connection_file=lambda: connection))
    monkeypatch.setitem(sys.modules, "jupyter_core.paths", SimpleNamespace(jupyter_runtime_dir=lambda: str(tmp_path)))
    monkeypatch.setattr(server_restart, "_found", [])
    monkeypatch.setattr(server_restart, "_looks", [])
    return tmp_path


def describe(runtime, pid, **server):
    (runtime / f"jpserver-{pid}.json").write_text(json.dumps(server), encoding="utf-8")


def test_of_all_servers_the_one_that_knows_the_kernel_is_found_once(url, runtime):
    describe(runtime, 1, url="http://127.0.0.1:1/", token="t")  # it was killed
    describe(runtime, 2, url=url, token="another")
    describe(runtime, 3, url="file:///etc/passwd", token="t")
    describe(runtime, 4, url=url, token="")  # it has a password instead
    (runtime / "jpserver-5.json").write_bytes(b"\xff{")
    (runtime / "jpserver-6.json").write_text("[]")
    (runtime / "jpserver-7.json").mkdir()
    assert server_restart.kernel_of_server() is None
    describe(runtime, 8, url=url.rstrip("/"), token="t")
    assert server_restart.kernel_of_server() is None  # it does not look again at once
    server_restart._looks.clear()
    assert server_restart.kernel_of_server() == Kernel(ID, url, "t") == server_restart.kernel_of_server()
    assert _Server.heard.count(("GET", f"/base/api/kernels/{ID}")) == 3  # twice with another token


def test_without_jupyter_there_is_none(runtime, monkeypatch):
    monkeypatch.setitem(sys.modules, "jupyter_core.paths", None)
    assert server_restart.kernel_of_server() is None
    monkeypatch.setitem(sys.modules, "ipykernel", None)
    assert server_restart.kernel_of_server() is None


def test_the_new_kernel_and_no_other_finds_the_report(url, tmp_path, monkeypatch):
    report = json.dumps({"changes": [["alpha", "2.0"]], "note": 'it\'s {braces} \\ and "quotes" ä'})
    server_restart.restart(Kernel(ID, url, "t"), str(tmp_path), report)
    assert _Server.heard == [("POST", f"/base/api/kernels/{ID}/restart")]
    (startup,) = tmp_path.iterdir()
    code = compile(startup.read_text(encoding="utf-8"), str(startup), "exec")
    heard = []
    monkeypatch.setattr(kernel_report, "load_ipython_extension", lambda _: heard.append(os.environ.pop(RESTARTED)))
    namespace: dict[str, object] = {}
    for name, found in (("another", []), (ID, [report])):
        monkeypatch.setattr(sys, "argv", ["ipykernel_launcher", "-f", os.path.join("any", f"kernel-{name}.json")])
        exec(code, namespace)
        assert heard == found and startup.exists() == (not found)
    assert set(namespace) == {"__builtins__"}  # a user's names


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_server_that_refuses_leaves_nothing_behind(url, tmp_path, monkeypatch, status):
    monkeypatch.setattr(_Server, "status", status)
    with pytest.raises(OSError, match=str(status)):
        server_restart.restart(Kernel(ID, url, "t"), str(tmp_path), "{}")
    assert not list(tmp_path.iterdir())


def test_files_of_kernels_that_never_came_are_removed_after_a_day(url, tmp_path):
    old, new, other = (tmp_path / name for name in ("liveinstall-restart-a.py", "liveinstall-restart-b.py", "10-x.py"))
    for path in (old, new, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (1, 1))
    server_restart.restart(Kernel(ID, url, "t"), str(tmp_path), "{}")
    assert not old.exists() and new.exists() and other.exists()


def test_a_profile_that_cannot_be_written_to_is_an_error_before_the_request(url, tmp_path):
    with pytest.raises(OSError, match="missing"):
        server_restart.restart(Kernel(ID, url, "t"), str(tmp_path / "missing"), "{}")
    assert not _Server.heard
