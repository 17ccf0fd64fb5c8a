"""The uv executable, and whether uv manages the environment. It has few imports, because it runs before all others."""

from __future__ import annotations

import os
import sys
import sysconfig

from _liveinstall_boot.file_access import read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "uv.exe" if os.name == "nt" else "uv"
# Variables that configure uv's sources of packages. UV itself is set by `uv run` for its child processes.
_CONFIGURED = ("UV", "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")


def find_uv() -> str:
    """Find the environment's own uv, or that of `uv run`, or the first on PATH.

    Returns:
        The path of the executable; empty if there is none.
    """
    return next((path for path in _paths() if os.path.isfile(path) and os.access(path, os.X_OK)), "")


def _paths() -> Iterator[str]:
    """Yield the paths one by one: `sysconfig` takes milliseconds for those of its schemes."""
    # Where the package `uv` installs its executable; it has a function for that, but must not be imported.
    yield os.path.join(os.path.dirname(sys.executable or os.devnull), NAME)
    yield os.path.join(sysconfig.get_path("scripts"), NAME)
    yield os.path.join(sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")), NAME)
    yield os.path.join(sysconfig.get_path("scripts", vars={"base": sys.base_prefix}), NAME)
    yield os.environ.get("UV", "")
    directories = os.environ.get("PATH", "").split(os.pathsep)
    # A relative one would run what happens to be in the working directory.
    yield from (os.path.join(each, NAME) for each in directories if os.path.isabs(each))


def why_uv_manages() -> str:
    """Return why uv manages this environment: it created it, or variables configure it; empty if it does not."""
    configured = next((f"{name} is set" for name in _CONFIGURED if os.environ.get(name)), "")
    return configured or ("uv created the environment" if _is_created_by_uv() else "")


def _is_created_by_uv() -> bool:
    try:
        lines = read_bytes(os.path.join(sys.prefix, "pyvenv.cfg")).splitlines()
        return any(line.partition(b"=")[0].strip() == b"uv" for line in lines)
    except OSError:
        return False
