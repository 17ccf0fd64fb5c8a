"""What a restart would lose: the user's variables, the big ones by name. Cheap, and safe against odd objects."""

from __future__ import annotations

import sys
from inspect import getattr_static
from types import FunctionType, MethodDescriptorType, ModuleType, WrapperDescriptorType
from typing import TYPE_CHECKING, Any

from liveinstall._frontends.detect import ipython

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BIG = 10_000_000  # bytes
_NAMED = 3
_NO_DATA = (ModuleType, FunctionType, type)


def variables() -> dict[str, Any]:
    """What the user has defined, by name: not what a front end, an import or a definition put there."""
    shell = ipython()
    if shell is None:
        found, hidden = vars(sys.modules["__main__"]), {}
    else:
        found, hidden = shell.user_ns, shell.user_ns_hidden
    return {
        name: value
        for name, value in list(found.items())
        if not name.startswith("_")
        and type(value).__module__ != "ptpython.repl"  # its own `exit`
        and name not in hidden
        and not issubclass(type(value), _NO_DATA)  # isinstance may ask the object
    }


def size(value: Any) -> int:
    """Bytes of memory, as far as the object itself says so at once; 0 where asking would run anybody's slow code.

    A container counts without what is in it.
    """
    try:
        if getattr_static(type(value), "nbytes", None) is not None:  # numpy, a pandas Series, torch, xarray
            found = value.nbytes
        elif type(value).__module__.startswith("pandas."):
            found = sum(value.memory_usage(deep=False))  # its __sizeof__ would look at each string
        elif isinstance(getattr_static(type(value), "__sizeof__"), (MethodDescriptorType, WrapperDescriptorType)):
            found = sys.getsizeof(value)  # no Python code
        else:
            return 0
        return int(found)
    except Exception:  # noqa: BLE001  whatever somebody's object does, a restart must not fail for it
        return 0


def lost_words(found: Mapping[str, Any] | None = None) -> str:
    """A sentence that says what is lost and names what is big; empty when there is nothing."""
    found = variables() if found is None else found
    big = sorted(_big(found), key=lambda item: -item[1])[:_NAMED]
    if not found:
        return ""
    named = ", ".join(f"{name} ({words(count)})" for name, count in big)
    rest = len(found) - len(big)
    more = f"{rest} {'more ' if big else ''}variable{'s' if rest > 1 else ''}" if rest else ""
    return f"Lost: {' and '.join(filter(None, (named, more)))}."


def _big(found: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The name and size of each big object, once, however many names it has."""
    seen = set()
    for name, value in found.items():
        if id(value) not in seen:
            seen.add(id(value))
            count = size(value)
            if count >= BIG:
                yield name, count


def words(count: int) -> str:
    """`1.2 GB`, `300 MB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"  # noqa: PLR2004
