"""Pickling variables: those that share objects together, all others one by one, so that a failure affects only one.

Buffers of arrays are left out of the pickles (protocol 5): the file has them as they are in memory. Functions and
classes of the notebook need cloudpickle; without it they are refused here, and not after the restart.
"""

from __future__ import annotations

import io
import pickle
import sys
from types import BuiltinFunctionType, FunctionType, ModuleType

from liveinstall._frontends.progress import Progression
from liveinstall._frontends.restart import polars_frames
from liveinstall._frontends.restart.shared_memory import (
    Memory,
    clusters,
    gap_span,
    is_dtype,
    is_of_frames,
    may_share,
    numpy_array,
    reduced,
    span_of,
)
from liveinstall._frontends.restart.size_limit import Limited
from liveinstall._frontends.restart.unkept import why_not
from liveinstall._system.lean_dataclasses import dataclass, field, replace
from liveinstall.errors import CannotKeepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import Any

    from liveinstall._frontends.restart.shared_memory import Span
    from liveinstall._frontends.restart.size_limit import Room

_MAIN = "__main__"
_EXTRA = 'pip install "liveinstall[notebook]"'
# Sharing these has no effect, and many unrelated variables share them.
_UNSHARED = (str, bytes, int, float, complex, bool, type(None), type, FunctionType, BuiltinFunctionType, ModuleType)


class NotKeptError(pickle.PicklingError):
    """An object exists only in this process; the text describes it."""


@dataclass(frozen=True)
class Group:
    """The pickle of the variables that share objects.

    Attributes:
        names: The names of the variables.
        data: The pickle of a dictionary, name -> value.
        buffers: The out-of-band buffers, in the pickle's order.
        has_frames: Whether there are frames of pandas among the variables.
        is_apart: Whether an array gets a copy of memory that it shares with another one.
    """

    names: tuple[str, ...]
    data: bytes | memoryview
    buffers: tuple[memoryview, ...] = ()
    has_frames: bool = False
    is_apart: bool = False

    @property
    def size(self) -> int:
        """The bytes of the pickle and its buffers."""
        return len(self.data) + sum(buffer.nbytes for buffer in self.buffers)


