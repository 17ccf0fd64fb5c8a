"""Public doors that load a name when it is first used (PEP 562)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy_getattr(door: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a public module.

    Args:
        door: The name of the public module.
        names: Each public name, and the full name of the module that has it.

    Returns:
        A function from a name to its value; AttributeError for any other name.
    """

    def load(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {door!r} has no attribute {name!r}")
        return getattr(import_module(names[name]), name)

    return load
