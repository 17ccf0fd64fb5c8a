"""Pickling variables: those that share objects together, all others one by one, so that one failure stays one.

Buffers of arrays are left out of the pickles (protocol 5): the file has them as they are in memory. Functions and
classes of the notebook need cloudpickle; without it they are refused here, and not after the restart.
"""

from __future__ import annotations

import io
import pickle
import sys
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAIN = "__main__"
# Sharing these is of no consequence, and many unrelated variables share them.
_UNSHARED = (str, bytes, int, float, complex, bool, type(None), type, FunctionType, BuiltinFunctionType, ModuleType)


@dataclass(frozen=True)
class Group:
    """The pickle of the variables that share objects.

    Attributes:
        names: The names of the variables.
        data: The pickle of a dictionary, name -> value.
        buffers: The out-of-band buffers, in the pickle's order.
    """

    names: tuple[str, ...]
    data: bytes
    buffers: tuple[memoryview, ...] = ()

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


def group(values: Mapping[str, Any]) -> tuple[list[Group], dict[str, str]]:
    """Pickle variables.

    Args:
        values: The variables by name.

    Returns:
        The groups, and for each variable that cannot be pickled the reason.
    """
    lost: dict[str, str] = {}
    single: dict[str, Group] = {}
    owners: dict[int, str] = {}
    joined = {name: name for name in values}
    alive = []  # objects that pickling has created: no later one gets the same id

    def root(name: str) -> str:
        while joined[name] != name:
            name = joined[name]
        return name

    for name, value in values.items():
        try:
            single[name], shared = _pickled({name: value})
        except Exception as error:  # noqa: BLE001  any code of the user's objects
            lost[name] = reason_of(error)
            continue
        alive.append(shared)
        for each in shared:
            joined[root(name)] = root(owners.setdefault(id(each), name))
    members: dict[str, list[str]] = {}
    for name in single:
        members.setdefault(root(name), []).append(name)
    return [_joined(names, values, single) for names in members.values()], lost


def _joined(names: Sequence[str], values: Mapping[str, Any], single: Mapping[str, Group]) -> Group:
    return single[names[0]] if len(names) == 1 else _pickled({name: values[name] for name in names})[0]


def _pickled(values: dict[str, Any]) -> tuple[Group, list[Any]]:
    """The pickle of variables, and the objects in it that another variable may share."""
    buffers: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    pickler = _pickler(stream, buffers.append)
    pickler.dump(values)
    shared = [
        each for _, each in pickler.memo.copy().values() if not isinstance(each, _UNSHARED) and each is not values
    ]
    return Group(tuple(values), stream.getvalue(), tuple(buffer.raw() for buffer in buffers)), shared


def _pickler(stream: io.BytesIO, callback: Any) -> Any:
    try:
        from cloudpickle import Pickler as Base  # type: ignore[import-untyped]
    except ImportError:
        Base = None  # noqa: N806  a class

    class Pickler(Base or pickle.Pickler):  # type: ignore[misc]
        """Refuses what would come back as something else."""

        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, io.IOBase):
                raise pickle.PicklingError("it is an open file")
            if Base is not None:
                return super().reducer_override(value)
            if isinstance(value, (FunctionType, type)) and value.__module__ == _MAIN:
                raise pickle.PicklingError(f"{value.__qualname__} is defined here; keeping it needs cloudpickle")
            return NotImplemented

    pickler: Any = Pickler(stream, protocol=pickle.HIGHEST_PROTOCOL, buffer_callback=callback)
    if Base is not None:
        # The functions of the notebook share its namespace: what is defined later is seen by those that were kept.
        pickler.globals_ref[id(vars(sys.modules[_MAIN]))] = _Namespace()
    return pickler


def reason_of(error: Exception) -> str:
    """Return the first line of an error of the user's objects, as a reason that a sentence can contain."""
    return f"{type(error).__name__}: {error}".partition("\n")[0].rstrip(".: ")


def restored(group: Group) -> dict[str, Any]:
    """Return the variables of a group by name. Raises whatever the code of the objects raises."""
    values: dict[str, Any] = pickle.loads(group.data, buffers=group.buffers)  # noqa: S301  this user's own file
    return values
