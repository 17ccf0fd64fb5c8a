"""The origins of packages: URLs and hashes from a lock file that uv creates, pylock.toml (PEP 751).

`uv pip install` does not report them. Creating the lock file takes a tenth of a second, so it is done in the
background.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from itertools import product

from _liveinstall_boot.file_access import read_bytes
from liveinstall._engines.answers import text, understanding
from liveinstall._engines.credentials import without_uv_credentials
from liveinstall._redact import redact
from liveinstall._system.child_process import Child
from liveinstall._system.dist_info import read_fields
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
        trees: The unpacked wheel of each distribution, by `name==version`.
        directory: The absolute path of a directory for files.
        variables: The environment variables of uv.

    Raises:
        EngineError: uv cannot be started.
        OSError: A file cannot be written.
    """

    def __init__(
        self, command: Sequence[str], trees: Mapping[str, str], directory: str, variables: Mapping[str, str]
    ) -> None:
        self._trees = {name.partition("==")[0]: tree for name, tree in trees.items()}
        self._lock = os.path.join(directory, "pylock.toml")
        requirements = os.path.join(directory, "chosen.txt")
        with open(requirements, "w", encoding="utf-8") as stream:
            stream.write("\n".join(trees) + "\n")
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
                return _origins(self._lock, self._trees)
        except EngineError:
            return {}

    def stop(self) -> None:
        """Stop uv: the result is no longer needed."""
        self._child.stop()


def _origins(path: str, trees: Mapping[str, str]) -> dict[str, Origin]:
    import tomllib

    packages = tomllib.loads(read_bytes(path).decode("utf-8")).get("packages", ())
    named = {canonicalize_name(text(package, "name")): package for package in packages}
    found = {name: _file(package, trees.get(name, "")) for name, package in named.items()}
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


def _file(package: Mapping[str, Any], tree: str) -> Mapping[str, Any]:
    """The wheel that was installed, or the source distribution that it was built from."""
    wheels = package.get("wheels", ())
    if len(wheels) == 1 and ("sdist" not in package or _file_name(wheels[0]).endswith("py3-none-any.whl")):
        return dict(wheels[0])  # without `packaging`, which is slow to load
    tags = tags_of(tree) if tree and wheels else set()
    same = [wheel for wheel in wheels if tags and tags_in(_file_name(wheel)) == tags]
    return same[0] if len(same) == 1 else _best(package)


def tags_of(tree: str) -> set[str]:
    """Return the compatibility tags of an unpacked wheel; none if they cannot be read.

    Args:
        tree: The absolute path of its directory.
    """
    with suppress(OSError):
        infos = [name for name in os.listdir(tree) if name.endswith(".dist-info")]
        if len(infos) == 1:
            return set(read_fields(os.path.join(tree, infos[0], "WHEEL"), "tag")["tag"])
    return set()


def tags_in(name: str) -> set[str]:
    """Return the compatibility tags in the file name of a wheel; none in another name.

    Args:
        name: The name.
    """
    _, *parts = name.removesuffix(".whl").rsplit("-", 3)
    return {"-".join(tag) for tag in product(*(part.split(".") for part in parts))}


def _best(package: Mapping[str, Any]) -> Mapping[str, Any]:
    """The wheel that is best for this interpreter, or the source distribution."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    ranks = _ranks()
    best: tuple[int, Mapping[str, Any]] | None = None
    for wheel in package.get("wheels", ()):
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
