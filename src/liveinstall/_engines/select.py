"""Selection of the engine. New engines are registered here, and imported only when they are selected."""

from __future__ import annotations

from liveinstall._engines.uv.program import find_uv, prefers_uv
from liveinstall._system.caller import place_of
from liveinstall._system.interpreter import check_usable
from liveinstall.errors import RequirementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from liveinstall._engines.base import Engine


def _pip() -> Engine:
    from liveinstall._engines.pip.engine import PipEngine

    return PipEngine()


def _uv() -> Engine:
    from liveinstall._engines.uv.engine import UvEngine

    return UvEngine()


ENGINES: dict[str, Callable[[], Engine]] = {"pip": _pip, "uv": _uv}


def choose_engine(name: str) -> Engine:
    """Create an engine.

    Args:
        name: "pip", "uv" or "auto". "auto" selects uv if it is available, and if it created the environment, is
            configured, or pip is missing; otherwise pip.

    Returns:
        The engine, not entered yet.

    Raises:
        RequirementError: There is no engine of this name.
        TargetError: This is a subinterpreter, or Python is shutting down.
    """
    check_usable()
    return ENGINES[engine_name(name)]()


def engine_name(name: str) -> str:
    """Return the name of the engine that `choose_engine()` creates.

    Args:
        name: As for `choose_engine()`.

    Raises:
        RequirementError: There is no engine of this name.
    """
    chosen = _automatic() if name == "auto" else name
    if chosen not in ENGINES:
        raise RequirementError(f"unknown engine {name!r}.", todo=f"Use {' or '.join(ENGINES)}.", requirement="")
    return chosen


def _automatic() -> str:
    is_uv_preferred = prefers_uv() or not place_of("pip")
    return "uv" if is_uv_preferred and find_uv() else "pip"
