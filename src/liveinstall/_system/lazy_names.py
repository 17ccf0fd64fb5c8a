"""Public modules that load a name when it is first used (PEP 562)."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def lazy_getattr(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a public module.

    Args:
        module: The name of the public module.
        names: The full name of the module that defines it, by public name.

    Returns:
        A function that returns the value of a public name and raises AttributeError for any other.
    """

    def load(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(import_module(names[name]), name)

    return load
