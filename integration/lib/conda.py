"""An imitation of how conda links packages, because conda is not on PyPI.

Linking a package unlinks the files that `conda-meta/<name>-<version>-0.json` lists of the old one, and the directories
that this leaves empty; then it hard-links the new one's files from the cache, and writes their list. Its dist-info says
`conda` as its INSTALLER, and has a RECORD or, as those of many packages, none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from integration.lib.environments import Environment, user_variables


class Conda:
    """Links packages from PyPI into an environment. `cache`: a directory on the same file system."""

    def __init__(self, environment: Environment, cache: Path) -> None:
        self.environment, self.cache = environment, cache
        self.meta = environment.path / "conda-meta"
        self.meta.mkdir(exist_ok=True)

    def link(self, name: str, version: str, *, record: bool = True) -> None:
        """Link a version in place of the existing one."""
        package = self._package(name, version, record=record)
        self.unlink(name)
        prefix, site, files = self.environment.path, self.environment.site, []
        for source in sorted(path for path in package.rglob("*") if path.is_file()):
            target = site / source.relative_to(package)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, target)
            files.append(str(target.relative_to(prefix)))
        about = {"name": name, "version": version, "build": "0", "channel": "imitated", "files": files}
        (self.meta / f"{name}-{version}-0.json").write_text(json.dumps(about), encoding="utf-8")

    def unlink(self, name: str) -> None:
        """Remove a package, by its list of files."""
        for listed in self.meta.glob(f"{name}-*.json"):
            paths = [self.environment.path / path for path in json.loads(listed.read_text(encoding="utf-8"))["files"]]
            for path in paths:
                path.unlink(missing_ok=True)
                for cached in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
                    cached.unlink()  # conda lists compiled files
            for directory in sorted({d for path in paths for d in (path.parent, path.parent / "__pycache__")})[::-1]:
                if directory.is_dir() and directory != self.environment.site and not any(directory.iterdir()):
                    directory.rmdir()
            listed.unlink()

    def _package(self, name: str, version: str, *, record: bool) -> Path:
        """A package in the cache."""
        package = self.cache / f"{name}-{version}-{int(record)}"
        options = ["-q", "--no-deps", "--no-compile", "--disable-pip-version-check", "--target", str(package)]
        command = [sys.executable, "-m", "pip", "install", *options, f"{name}=={version}"]
        subprocess.run(command, check=True, env=user_variables())
        info = next(package.glob("*.dist-info"))
        (info / "INSTALLER").write_text("conda\n", encoding="utf-8")
        listed = info / "RECORD"
        lines = listed.read_text(encoding="utf-8").splitlines()
        listed.unlink()
        if record:
            kept = [f"{info.name}/INSTALLER,," if line.startswith(f"{info.name}/INSTALLER") else line for line in lines]
            listed.write_text("\n".join([*kept, ""]), encoding="utf-8")
        return package
