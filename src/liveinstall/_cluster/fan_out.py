"""Acting on many processes at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

T = TypeVar("T")


async def outcomes(items: Iterable[T], act: Callable[[T], Awaitable[Any]]) -> list[Any]:
    """Act on all items at the same time; the result or the error of each.

    Args:
        items: The items.
        act: What is done with each.
    """
    return await asyncio.gather(*map(act, items), return_exceptions=True)


async def all_of(items: Iterable[T], act: Callable[[T], Awaitable[Any]]) -> dict[T, Any]:
    """Act on all items at the same time and wait for all; the result of each. Raises the first error.

    Args:
        items: The items.
        act: What is done with each.
    """
    items = list(items)
    found = await outcomes(items, act)
    for error in found:
        if isinstance(error, BaseException):
            raise error
    return dict(zip(items, found, strict=True))