class _Namespace:
    """Stands for the namespace of the notebook, which the functions of the notebook use as their globals."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return _namespace, (_MAIN,)


def _namespace(name: str) -> dict[str, Any]:
    return vars(sys.modules[name])


@dataclass
class _Found:
    """The findings of pickling one variable: objects that others may share, arrays with gaps, and frames.

    It depends on `changed`, the distributions that the restart changes, and on `memory`, that of all kept arrays.
    """

    changed: Collection[str] = ()
    memory: Memory | None = None
    shared: list[Any] = field(default_factory=list)
    gaps: list[Span] = field(default_factory=list)
    has_frames: bool = False


def group(
    values: Mapping[str, Any],
    room: Room | None = None,
    tell: Callable[[Progression], None] | None = None,
    changed: Collection[str] = (),
) -> tuple[list[Group], dict[str, str]]:
    """Pickle variables.

    Args:
        values: The variables by name.
        room: The limit of the size. Default: no limit.
        tell: Called with the progress.
        changed: The distributions that the restart changes.

    Returns:
        The groups, and for each variable that cannot be pickled the reason.

    Raises:
        CannotKeepError: A variable is larger than what may be written.
    """
    lost: dict[str, str] = {}
    single: dict[str, Group] = {}
    found: dict[str, _Found] = {}  # also keeps what pickling has created: no later object gets the same id
    for number, (name, value) in enumerate(values.items()):
        if tell:
            tell(Progression("Serialising the variables", f"{number + 1} of {len(values)}, {name}"))
        try:
            found[name] = _Found(changed)
            single[name] = _pickled({name: value}, room, found[name])
        except CannotKeepError:
            raise
        except Exception as error:  # noqa: BLE001  any code of the user's objects
            lost[name] = reason_of(error)
            del found[name]
    return _regrouped(values, room, single, found), lost


def _regrouped(
    values: Mapping[str, Any], room: Room | None, single: Mapping[str, Group], found: Mapping[str, _Found]
) -> list[Group]:
    """Pickle again, together, what shares objects, and arrays with gaps now that the memory of all others is known."""
    overlaps = list(clusters(span for each in single.values() for span in _spans(each)))
    every, common = Memory(overlaps), Memory(filter(may_share, overlaps))
    groups = []
    for names in _joined(found):
        if len(names) == 1 and not found[names[0]].gaps:
            one = single[names[0]]
        else:
            chosen = {name: values[name] for name in names}
            one = _pickled(chosen, room, _Found(found[names[0]].changed, common))
        spans = [*_spans(one), *(gap for name in names for gap in found[name].gaps)]
        is_apart = any(every.touches(span) and not common.contains(span) for span in spans)
        groups.append(replace(one, is_apart=is_apart and not one.has_frames))
    return groups


def _spans(group: Group) -> Iterator[Span]:
    for buffer in group.buffers:
        span = span_of(buffer, is_frames=group.has_frames)
        if span is not None:
            yield span


def _joined(found: Mapping[str, _Found]) -> list[list[str]]:
    """The names of the variables that share objects, together."""
    owners: dict[int, str] = {}
    joined = {name: name for name in found}

    def root(name: str) -> str:
        while joined[name] != name:
            name = joined[name]
        return name

    for name, each in found.items():
        for value in each.shared:
            joined[root(name)] = root(owners.setdefault(id(value), name))
    members: dict[str, list[str]] = {}
    for name in found:
        members.setdefault(root(name), []).append(name)
    return list(members.values())


def _pickled(values: dict[str, Any], room: Room | None, found: _Found) -> Group:
    """The pickle of variables; `found` gets the findings."""
    buffers: list[pickle.PickleBuffer] = []
    stream = Limited(", ".join(values), room)

    def add(buffer: pickle.PickleBuffer) -> None:
        buffers.append(buffer)
        stream.count(buffer.raw().nbytes)

    pickler = _pickler(stream, add, values.values(), found)
    pickler.dump(values)
    found.shared = [
        each
        for _, each in pickler.memo.copy().values()
        if not isinstance(each, _UNSHARED) and not is_dtype(each) and each is not values
    ]
    raw = tuple(buffer.raw() for buffer in buffers)
    return Group(tuple(values), stream.getvalue(), raw, found.has_frames)


def _pickler(stream: io.BytesIO, callback: Any, values: Collection[Any], found: _Found) -> Any:
    try:
        from cloudpickle import Pickler as Base  # type: ignore[import-untyped]
    except ImportError:
        Base = None  # noqa: N806  a class

    class Pickler(Base or pickle.Pickler):  # type: ignore[misc]
        """Refuses objects that would be restored as something else."""

        def reducer_override(self, value: Any) -> Any:
            reason = why_not(value, found.changed)
            if reason:
                raise NotKeptError(f"it {'is' if any(value is each for each in values) else 'contains'} {reason}")
            if numpy_array(value):
                return _array(value, found)
            arrow = polars_frames.reduced(value)
            if arrow is not None:
                return arrow
            found.has_frames = found.has_frames or is_of_frames(value)
            if Base is not None:
                return super().reducer_override(value)
            if isinstance(value, (FunctionType, type)) and value.__module__ == _MAIN:
                raise NotKeptError(f"{value.__qualname__} is defined here; keeping it needs cloudpickle: {_EXTRA}")
            return NotImplemented

    pickler: Any = Pickler(stream, protocol=pickle.HIGHEST_PROTOCOL, buffer_callback=callback)
    if Base is not None:
        # The functions of the notebook share its namespace: kept functions use names that are defined later.
        pickler.globals_ref[id(vars(sys.modules[_MAIN]))] = _Namespace()
    return pickler


def _array(value: Any, found: _Found) -> Any:
    """How an array is pickled: by NumPy, or as a view of memory that is kept anyway."""
    gap = gap_span(value)
    if gap is None:
        return NotImplemented
    found.gaps.append(gap)
    if found.memory is None:
        return tuple, ()  # not its copy: it is pickled again
    return reduced(value) if found.memory.contains(gap) and not found.has_frames else NotImplemented


def reason_of(error: Exception) -> str:
    """Return the first line of an error of the user's objects, as a reason that a sentence can contain."""
    kind = "" if isinstance(error, NotKeptError) else f"{type(error).__name__}: "
    return f"{kind}{error}".partition("\n")[0].rstrip(".: ")


class _ForNumPy1(pickle.Unpickler):
    """Loads what NumPy 2 has pickled in NumPy 1, which has its modules elsewhere. NumPy 2 loads pickles of NumPy 1."""

    def find_class(self, module: str, name: str) -> Any:
        package, core, rest = module.partition("numpy._core.")
        return super().find_class(module if package or not core else f"numpy.core.{rest}", name)


def restored(group: Group) -> dict[str, Any]:
    """Return the variables of a group by name. Raises any error of the objects' own code."""
    values: dict[str, Any]
    try:
        values = pickle.loads(group.data, buffers=group.buffers)  # noqa: S301  this user's own file
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("numpy._core."):
            raise
        values = _ForNumPy1(io.BytesIO(group.data), buffers=group.buffers).load()
    return values
