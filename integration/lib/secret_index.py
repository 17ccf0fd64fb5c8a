"""An index, a wheel and a repository on 127.0.0.1 with a password; and a search for leaks of it."""

from __future__ import annotations

import base64
import os
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from integration.lib.wheels import write_wheel

MARK = "XqzSECRETzqX"  # in each part of each secret, so that truncated ones are found, too
USER = "somebody"


class _Private(SimpleHTTPRequestHandler):
    """Files, for clients that send a password with MARK in it."""

    def do_GET(self) -> None:
        kind, _, words = self.headers.get("Authorization", "").partition(" ")
        given = base64.b64decode(words).decode() if kind == "Basic" else words
        if MARK in unquote(given) or MARK in self.path.partition("?")[2]:
            super().do_GET()
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="private"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def private_index(directory: Path) -> Iterator[str]:
    """HOST:PORT of a server with `/simple/`, `/files/alpha-N.0-...whl` and the repository `/repository/.git`.

    There are also the source archives `built`, which needs alpha for its build, and `broken`, whose build prints all
    that it gets and fails.
    """
    for version in ("1.0", "2.0"):
        wheel = write_wheel(directory / "files", "alpha", version)
        page = directory / "simple" / "alpha" / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        with page.open("a", encoding="utf-8") as stream:
            stream.write(f'<a href="../../files/{wheel.name}">{wheel.name}</a>\n')
    for name in ("built", "broken"):
        _source_archive(directory, name)
    _repository(directory / "repository")
    handler = partial(_Private, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


_BACKEND = """
import os, sys, zipfile
import alpha
def build_wheel(directory, *_):
    if {fails}:
        print(sys.argv, dict(os.environ), file=sys.stderr)
        raise RuntimeError("no " + os.environ.get("PIP_INDEX_URL", "") + os.environ.get("UV_DEFAULT_INDEX", ""))
    path = os.path.join(directory, "{name}-1.0-py3-none-any.whl")
    info = "{name}-1.0.dist-info/"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr("{name}.py", "")
        names = [info + "METADATA", info + "WHEEL", "{name}.py"]
        rows = [name + ",sha256=" + digest(archive.read(name)) + "," + str(len(archive.read(name))) for name in names]
        archive.writestr(info + "RECORD", "\\n".join([*rows, info + "RECORD,,"]) + "\\n")
    return os.path.basename(path)
def digest(content):
    import base64, hashlib
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
"""


def _source_archive(directory: Path, name: str) -> None:
    project = directory / "projects" / f"{name}-1.0"
    project.mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1.0"\n[build-system]\nrequires = ["alpha"]\n'
        'build-backend = "backend"\nbackend-path = ["."]\n',
        encoding="utf-8",
    )
    (project / "backend.py").write_text(_BACKEND.format(name=name, fails=name == "broken"), encoding="utf-8")
    (project / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    with tarfile.open(directory / "files" / f"{name}-1.0.tar.gz", "w:gz") as archive:
        archive.add(project, f"{name}-1.0")
    page = directory / "simple" / name / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="../../files/{name}-1.0.tar.gz">{name}-1.0.tar.gz</a>\n', encoding="utf-8")


def _repository(place: Path) -> None:
    place.mkdir()
    backend = f"{place.parent}/files/alpha-2.0-py3-none-any.whl"
    (place / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n', encoding="utf-8"
    )
    (place / "backend.py").write_text(
        "import shutil\n\n\ndef build_wheel(directory, *_):\n"
        f"    return shutil.copy({backend!r}, directory).rpartition('/')[2]\n",
        encoding="utf-8",
    )
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"], ["update-server-info"]):
        subprocess.run(
            ["git", *who, *words], cwd=place, check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
        )


class ProcessList:
    """Reads the arguments of all processes while it is open, as any user can; `seen` are those with MARK."""

    def __enter__(self) -> Self:
        self.seen: set[str] = set()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        mine = os.getpid()
        while not self._is_over.is_set():
            for name in os.listdir("/proc"):
                if name.isdigit() and int(name) != mine:
                    with suppress(OSError):
                        words = (
                            Path("/proc", name, "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                        )
                        if MARK in words:
                            self.seen.add(words)
            time.sleep(0.002)


def leaks(directory: Path, *, but: tuple[str, ...] = ()) -> list[str]:
    """The files below it with MARK in name or content; except below the paths in `but`, relative to it."""
    found = []
    for place, names, files in os.walk(directory):
        here = os.path.relpath(place, directory)
        names[:] = [name for name in names if os.path.normpath(os.path.join(here, name)) not in but]
        for name in files:
            path = Path(place, name)
            if os.path.normpath(os.path.join(here, name)) in but or path.is_symlink():
                continue
            if MARK in str(path) or MARK.encode() in path.read_bytes():
                found.append(str(path))
    return found
