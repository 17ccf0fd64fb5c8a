"""A release of a session: the packages in a lock, and the launcher that Spark starts as the interpreter."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass

from liveinstall._cluster.spark.release_paths import FOLDER, PREFIX, lock_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from liveinstall._cluster.values import Lock

_SHORT = 16  # characters of the digest
# Spark reads the port of its worker from standard output, so nothing else may be written there.
_LAUNCHER = """\
#!/bin/sh
# The interpreter of a liveinstall release. An executor that does not have its home yet makes it first.
here=$(cd "$(dirname "$0")" && pwd) || exit 1
home="$here/{folder}/{digest}"
[ -f "$home/liveinstall-home" ] || {python} -P -m {module} "$here" {digest} 1>&2 </dev/null || exit 1
exec "$home/bin/python" "$@"
"""
MODULE = "liveinstall._cluster.spark.executor_home"


@dataclass(frozen=True)
class Release:
    """The packages of a session, by their lock.

    Attributes:
        lock: The lock.
        python: The interpreter of the executors, as Spark is configured.
    """

    lock: Lock
    python: str

    @property
    def digest(self) -> str:
        """The name of the release: the beginning of the lock's digest."""
        return self.lock.digest[:_SHORT]

    @property
    def launcher(self) -> str:
        """The file name of the launcher."""
        return PREFIX + self.digest

    def write(self, directory: str) -> tuple[str, ...]:
        """Write the lock and the launcher.

        Args:
            directory: An existing directory.

        Returns:
            The paths of the files.
        """
        script = _LAUNCHER.format(folder=FOLDER, digest=self.digest, python=shlex.quote(self.python), module=MODULE)
        paths = lock_path(directory, self.digest), os.path.join(directory, self.launcher)
        for path, text in zip(paths, (self.lock.text, script), strict=True):
            with open(path, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
        return paths
