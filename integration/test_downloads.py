"""What pip downloads for one install, from a counting index on 127.0.0.1: each file once, with and without a cache."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from integration.lib.environments import Environment, user_variables
from integration.lib.projects import write_sdist
from integration.lib.wheels import write_wheel

_INSTALL = "import liveinstall as li; print(sorted(change.name for change in li.install('gamma', {options}).installed))"


@contextmanager
def _counting(directory: Path, *, password: str = "") -> Iterator[tuple[str, Counter[str]]]:
    """HOST:PORT of a server of the files in a directory, and how often each was sent; pages are not counted."""
    sent: Counter[str] = Counter()

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(directory))

        def do_GET(self) -> None:
            if password and not self.headers.get("Authorization"):
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="private"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if "/files/" in self.path and not self.path.endswith(".metadata"):
                sent[self.path.rpartition("/")[2]] += 1
            super().do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}", sent
        server.shutdown()


def _write_index(directory: Path, *, metadata: bool) -> None:
    """A simple index of two wheels and a source archive; with `metadata`, the wheels' METADATA files too (PEP 658)."""
    files = directory / "files"
    write_wheel(files, "alpha", "1.0")
    write_wheel(files, "gamma", "1.0", headers=["Requires-Dist: alpha", "Requires-Dist: built"])
    archive = write_sdist(directory, "built", backend="flit")
    archive.rename(files / archive.name)
    for file in list(files.iterdir()):
        attribute = ""
        if metadata and file.suffix == ".whl":
            with zipfile.ZipFile(file) as wheel:
                text = wheel.read(next(name for name in wheel.namelist() if name.endswith("METADATA")))
            file.with_name(f"{file.name}.metadata").write_bytes(text)
            attribute = f' data-core-metadata="sha256={hashlib.sha256(text).hexdigest()}"'
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        page = directory / "simple" / file.name.partition("-")[0] / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f'<a href="../../files/{file.name}#sha256={digest}"{attribute}>{file.name}</a>')


@pytest.mark.parametrize("cache", [True, False], ids=["cache", "no cache"])
@pytest.mark.parametrize("metadata", [True, False], ids=["with metadata", "without metadata"])
def test_each_file_is_downloaded_once(environment: Environment, tmp_path: Path, metadata: bool, cache: bool) -> None:
    environment.add("flit_core>=3.4")
    environment.run("-m", "liveinstall", "uninstall", "alpha", check=True)
    _write_index(tmp_path / "index", metadata=metadata)
    with _counting(tmp_path / "index") as (host, sent):
        options = f"index_url='http://{host}/simple/', pip_arguments=['--no-build-isolation'], engine='pip'"
        more = {} if cache else {"PIP_NO_CACHE_DIR": "1"}
        variables = user_variables(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"), **more)
        done = environment.run("-c", _INSTALL.format(options=options), env=variables)
    assert done.stdout == "['alpha', 'built', 'gamma']\n", done.stderr
    assert len(sent) == 3 and set(sent.values()) == {1}, sent
    code = "import alpha, built, gamma; print(alpha.VERSION, built.VERSION, gamma.VERSION)"
    assert environment.run("-c", code).stdout == "1.0 1.0 1.0\n"


def test_each_file_of_a_private_index_is_downloaded_once(environment: Environment, tmp_path: Path) -> None:
    environment.add("flit_core>=3.4")
    environment.run("-m", "liveinstall", "uninstall", "alpha", check=True)
    _write_index(tmp_path / "index", metadata=False)
    with _counting(tmp_path / "index", password="word") as (host, sent):
        options = f"index_url='http://me:word@{host}/simple/', pip_arguments=['--no-build-isolation'], engine='pip'"
        variables = user_variables(HOME=str(tmp_path), PIP_NO_CACHE_DIR="1")
        done = environment.run("-c", _INSTALL.format(options=options), env=variables)
    assert done.stdout == "['alpha', 'built', 'gamma']\n", done.stderr
    assert len(sent) == 3 and set(sent.values()) == {1}, sent


def test_a_file_that_is_not_what_its_index_says_is_refused_and_nothing_stays(
    environment: Environment, tmp_path: Path
) -> None:
    environment.run("-m", "liveinstall", "uninstall", "alpha", check=True)
    _write_index(tmp_path / "index", metadata=False)
    wheel = next((tmp_path / "index" / "files").glob("alpha-*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"more")
    with _counting(tmp_path / "index") as (host, _):
        options = f"index_url='http://{host}/simple/', engine='pip', deps=True"
        done = environment.run("-c", _INSTALL.format(options=options).replace("gamma", "alpha"))
    assert done.returncode == 1 and "DownloadError" in done.stderr and not (environment.site / "alpha").exists()
