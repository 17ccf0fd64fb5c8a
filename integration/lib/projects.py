"""Small projects of every kind, repositories of them, and a server that offers files on 127.0.0.1."""

from __future__ import annotations

import functools
import io
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_BACKENDS = {
    "setuptools": ('requires = ["setuptools>=64"]', "setuptools.build_meta"),
    "hatchling": ('requires = ["hatchling"]', "hatchling.build"),
    "flit": ('requires = ["flit_core>=3.4"]', "flit_core.buildapi"),
}
BACKENDS = ("setuptools", "setuptools in src", "setup.py", "hatchling", "flit")


def write_project(directory: Path, name: str, version: str = "1.0", *, backend: str = "setuptools") -> Path:
    """Write a project with a package `name` that has a VERSION, and an extra `more` that requires idna.

    `backend` is one of BACKENDS; "setup.py" is a project without a pyproject.toml.
    """
    package = directory / ("src" if backend.endswith("in src") else "") / name
    package.mkdir(parents=True, exist_ok=True)
    text = f'"""Made by a test."""\n__version__ = VERSION = {version!r}\n'
    (package / "__init__.py").write_text(text, encoding="utf-8")
    (package / "late.py").write_text(f"VERSION = {version!r}\n", encoding="utf-8")
    if backend == "setup.py":
        setup = f"name={name!r}, version={version!r}, packages=[{name!r}], extras_require={{'more': ['idna']}}"
        (directory / "setup.py").write_text(f"from setuptools import setup\nsetup({setup})\n", encoding="utf-8")
        return directory
    requires, module = _BACKENDS[backend.partition(" ")[0]]
    lines = [
        *("[build-system]", requires, f'build-backend = "{module}"'),
        *("[project]", f'name = "{name}"', f'version = "{version}"', 'description = "made by a test"'),
        *("[project.optional-dependencies]", 'more = ["idna"]'),
    ]
    (directory / "pyproject.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return directory


def write_repository(directory: Path, name: str, version: str = "1.0", **options: Any) -> tuple[str, str]:
    """A git repository of a project, tagged `v1`: its `git+file:` URL, and its commit."""
    write_project(directory, name, version, **options)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-C", str(directory)]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"], ["tag", "v1"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    done = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return f"git+{directory.as_uri()}", done.stdout.strip()


def write_sdist(directory: Path, name: str, version: str = "1.0", **options: Any) -> Path:
    """An sdist of a project."""
    project = write_project(directory / "unpacked" / f"{name}-{version}", name, version, **options)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: more\n"
    path = directory / f"{name}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(project, f"{name}-{version}")
        entry = tarfile.TarInfo(f"{name}-{version}/PKG-INFO")
        entry.size = len(metadata)
        archive.addfile(entry, io.BytesIO(metadata.encode()))
    return path


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serve(directory: Path) -> Iterator[str]:
    """Serve a directory over HTTP; its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(directory))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
