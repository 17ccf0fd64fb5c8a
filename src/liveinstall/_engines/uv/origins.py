"""The origins of packages, from a lock file that uv makes of them, pylock.toml (PEP 751), with URLs and hashes.

`uv pip install` does not report them. Making the lock file takes a tenth of a second, so it is done in the background.
"""

from __future__ import annotations

import os
import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any

from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from liveinstall._engines.credentials import without_uv_credentials
from liveinstall._redact import redact
from liveinstall._system.child_process import Child
from liveinstall.errors import EngineError
from liveinstall.results import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from packaging.tags import Tag


class Origins:
    """A lock file that uv makes in the background of `names` (`name==version`)."""

    def __init__(
        self, command: Sequence[str], names: Sequence[str], directory: str, variables: Mapping[str, str]
    ) -> None:
        self._lock = os.path.join(directory, "pylock.toml")
        wanted = os.path.join(directory, "chosen.txt")
        with open(wanted, "w", encoding="utf-8") as stream:
            stream.write("\n".join(names) + "\n")
        arguments = [*command, "--no-deps", "--format=pylock.toml", f"--output-file={self._lock}", wanted]
        words, more = without_uv_credentials(arguments, variables, directory)
        self._child = Child(words, env={**variables, **more})

    def read(self) -> dict[str, Origin]:
        """Wait for the lock file: name -> origin; unknown origins are omitted. Never raises because of uv."""
        try:
            self._child.ask("", timeout=10)
            with open(self._lock, "rb") as stream:
                packages = tomllib.load(stream).get("packages", ())
        except (EngineError, OSError, ValueError):
            return {}
        found = {canonicalize_name(package["name"]): _file(package) for package in packages}
        return {
            name: Origin(redact(file.get("url", file.get("path", ""))), _sha256(file)) for name, file in found.items()
        }

    def stop(self) -> None:
        """Stop uv: the result is no longer needed."""
        self._child.stop()


def _sha256(file: Mapping[str, Any]) -> str:
    return str(file.get("hashes", {}).get("sha256", ""))


@cache
def _ranks() -> Mapping[Tag, int]:
    """The rank of each compatibility tag for this interpreter; there are about a thousand."""
    return {tag: rank for rank, tag in enumerate(sys_tags())}


def _file(package: Mapping[str, Any]) -> Mapping[str, Any]:
    """The best wheel for this interpreter, or the source distribution."""
    ranks = _ranks()
    best: tuple[int, Mapping[str, Any]] | None = None
    for wheel in package.get("wheels", ()):
        try:
            *_, tags = parse_wheel_filename(
                wheel.get("name") or os.path.basename(wheel.get("url", wheel.get("path", "")))
            )
        except InvalidWheelFilename:
            continue
        rank = min((ranks[tag] for tag in tags if tag in ranks), default=len(ranks))
        if rank < len(ranks) and (best is None or rank < best[0]):
            best = rank, wheel
    return best[1] if best else package.get("sdist", {})
