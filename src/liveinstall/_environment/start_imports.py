"""The distributions that every interpreter of an environment imports at its start, because of a `.pth` file."""

from __future__ import annotations

import os
from contextlib import suppress

from _liveinstall_boot.file_access import read_bytes
from _liveinstall_boot.layout import COMPANIONS
from liveinstall._environment.loaded import file_among
from liveinstall._system.child_process import run
from liveinstall._system.interpreter import executable
from liveinstall._system.temporary import temporary_directory
from liveinstall.errors import EngineTimeoutError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from liveinstall._model import Distribution


def loaded_at_start(distributions: Iterable[Distribution], site: str) -> set[str]:
    """Find the distributions that this interpreter imports at start-up already, because of a .pth file.

    A new interpreter is started for that, but only if a .pth file has an import line.

    Args:
        distributions: The distributions to check.
        site: The site-packages directory, absolute.

    Returns:
        Their names; all of them if the interpreter does not finish in time.
    """
    distributions = list(distributions)
    if not distributions or not _has_import_lines(site):
        return set()
    with temporary_directory() as directory:
        answer = os.path.join(directory, "files")
        try:
            run([executable(), "-c", _FILES, answer], timeout=60)
        except EngineTimeoutError:
            return {distribution.name for distribution in distributions}  # an unnecessarily early companion is harmless
        with suppress(FileNotFoundError), open(answer, encoding="utf-8", errors="surrogateescape") as stream:
            files = {os.path.realpath(line.rstrip("\n")) for line in stream}
            return {distribution.name for distribution in distributions if file_among(distribution, files)}
    return set()


_FILES = """
import sys
files = [getattr(module, "__dict__", {}).get("__file__") for module in list(sys.modules.values())]
with open(sys.argv[1], "w", encoding="utf-8", errors="surrogateescape") as stream:
    stream.writelines(file + "\\n" for file in files if isinstance(file, str))
"""


def _has_import_lines(site: str) -> bool:
    for name in os.listdir(site) if os.path.isdir(site) else ():
        if name.endswith(".pth") and not name.endswith(COMPANIONS):
            with suppress(OSError):
                lines = read_bytes(os.path.join(site, name)).splitlines()
                if any(line.startswith((b"import ", b"import\t")) for line in lines):
                    return True
    return False
