"""The output of an engine, as values of known types; anything else is an EngineError."""

from __future__ import annotations

import json
from contextlib import contextmanager

from _liveinstall_boot.file_access import read_bytes
from liveinstall.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

_UNEXPECTED = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError)


@contextmanager
def understanding(what: str, log: str = "") -> Iterator[None]:
    """Raise EngineError if a block cannot read the output of an engine.

    Args:
        what: The name of that output, for the message.
        log: The engine's output.
    """
    try:
        yield
    except _UNEXPECTED as error:
        said = str(error)[:200] or "no more is known"
        raise EngineError(
            f"{what} is not valid ({type(error).__name__}: {said}).",
            todo="Try again; if it stays so, take the other engine, or another version of this one.",
            log=log,
        ) from None


def read_json(path: str) -> dict[str, Any]:
    """The JSON object in a file. Raises OSError, ValueError, RecursionError."""
    found = json.loads(read_bytes(path))
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004  as for every other damage
    return found


def text(found: Mapping[str, Any], name: str) -> str:
    """A string of an object. Raises KeyError, TypeError."""
    value = found[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a string")
    return value


def texts(found: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of strings of an object; empty if it has none. Raises TypeError."""
    values = found.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} is not a list of strings")
    return tuple(values)
