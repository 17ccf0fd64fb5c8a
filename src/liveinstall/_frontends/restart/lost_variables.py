"""The user's variables that a restart loses, large ones by name. Cheap, and safe with unusual objects."""

from __future__ import annotations

import sys
from inspect import getattr_static
from types import FunctionType, MethodDescriptorType, ModuleType, WrapperDescriptorType

from liveinstall._frontends.detect import ipython

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

BIG = 10_000_000  # bytes
_NAMED = 3
_NO_DATA = (ModuleType, FunctionType, type)
_MISSING = object()


def variables() -> dict[str, Any]:
    """Return the user's variables by name, without those from a front end, an import or a definition."""
    shell = ipython()
    namespace = vars(sys.modules["__main__"]) if shell is None else shell.user_ns
    return {
        name: value
        for name, value in list(namespace.items())
        if not name.startswith("_")
        and type(value).__module__ != "ptpython.repl"  # its own `exit`
        and not is_hidden(name, value)
        and not issubclass(type(value), _NO_DATA)  # isinstance may run code of the object
    }


def is_hidden(name: str, value: Any) -> bool:
    """Return whether IPython or its startup files have set a variable, and the user has not set it since.

    Args:
        name: The name of the variable.
        value: Its value.
    """
    shell = ipython()
    return shell is not None and shell.user_ns_hidden.get(name, _MISSING) is value


def size(value: Any) -> int:
    """Return the bytes of memory of an object, if quickly available; 0 if slow code of other packages would run.

    The content of a container is not counted.
    """
    try:
        if getattr_static(type(value), "nbytes", None) is not None:  # numpy, a pandas Series, torch, xarray
            count = value.nbytes
        elif type(value).__module__.startswith("pandas."):
            count = sum(value.memory_usage(deep=False))  # its __sizeof__ would examine each string
        elif isinstance(getattr_static(type(value), "__sizeof__"), (MethodDescriptorType, WrapperDescriptorType)):
            count = sys.getsizeof(value)  # runs no Python code
        else:
            return 0
        return int(count)
    except Exception:  # noqa: BLE001  a restart must not fail because of a user's object
        return 0


def lost_message(found: Mapping[str, Any] | None = None) -> str:
    """Return a sentence about the variables that are lost, with the names of large ones; empty if there are none.

    Args:
        found: The variables by name, by default those of the user.
    """
    found = variables() if found is None else found
    big = sorted(_big(found), key=lambda item: -item[1])[:_NAMED]
    if not found:
        return ""
    named = ", ".join(f"{name} ({format_size(count)})" for name, count in big)
    rest = len(found) - len(big)
    if not big:
        return f"{rest} variable{'s' if rest > 1 else ''} will be lost."
    return f"These variables will be lost: {named}{f' and {rest} more' if rest else ''}."


def _big(namespace: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The name and size of each large object, once, even if it has several names."""
    seen = set()
    for name, value in namespace.items():
        if id(value) not in seen:
            seen.add(id(value))
            count = size(value)
            if count >= BIG:
                yield name, count


def format_size(count: int) -> str:
    """Format a number of bytes, for example `1.2 GB` or `300 MB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"  # noqa: PLR2004
