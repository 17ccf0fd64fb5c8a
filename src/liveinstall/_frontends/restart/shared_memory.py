"""Memory that several arrays share: it is written once, and shared again after the restart.

Contiguous arrays are pickled as buffers, wherever in memory they are; buffers that overlap become parts of one block of
the file. Arrays with gaps (`a[::2]`) are pickled as views of such a block if another variable has their memory anyway.
Two frames of pandas never share memory: pandas would not detect it, and a change of one would change the other.
"""

from __future__ import annotations

import pickle
import sys
from bisect import bisect_left, bisect_right

from liveinstall._system.lean_dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

_COPY_ON_WRITE = "pandas."


@dataclass(frozen=True)
class Span:
    """The memory of an array: from address `low` to `high`; `is_frames` if it belongs to a variable with frames."""

    low: int
    high: int
    is_frames: bool = False


def numpy_array(value: Any) -> bool:
    """Whether an object is a plain array of NumPy; loads nothing."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(value) is getattr(numpy, "ndarray", None)


def is_dtype(value: Any) -> bool:
    """Whether an object is a data type of NumPy, which many arrays share, and which is immutable."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, getattr(numpy, "dtype", ()))


def is_of_frames(value: Any) -> bool:
    """Whether an object is one of pandas, which copies its memory when it is changed."""
    return type(value).__module__.startswith(_COPY_ON_WRITE)


def span_of(buffer: memoryview, *, is_frames: bool) -> Span | None:
    """Return where the bytes of a buffer are; None if NumPy is not loaded, or there are none.

    Args:
        buffer: A contiguous buffer of bytes.
        is_frames: Whether it belongs to a variable with frames.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None or not buffer.nbytes:
        return None
    low = int(numpy.frombuffer(buffer, numpy.uint8).__array_interface__["data"][0])
    return Span(low, low + buffer.nbytes, is_frames)


def gap_span(array: Any) -> Span | None:
    """Return the memory that an array with gaps extends over; None for arrays that are pickled as buffers or objects.

    Args:
        array: A plain array of NumPy.
    """
    flags = array.flags
    if flags.c_contiguous or flags.f_contiguous or array.dtype.hasobject or not array.size:
        return None
    low = high = int(array.__array_interface__["data"][0])
    for count, stride in zip(array.shape, array.strides, strict=True):
        low, high = low + min((count - 1) * stride, 0), high + max((count - 1) * stride, 0)
    return Span(low, high + array.itemsize)


def reduced(array: Any) -> tuple[Any, ...]:
    """Reduce an array with gaps to the memory that it extends over, for a pickle with buffers.

    Args:
        array: A plain array of NumPy for which `gap_span()` returns a span.
    """
    numpy = sys.modules["numpy"]
    span = gap_span(array)
    assert span is not None
    lowest = array[tuple(slice(None, None, -1 if stride < 0 else 1) for stride in array.strides)]
    first = lowest[(slice(0, 1),) * array.ndim].reshape(1).view(numpy.uint8)
    memory = numpy.lib.stride_tricks.as_strided(first, (span.high - span.low,), (1,), writeable=array.flags.writeable)
    offset = int(array.__array_interface__["data"][0]) - span.low
    return view, (pickle.PickleBuffer(memory), offset, array.shape, array.strides, array.dtype)


def view(memory: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any) -> Any:
    """Return an array that uses memory; the inverse of `reduced()`."""
    from numpy import ndarray

    return ndarray(shape, dtype, memory, offset, strides)


def clusters(spans: Iterable[Span]) -> Iterator[list[Span]]:
    """Yield the spans that overlap, together; the lowest first, and of two that begin alike the longer one.

    Args:
        spans: The spans, in any order.
    """
    cluster: list[Span] = []
    high = 0
    for span in sorted(spans, key=lambda each: (each.low, -each.high)):
        if cluster and span.low >= high:
            yield cluster
            cluster = []
        cluster.append(span)
        high = max(high, span.high) if len(cluster) > 1 else span.high
    if cluster:
        yield cluster


def may_share(cluster: Sequence[Span]) -> bool:
    """Whether overlapping arrays get memory in common: not if two of them belong to frames.

    Args:
        cluster: The spans, as from `clusters()`.
    """
    return sum(span.is_frames for span in cluster) <= 1


class Memory:
    """The memory of arrays, to look up in."""

    def __init__(self, found: Iterable[Sequence[Span]]) -> None:
        """Remember clusters, in the order of `clusters()`."""
        self._lows: list[int] = []
        self._highs: list[int] = []
        for cluster in found:
            self._lows.append(cluster[0].low)
            self._highs.append(max(span.high for span in cluster))

    def contains(self, span: Span) -> bool:
        """Whether all of a span is here."""
        index = bisect_right(self._lows, span.low) - 1
        return index >= 0 and span.high <= self._highs[index]

    def touches(self, span: Span) -> bool:
        """Whether a part of a span is here."""
        index = bisect_left(self._lows, span.high) - 1
        return index >= 0 and span.low < self._highs[index]


@dataclass(frozen=True)
class Block:
    """Bytes of the file: `pieces`, one after the other."""

    pieces: tuple[bytes | memoryview, ...]

    @property
    def size(self) -> int:
        """The number of bytes."""
        return sum(len(piece) for piece in self.pieces)


def blocks(buffers: Sequence[tuple[memoryview, bool]]) -> tuple[list[Block], list[tuple[int, int, int]]]:
    """Arrange buffers in blocks, so that memory in common is written once.

    Args:
        buffers: Each with whether it belongs to a variable with frames.

    Returns:
        The blocks, and for each buffer the number of its block, where it begins there, and its bytes.
    """
    made: list[Block] = []
    places = [(-1, 0, 0)] * len(buffers)
    known: dict[Span, list[int]] = {}

    def alone(index: int) -> None:
        places[index] = (len(made), 0, buffers[index][0].nbytes)
        made.append(Block((buffers[index][0],)))

    for index, (buffer, is_frames) in enumerate(buffers):
        span = span_of(buffer, is_frames=is_frames)
        if span is None:
            alone(index)
        else:
            known.setdefault(span, []).append(index)
    spans = [span for span, indices in known.items() for _ in indices]
    for cluster in clusters(spans):
        if not may_share(cluster):
            for index in {index for span in cluster for index in known[span]}:
                alone(index)
            continue
        pieces, end = [], cluster[0].low
        for span in cluster:
            for index in known[span]:
                places[index] = (len(made), span.low - cluster[0].low, span.high - span.low)
            if span.high > end:
                pieces.append(buffers[known[span][0]][0][max(end - span.low, 0) :])
                end = span.high
        made.append(Block(tuple(pieces)))
    return made, places
