"""Which engine resolves a request. A further engine is registered here; pip is always there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liveinstall.errors import RequirementError
from liveinstall.planning.engines.pip import PipEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from liveinstall.planning.engines import Engine

ENGINES: dict[str, Callable[[], Engine]] = {"pip": PipEngine}


def choose_engine(name: str) -> Engine:
    """The engine of that name; `auto` is pip. RequirementError for a name that nobody has registered."""
    maker = ENGINES.get("pip" if name == "auto" else name)
    if maker is None:
        raise RequirementError(f"there is no engine {name!r}; there is {', '.join(ENGINES)}.", requirement="")
    return maker()
