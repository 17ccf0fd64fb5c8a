"""Selection of the engine. New engines are registered here, and imported only when they are selected."""

from __future__ import annotations

from liveinstall._engines.uv.program import find_uv, why_uv_manages
from liveinstall._system.caller import place_of
from liveinstall._system.interpreter import check_usable
from liveinstall._system.lean_dataclasses import NamedTuple
from liveinstall.errors import RequirementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from liveinstall._engines.base import Engine


def _pip() -> Engine:
    from liveinstall._engines.pip.engine import PipEngine

    return PipEngine()


def _uv() -> Engine:
    from liveinstall._engines.uv.engine import UvEngine

    return UvEngine()


ENGINES: dict[str, Callable[[], Any]] = {"pip": _pip, "uv": _uv}


class EngineChoice(NamedTuple):
    """The choice of an engine.

    Attributes:
        name: The name of the engine.
        reason: Why it was chosen, for people.
        has_fallback: Whether it was chosen only because it is faster, so that pip has to resolve what it cannot.
    """

    name: str
    reason: str
    has_fallback: bool = False


def choose_engine(name: str, requirements: Sequence[Any] = (), options: Mapping[str, Any] | None = None) -> Engine:
    """Create an engine.

    Args:
        name: "pip", "uv" or "auto". "auto" selects uv if it is available, and if it manages the environment, or if pip
            would do the same; otherwise pip.
        requirements: The requirements to install as the caller gave them, unchecked.
        options: The options of `install()`, unchecked; None if wheels are not needed. Then "auto" selects uv only if it
            manages the environment, because uv would download them.

    Returns:
        The engine, not entered yet, with the attributes `name` and `reason`.

    Raises:
        RequirementError: There is no engine of this name.
        TargetError: This is a subinterpreter, or Python is shutting down.
    """
    check_usable()
    chosen = _choice(name, requirements, options)
    engine = ENGINES[chosen.name]()
    if chosen.has_fallback:
        from liveinstall._engines.fallback import FallbackEngine

        engine = FallbackEngine(engine, ENGINES["pip"])
    engine.name, engine.reason = chosen.name, chosen.reason
    return engine  # type: ignore[no-any-return]


def engine_name(name: str) -> str:
    """Return the name of the engine that `choose_engine()` creates if nothing is installed.

    Args:
        name: As for `choose_engine()`.

    Raises:
        RequirementError: There is no engine of this name.
    """
    return _choice(name).name


def _choice(name: str, requirements: Sequence[Any] = (), options: Mapping[str, Any] | None = None) -> EngineChoice:
    if name == "auto":
        return _automatic(requirements, options)
    if name not in ENGINES:
        raise RequirementError(f"unknown engine {name!r}.", todo=f"Use {' or '.join(ENGINES)}.", requirement="")
    return EngineChoice(name, "it was requested")


def _automatic(requirements: Sequence[Any], options: Mapping[str, Any] | None) -> EngineChoice:
    managed = why_uv_manages() or ("" if place_of("pip") else "pip is not installed")
    if managed:
        return EngineChoice("uv", managed) if find_uv() else EngineChoice("pip", f"{managed}, but uv was not found")
    if options is None:
        return EngineChoice("pip", "uv would download the wheels")
    from liveinstall._engines.agreement import AGREED, difference

    reason = difference(requirements, options) or ("" if find_uv() else "uv was not found")
    return EngineChoice("pip", reason) if reason else EngineChoice("uv", AGREED, has_fallback=True)
