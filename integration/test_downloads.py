"""pip's downloads for an install or a plan, from a counting index on 127.0.0.1: each file once, or only its end."""

from __future__ import annotations

import hashlib
import json
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
def _counting(directory: Path, *, password: str = "", ranges: bool = False) -> Iterator[tuple[str, Counter[str]]]:
    """HOST:PORT of a server of the files in a directory, and how often each was sent, without pages.

    With `ranges` it sends ranges, which are counted as "NAME in part".
    """
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
                in_part = ranges and self.headers.get("Range")
                sent[self.path.rpartition("/")[2] + (" in part" if in_part else "")] += 1
                if in_part:
                    self._send_range(in_part.removeprefix("bytes="))
                    return
            super().do_GET()

        def _send_range(self, wanted: str) -> None:
            content = (directory / self.path.lstrip("/")).read_bytes()
            first, _, last = wanted.partition("-")
            start = int(first) if first else max(0, len(content) - int(last))
            piece = content[start : int(last) + 1] if first else content[start:]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{start + len(piece) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(piece)))
            self.end_headers()
            self.wfile.write(piece)

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
    _write_pages(directory, metadata=metadata)


def _write_pages(directory: Path, *, metadata: bool) -> None:
    for file in list((directory / "files").iterdir()):
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


_PLANS = """
import json, os, liveinstall as li
options = dict(index_url="http://{address}/simple/", engine="pip")
plans = [li.plan("alpha", "gamma", **options) for _ in range(2)]
print(json.dumps([[
    [[os.path.basename(each.path), each.owner, each.others] for each in plan.overlaps], plan.unlisted, plan.notes
] for plan in plans]))
if {install}:
    done = li.install("alpha", "gamma", **options)
    print(json.dumps([[os.path.basename(each.path), each.owner, each.others] for each in done.overlaps]))
"""
_BOTH = [["both.py", "gamma", ["alpha"]]]


def _write_overlapping(directory: Path, *, metadata: bool = True) -> None:
    """An index of two wheels of 300 kB that share a path."""
    padding = {"big.txt": "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(9000))}
    needs = {"alpha": [], "gamma": ["Requires-Dist: alpha"]}
    for name, headers in needs.items():
        files = {f"{name}/big.txt": padding["big.txt"], "both.py": f"V = {name!r}\n"}
        write_wheel(directory / "files", name, "1.0", headers=headers, files=files)
    _write_pages(directory, metadata=metadata)


@pytest.mark.parametrize("password", ["", "word"], ids=["public", "private"])
def test_a_plan_reads_the_end_of_each_wheel_once_and_names_overlaps(
    environment: Environment, tmp_path: Path, password: str
) -> None:
    environment.run("-m", "liveinstall", "uninstall", "alpha", check=True)
    _write_overlapping(tmp_path / "index")
    with _counting(tmp_path / "index", ranges=True, password=password) as (host, sent):
        address = f"me:{password}@{host}" if password else host
        variables = user_variables(HOME=str(tmp_path), PIP_NO_CACHE_DIR="1")
        done = environment.run("-c", _PLANS.format(address=address, install=True), env=variables, check=True)
    plans, installed = map(json.loads, done.stdout.splitlines())
    assert plans == [[_BOTH, [], []]] * 2 and installed == _BOTH
    name = "{}-1.0-py3-none-any.whl{}".format
    assert sent == {name(each, how): 1 for each in ("alpha", "gamma") for how in ("", " in part")}


def test_a_plan_of_an_index_without_ranges_says_whose_files_are_not_known(
    environment: Environment, tmp_path: Path
) -> None:
    environment.run("-m", "liveinstall", "uninstall", "alpha", check=True)
    _write_overlapping(tmp_path / "index")
    with _counting(tmp_path / "index") as (host, sent):
        variables = user_variables(HOME=str(tmp_path), PIP_NO_CACHE_DIR="1")
        done = environment.run("-c", _PLANS.format(address=host, install=False), env=variables, check=True)
    why = "its server does not support range requests, so overlaps of its files are not known yet"
    ((overlaps, unlisted, notes), again) = json.loads(done.stdout)
    assert not overlaps and sorted(unlisted) == ["alpha", "gamma"] and again == [overlaps, unlisted, notes]
    assert sorted(notes) == [f"alpha: {why}", f"gamma: {why}"] and max(sent.values()) == 2, sent


def test_a_plan_reads_what_pip_has_downloaded_for_its_metadata(environment: Environment, tmp_path: Path) -> None:
    environment.run("-m", "liveinstall", "uninstall", "alpha", check=True)
    _write_overlapping(tmp_path / "index", metadata=False)
    with _counting(tmp_path / "index") as (host, sent):
        variables = user_variables(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))
        done = environment.run("-c", _PLANS.format(address=host, install=True), env=variables, check=True)
    plans, installed = map(json.loads, done.stdout.splitlines())
    assert plans == [[_BOTH, [], []]] * 2 and installed == _BOTH
    assert len(sent) == 2, sent


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
