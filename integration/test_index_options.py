"""`list --outdated`, `--only-deps` and `--uploaded-prior-to` with real engines and an index with upload times."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from integration.lib.environments import Environment, user_variables
from integration.lib.interpreters import find_uv
from integration.lib.wheels import write_wheel

_YEARS = {"1.0": "2020", "2.0": "2024"}
_CONTENT = "application/vnd.pypi.simple.v1+json"
_ENGINES = [
    "pip",
    pytest.param("uv", marks=pytest.mark.skipif(not find_uv(), reason="there is no uv")),
]


@contextmanager
def _index(directory: Path) -> Iterator[str]:
    """The URL of an index (PEP 691, PEP 700) of alpha and gamma, which requires alpha: 1.0 of 2020, 2.0 of 2024."""
    files = {}
    for version in _YEARS:
        for name, headers in {"alpha": (), "gamma": ("Requires-Dist: alpha",)}.items():
            wheel = write_wheel(directory, name, version, headers=headers)
            files[wheel.name] = wheel.read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rstrip("/").rpartition("/")[2]
            page = json.dumps(_page(name, files)).encode() if self.path.startswith("/simple/") else b""
            content = files.get(name, page)
            self.send_response(200 if content else 404)
            self.send_header("Content-Type", _CONTENT if content is page else "application/octet-stream")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple/"
        server.shutdown()


def _page(name: str, files: dict[str, bytes]) -> dict[str, Any]:
    rows = [
        {
            "filename": file,
            "url": f"/files/{file}",
            "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
            "size": len(content),
            "upload-time": f"{_YEARS[file.split('-')[1]]}-01-01T00:00:00Z",
        }
        for file, content in files.items()
        if file.startswith(name + "-")
    ]
    return {"meta": {"api-version": "1.1"}, "name": name, "versions": list(_YEARS), "files": rows}


def _run(environment: Environment, tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    variables = user_variables(HOME=str(tmp_path), PIP_NO_CACHE_DIR="1", UV_CACHE_DIR=str(tmp_path / "cache"))
    return environment.run("-m", "liveinstall", *words, env=variables)


def _with_new_pip(environment: Environment) -> None:
    try:
        environment.add("pip>=26.3")
    except subprocess.CalledProcessError:
        pytest.skip("pip 26.3 cannot be had")


@pytest.mark.parametrize("engine", _ENGINES)
def test_outdated_distributions_are_listed(environment: Environment, tmp_path: Path, engine: str) -> None:
    with _index(tmp_path / "index") as url:
        words = ("--outdated", "--format=json", "--index-url", url, "--engine", engine)
        done = _run(environment, tmp_path, "list", *words)
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["alpha"] == {"name": "alpha", "version": "1.0", "latest_version": "2.0", "latest_filetype": "wheel"}
    assert list(rows) == ["alpha"], done.stderr


@pytest.mark.parametrize("engine", _ENGINES)
def test_files_that_were_uploaded_later_do_not_count(environment: Environment, tmp_path: Path, engine: str) -> None:
    if engine == "pip":
        _with_new_pip(environment)
    with _index(tmp_path / "index") as url:
        words = ("install", "--json", "--index-url", url, "--engine", engine, "gamma")
        done = _run(environment, tmp_path, *words, "--uploaded-prior-to=2022-01-01T00:00:00Z")
    assert done.returncode == 0, done.stdout + done.stderr
    code = "import alpha, gamma; print(alpha.VERSION, gamma.VERSION)"
    assert environment.run("-c", code).stdout == "1.0 1.0\n"


def test_only_the_dependencies_are_installed(environment: Environment, tmp_path: Path) -> None:
    _with_new_pip(environment)
    environment.run("-m", "liveinstall", "uninstall", "-y", "alpha", check=True)
    with _index(tmp_path / "index") as url:
        words = ("install", "--index-url", url, "--engine", "pip", "--only-deps", "gamma")
        done = _run(environment, tmp_path, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert environment.run("-c", "import alpha; print(alpha.VERSION)").stdout == "2.0\n"
    assert not (environment.site / "gamma").exists()


@pytest.mark.skipif(not find_uv(), reason="there is no uv")
def test_uv_says_that_it_cannot_install_only_dependencies(environment: Environment, tmp_path: Path) -> None:
    with _index(tmp_path / "index") as url:
        words = ("install", "--index-url", url, "--engine", "uv", "--only-deps", "gamma")
        done = _run(environment, tmp_path, *words)
    assert done.returncode and "--only-deps" in done.stderr and not (environment.site / "gamma").exists()
