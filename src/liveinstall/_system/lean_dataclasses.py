"""`dataclass`, `field` and `replace` as in `dataclasses`, without the code that it generates for each class.

`NamedTuple` is that of `typing`, which takes 4 ms to load.

`dataclasses` compiles five or six methods for each frozen class and imports `inspect`: for the seventy classes of a
plain request that was a fifth of the time to load it. The classes of this module share one method of each kind. For
everything else they are standard dataclasses: `dataclasses.fields()`, `asdict()`, `replace()` and `inspect.signature()`
ask a standard dataclass with the same fields, which is made when it is first needed.

`slots`, `order`, `InitVar` and `KW_ONLY` are not supported: nothing here uses them.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass, field, replace
    from typing import Any, NamedTuple

__all__ = ["NamedTuple", "dataclass", "field", "replace"]

_MISSING: Any = object()


class _Field:
    """The arguments of `field()`, and the annotation."""

    def __init__(self, **options: Any) -> None:
        self.options, self.kind = options, ""
        self.default = options.get("default", _MISSING)
        self.factory: Callable[[], object] | None = options.get("default_factory")
        self.init, self.repr = options.get("init", True), options.get("repr", True)
        self.compare = options.get("compare", True)


class _FromStandard:
    """An attribute that is read from the standard dataclass with the same fields."""

    def __init__(self, read: Callable[[type], object]) -> None:
        self.read = read

    def __get__(self, instance: object, owner: type) -> object:
        return self.read(_standard(owner))


def _standard(owner: type) -> type:
    """The standard dataclass with the fields of a class, made once."""
    from dataclasses import field, make_dataclass

    made = owner.__dict__.get("__lean_standard__")
    if made is None:
        about: Any = owner
        fields = [(name, each.kind, field(**each.options)) for name, each in about.__lean_fields__.items()]
        made = about.__lean_standard__ = make_dataclass(owner.__name__, fields, frozen=about.__lean_frozen__)
    return made


def _signature(standard: type) -> object:
    from inspect import signature

    return signature(standard)


def _init(self: Any, *values: Any, **named: Any) -> None:
    state, fields = self.__dict__, self.__lean_fields__
    parameters = self.__match_args__
    if len(values) == len(fields) == len(parameters) and not named and not self.__lean_post_init__:
        state.update(zip(parameters, values, strict=True))
        return
    if len(values) > len(parameters) or not named.keys().isdisjoint(parameters[: len(values)]):
        raise TypeError(f"{type(self).__name__}() takes {', '.join(parameters)}; each at most once")
    named.update(zip(parameters, values, strict=False))
    for name, each in fields.items():
        if name in named and each.init:
            state[name] = named.pop(name)
        elif each.factory:
            state[name] = each.factory()
        elif each.default is not _MISSING:
            state[name] = each.default
        elif each.init:
            raise TypeError(f"{type(self).__name__}() needs the argument {name!r}")
    if named:
        raise TypeError(f"{type(self).__name__}() has no argument {', '.join(map(repr, named))}")
    if self.__lean_post_init__:
        self.__post_init__()


def _repr(self: Any) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name, each in self.__lean_fields__.items() if each.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _compared(value: Any) -> tuple[object, ...]:
    return tuple(getattr(value, name) for name, each in value.__lean_fields__.items() if each.compare)


def _eq(self: Any, other: object) -> Any:
    return _compared(self) == _compared(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(_compared(self))


def _refuse_change(self: object, name: str, value: object = None) -> None:  # noqa: ARG001
    """The `__setattr__` and `__delattr__` of a frozen class."""
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _replace(self: Any, /, **changes: Any) -> Any:
    """A copy with other values; the `__replace__` of Python 3.13."""
    kept = {name: getattr(self, name) for name in self.__match_args__ if name not in changes}
    return type(self)(**kept, **changes)


def _decorate(cls: Any, *, frozen: bool, repr: bool, eq: bool) -> Any:
    fields: dict[str, _Field] = dict(getattr(cls, "__lean_fields__", {}))  # those of its base class
    for name, kind in cls.__annotations__.items():
        if kind.startswith("ClassVar"):
            continue
        given = cls.__dict__.get(name, _MISSING)
        each = given if isinstance(given, _Field) else _Field(**({} if given is _MISSING else {"default": given}))
        each.kind, fields[name] = kind, each
        if each is given and each.default is _MISSING:
            delattr(cls, name)
        elif each is given:
            setattr(cls, name, each.default)
    methods: dict[str, object] = {"__init__": _init, "__replace__": _replace}
    if repr:
        methods["__repr__"] = _repr
    if eq:
        methods |= {"__eq__": _eq, "__hash__": _hash if frozen else None}
    if frozen:
        methods |= {"__setattr__": _refuse_change, "__delattr__": _refuse_change}
    for name, method in methods.items():
        if name not in cls.__dict__:
            setattr(cls, name, method)
    cls.__lean_fields__, cls.__lean_frozen__ = fields, frozen
    cls.__lean_post_init__ = hasattr(cls, "__post_init__")
    cls.__match_args__ = tuple(name for name, each in fields.items() if each.init)  # type: ignore[misc]
    cls.__dataclass_fields__ = _FromStandard(lambda standard: standard.__dataclass_fields__)  # type: ignore[attr-defined]
    cls.__dataclass_params__ = _FromStandard(lambda standard: standard.__dataclass_params__)  # type: ignore[attr-defined]
    cls.__signature__ = _FromStandard(_signature)
    return cls


class _NamedTupleMeta(type):
    """Makes a `collections.namedtuple` of a class body with annotated fields and methods."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Any:
        plain = super().__new__(cls, name, (), body)
        if not bases:
            return plain
        fields = plain.__annotations__
        made = namedtuple(name, fields, defaults=[body[field] for field in fields if field in body])  # type: ignore[misc]  # noqa: PYI024
        for key in body.keys() - fields.keys() - {"__dict__", "__weakref__"}:
            setattr(made, key, body[key])
        return made


if not TYPE_CHECKING:

    class NamedTuple(metaclass=_NamedTupleMeta):
        """See `typing.NamedTuple`."""

    def dataclass(cls: Any = None, /, *, frozen: bool = False, repr: bool = True, eq: bool = True) -> Any:
        """See `dataclasses.dataclass`."""
        if cls is not None:
            return _decorate(cls, frozen=frozen, repr=repr, eq=eq)
        return lambda cls: _decorate(cls, frozen=frozen, repr=repr, eq=eq)

    def field(**options: Any) -> Any:
        """See `dataclasses.field`."""
        return _Field(**options)

    def replace(value: Any, /, **changes: Any) -> Any:
        """See `dataclasses.replace`."""
        return value.__replace__(**changes)
