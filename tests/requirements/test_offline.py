from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from helpers.environments import make_wheel

from liveinstall._engines.base import View
from liveinstall._engines.pip.arguments import commands
from liveinstall._engines.pip.engine import PipEngine
from liveinstall._engines.uv import engine as uv
from liveinstall._engines.uv.arguments import arguments
from liveinstall._requirements.offline import is_offline
from liveinstall._requirements.request import parse_request
from liveinstall.errors import DownloadError


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("LIVEINSTALL_OFFLINE", "1")


def test_no_engine_gets_an_index_or_pages(tmp_path):
    links = ["https://h/links", "file:///wheels", str(tmp_path), "C:\\wheels"]
    request = parse_request(("alpha",), index_url="https://h/a", extra_index_urls=["https://h/b"], find_links=links)
    assert (request.no_index, request.index_url, request.extra_index_urls) == (True, None, ())
    assert request.find_links == tuple(links[1:])
    paths = dict.fromkeys(("report", "wheels", "target", "src", "constraints"), str(tmp_path / "x"))
    for words in (*commands(request, paths).values(), list(arguments(request, str(tmp_path)))):
        assert "--no-index" in words and not any("https:" in word for word in words)
    assert uv._variables(str(tmp_path))["UV_OFFLINE"] == "1"


@pytest.mark.parametrize(
    "asked",
    [
        {"requirements": ("https://u:secret@h/x-1.0-py3-none-any.whl",)},
        {"requirements": ("x @ https://h/x.tar.gz",)},
        {"requirements": ("git+https://h/x.git",)},
        {"editable": ("x @ git+https://h/x.git",)},
        {"requirement_files": ("https://h/r.txt",)},
        {"requirements": ("alpha",), "constraints": ("https://h/c.txt",)},
    ],
)
def test_remote_files_are_refused_before_any_work(asked):
    asked = dict(asked)
    with pytest.raises(DownloadError, match="is not on this disk.*LIVEINSTALL_OFFLINE is set") as caught:
        parse_request(asked.pop("requirements", ()), **asked)
    assert "secret" not in str(caught.value)


def test_local_files_are_used(tmp_path):
    wheel = tmp_path / "x-1.0-py3-none-any.whl"
    wheel.touch()
    request = parse_request((str(wheel), wheel.as_uri(), "y @ git+file:///src/y"))
    assert len(request.requirements) == 3


@pytest.mark.parametrize(("value", "wanted"), [("", False), ("0", False), ("No", False), ("yes", True), ("1", True)])
def test_anything_but_a_plain_no_counts(monkeypatch, value, wanted):
    monkeypatch.setenv("LIVEINSTALL_OFFLINE", value)
    assert is_offline() is wanted
    assert parse_request(("alpha",)).no_index is wanted


@pytest.fixture
def server():
    """(address, requests) of a server on this machine."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}", asked
        found.shutdown()


def resolved(tmp_path, *requirements, **options):
    pytest.importorskip("pip")
    (tmp_path / "work").mkdir()
    request = parse_request(requirements, **options)
    with PipEngine() as engine:
        return engine.resolve(request, View((), ()), str(tmp_path / "work"), fetch=False, tell=lambda _: None)


@pytest.mark.parametrize(
    "line",
    [
        *("xx-li @ {}/xx_li-1.0-py3-none-any.whl", "xx-li @ git+{}/xx.git", "-e git+{}/xx.git#egg=xx-li"),
        *("-r {}/r.txt", "--find-links {}/links\nxx-li"),
    ],
)
def test_pip_asks_nothing_that_a_requirement_file_names(tmp_path, server, line):
    address, asked = server
    (tmp_path / "r.txt").write_text(line.format(address))
    with pytest.raises(DownloadError, match="LIVEINSTALL_OFFLINE is set") as caught:
        resolved(tmp_path, requirement_files=tmp_path / "r.txt")
    assert address in str(caught.value) and asked == []


def test_pip_asks_nothing_that_a_distribution_requires(tmp_path, server):
    address, asked = server
    wheel = make_wheel(tmp_path, "yy-li", "1.0", requires=(f"xx-li @ {address}/xx_li-1.0-py3-none-any.whl",))
    with pytest.raises(DownloadError, match="LIVEINSTALL_OFFLINE is set"):
        resolved(tmp_path, str(wheel))
    assert asked == []


def test_pip_continues_without_a_page(tmp_path, server):
    address, asked = server
    make_wheel(tmp_path / "links", "xx-li", "1.0")
    here = (tmp_path / "links").as_posix()  # pip removes backslashes from options in requirement files
    lines = f"--index-url {address}/simple\n--find-links {address}/links\n--find-links {here}\nxx-li\n"
    (tmp_path / "r.txt").write_text(lines)
    assert [found.name for found in resolved(tmp_path, requirement_files=tmp_path / "r.txt")] == ["xx-li"]
    assert asked == []
