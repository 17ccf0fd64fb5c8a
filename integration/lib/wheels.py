"""Small wheels, and indexes of them, for tests that need a defective one."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path


def write_wheel(
    directory: Path,
    name: str,
    version: str,
    *,
    files: Mapping[str, str] | None = None,
    headers: Iterable[str] = (),
    scripts: Iterable[str] = (),
    tag: str = "py3-none-any",
) -> Path:
    """Write a valid wheel of a package `name` with its version as `VERSION`.

    `files`: more files (path -> text). `headers`: more lines of METADATA. `scripts`: names of console scripts that
    print the version.
    """
    info = f"{name}-{version}.dist-info"
    metadata = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *headers])
    content = {
        f"{name}/__init__.py": f"VERSION = {version!r}\n\n\ndef main():\n    print(VERSION)\n",
        f"{name}/late.py": f"VERSION = {version!r}\n",
        **(files or {}),
        f"{info}/METADATA": metadata + "\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    if scripts:
        lines = "\n".join(f"{script} = {name}:main" for script in scripts)
        content[f"{info}/entry_points.txt"] = f"[console_scripts]\n{lines}\n"
    record = [f"{path},sha256={_base64(text)},{len(text.encode())}" for path, text in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner, text in content.items():
            archive.writestr(inner, text)
    return path


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def write_index(directory: Path, wheels: Mapping[Path, str]) -> str:
    """Make a simple index (PEP 503) of wheels in a directory; its URL. Each wheel's value is added to its link.

    For example ` data-yanked="broken"`, or `#sha256=...` as the end of the link's address when it begins with #.
    """
    projects: dict[str, list[str]] = {}
    for wheel, extra in wheels.items():
        fragment, attributes = (extra, "") if extra.startswith("#") else ("", extra)
        link = f'<a href="{wheel.as_uri()}{fragment}"{attributes}>{wheel.name}</a>'
        projects.setdefault(wheel.name.partition("-")[0], []).append(link)
    for name, links in projects.items():
        page = directory / name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"<!DOCTYPE html><html><body>{'<br>'.join(links)}</body></html>", encoding="utf-8")
    return directory.as_uri()
