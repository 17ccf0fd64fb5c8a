"""The origins of packages: URLs and hashes from a lock file that uv creates, pylock.toml (PEP 751).

`uv pip install` does not report them. Creating the lock file takes a tenth of a second, so it is done in the
background.
"""

from __future__ import annotations

import os
from functools import cache

from _liveinstall_boot.file_access import read_bytes
from liveinstall._engines.answers import text, understanding
from liveinstall._engines.credentials import without_uv_credentials
from liveinstall._redact import redact
from liveinstall._system.child_process import Child
from liveinstall._system.lean_packaging import canonicalize_name
from liveinstall.errors import EngineError
from liveinstall.results import Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from packaging.tags import Tag


class Origins:
    """A lock file that uv creates in the background.

    Args:
        command: `uv pip compile` with the options for the sources of packages.
        names: The distributions, as `name==version`.
        directory: The absolute path of a directory for files.
        variables: The environment variables of uv.

    Raises:
        EngineError: uv cannot be started.
        OSError: A file cannot be written.
    """

    def __init__(
        self, command: Sequence[str], names: Sequence[str], directory: str, variables: Mapping[str, str]
    ) -> None:
        self._lock = os.path.join(directory, "pylock.toml")
        requirements = os.path.join(directory, "chosen.txt")
        with open(requirements, "w", encoding="utf-8") as stream:
            stream.write("\n".join(names) + "\n")
        arguments = [*command, "--no-deps", "--format=pylock.toml", f"--output-file={self._lock}", requirements]
        arguments, more = without_uv_credentials(arguments, variables, directory)
        self._child = Child(arguments, env={**variables, **more})

    def read(self) -> dict[str, Origin]:
        """Wait for the lock file, for at most 10 seconds, and read it. Failures of uv are ignored.

        Returns:
            The known origins, by normalized name.
        """
        import tomllib  # noqa: F401  it takes a while, and uv is still running

        try:
            self._child.ask("", timeout=10)
            with understanding("uv's lock file"):
                return _origins(self._lock)
        except EngineError:
            return {}

    def stop(self) -> None:
        """Stop uv: the result is no longer needed."""
        self._child.stop()


def _origins(path: str) -> dict[str, Origin]:
    import tomllib

    packages = tomllib.loads(read_bytes(path).decode("utf-8")).get("packages", ())
    found = {canonicalize_name(text(package, "name")): _file(package) for package in packages}
    return {
        name: Origin(redact(str(file.get("url", file.get("path", "")))), _sha256(file)) for name, file in found.items()
    }


def _sha256(file: Mapping[str, Any]) -> str:
    return str(file.get("hashes", {}).get("sha256", ""))


@cache
def _ranks() -> Mapping[Tag, int]:
    """The rank of each compatibility tag for this interpreter; there are about a thousand."""
    from packaging.tags import sys_tags

    return {tag: rank for rank, tag in enumerate(sys_tags())}


def _file(package: Mapping[str, Any]) -> Mapping[str, Any]:
    """The best wheel for this interpreter, or the source distribution."""
    wheels = package.get("wheels", ())
    if len(wheels) == 1 and ("sdist" not in package or _file_name(wheels[0]).endswith("py3-none-any.whl")):
        return dict(wheels[0])  # uv has installed it; without `packaging`, which is slow to load
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    ranks = _ranks()
    best: tuple[int, Mapping[str, Any]] | None = None
    for wheel in wheels:
        try:
            *_, tags = parse_wheel_filename(_file_name(wheel))
        except InvalidWheelFilename:
            continue
        rank = min((ranks[tag] for tag in tags if tag in ranks), default=len(ranks))
        if rank < len(ranks) and (best is None or rank < best[0]):
            best = rank, wheel
    return best[1] if best else package.get("sdist", {})


def _file_name(wheel: Mapping[str, Any]) -> str:
    return str(wheel.get("name") or os.path.basename(wheel.get("url", wheel.get("path", ""))))
