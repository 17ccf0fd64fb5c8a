"""The uv executable, and whether uv manages the environment. It has few imports, because it runs before all others."""

from __future__ import annotations

import os
import sys
import sysconfig
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "uv.exe" if os.name == "nt" else "uv"
# Variables that say where uv gets packages. UV itself is set by `uv run` for its child processes.
_CONFIGURED = ("UV", "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")


def find_uv() -> str:
    """The environment's own uv, or that of `uv run`, or the first on PATH; empty if there is none."""
    places = [*_own_places(), os.environ.get("UV", "")]
    places += [os.path.join(place, NAME) for place in os.environ.get("PATH", "").split(os.pathsep) if place]
    return next((place for place in places if os.path.isfile(place) and os.access(place, os.X_OK)), "")


def _own_places() -> Iterator[str]:
    """The directories of the executable of the package `uv`. It has a function for that, but must not be imported."""
    yield os.path.join(os.path.dirname(sys.executable or os.devnull), NAME)
    yield os.path.join(sysconfig.get_path("scripts"), NAME)
    yield os.path.join(sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")), NAME)
    yield os.path.join(sysconfig.get_path("scripts", vars={"base": sys.base_prefix}), NAME)


def prefers_uv() -> bool:
    """Whether uv made this environment, or is configured by environment variables."""
    return any(os.environ.get(name) for name in _CONFIGURED) or _is_made_by_uv()


def _is_made_by_uv() -> bool:
    try:
        with open(os.path.join(sys.prefix, "pyvenv.cfg"), encoding="utf-8", errors="replace") as stream:
            return any(line.partition("=")[0].strip() == "uv" for line in stream)
    except OSError:
        return False
