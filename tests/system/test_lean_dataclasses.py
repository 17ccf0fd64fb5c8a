"""The value classes behave like standard dataclasses, but nothing is compiled for them, and `inspect` is not loaded."""

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
import typing
from typing import ClassVar

import pytest

from liveinstall._system import lean_dataclasses as lean

BODY = """
    name: str
    size: int = 3
    notes: dict = field(default_factory=dict, compare=False)
    secret: str = field(default="x", repr=False)
    empty: ClassVar[str] = "-"
"""
CODE = f"""
from __future__ import annotations

@dataclass(frozen=True)
class Value:{BODY}
@dataclass
class Mutable:{BODY}
    double: int = field(init=False)
    def __post_init__(self) -> None:
        self.double = self.size * 2

@dataclass(frozen=True, repr=False)
class Derived(Value):
    more: int = 0
    def __repr__(self) -> str:
        return "mine"
"""


def namespace(module):
    names = {"dataclass": module.dataclass, "field": module.field, "ClassVar": ClassVar, "__name__": __name__}
    exec(CODE, names)
    return names


MINE, STANDARD = namespace(lean), namespace(dataclasses)
Value = MINE["Value"]  # for pickle


def outcome(names, expression):
    try:
        return repr(eval(expression, {**vars(dataclasses), "copy": copy, "signature": inspect.signature, **names}))
    except Exception as error:
        return type(error)


@pytest.mark.parametrize(
    "expression",
    [
        "Value('a')",
        "Value('a', 4)",
        "Value(name='a', secret='y').secret",
        "Value()",
        "Value('a', name='b')",
        "Value('a', 1, {}, 'x', 'too many')",
        "Value('a', wrong=1)",
        "Value('a') == Value('a', notes={1: 2})",
        "Value('a') == Value('b')",
        "Value('a') == Derived('a')",
        "hash(Value('a')) == hash(Value('a', notes={1: 2}))",
        "hash(Mutable('a'))",
        "setattr(Value('a'), 'name', 'b')",
        "delattr(Value('a'), 'name')",
        "Value('a').notes is Value('a').notes",
        "Mutable('a', 4).double",
        "Mutable('a', double=4)",
        "setattr(Mutable('a'), 'name', 'b')",
        "Derived('a', more=3).more, Derived('a', 7).size, Derived('a')",
        "Value.size, hasattr(Value, 'notes'), Value.empty",
        "replace(Value('a'), size=9)",
        "replace(Mutable('a'), size=9).double",
        "replace(Mutable('a'), double=9)",
        "replace(Value('a'), wrong=9)",
        "asdict(Derived('a', notes={'b': Value('c')}))",
        "[each.name for each in fields(Derived)], is_dataclass(Value), is_dataclass(Value('a'))",
        "Derived.__match_args__, Mutable.__match_args__",
        "signature(Derived)",
        "copy.deepcopy(Value('a', notes={1: []}))",
        "Value.__dataclass_params__.frozen",
    ],
)
def test_an_expression_has_the_same_value_as_with_standard_dataclasses(expression):
    standard = outcome(STANDARD, expression)
    assert outcome(MINE, expression) == standard


@pytest.mark.parametrize("change", [{"size": 9}, {"name": "b", "notes": {1: 2}}])
def test_the_lean_replace_is_the_standard_one(change):
    assert lean.replace(Value("a"), **change) == dataclasses.replace(Value("a"), **change)


def test_a_value_can_be_pickled_and_copied():
    value = Value("a", notes={"b": 1})
    again = pickle.loads(pickle.dumps(value))
    assert (again, again.notes) == (value, {"b": 1})


POINT = """
class Point(NamedTuple):
    "A point."
    x: int
    y: int = 2

    @property
    def sum(self) -> int:
        return self.x + self.y
"""


def test_a_named_tuple_is_that_of_typing():
    mine, standard = ({"NamedTuple": kind, "__name__": __name__} for kind in (lean.NamedTuple, typing.NamedTuple))
    for names in (mine, standard):
        exec(f"from __future__ import annotations\n{POINT}", names)
    points = [names["Point"](1)._replace(x=5) for names in (mine, standard)]
    assert points[0] == points[1] == (5, 2) and repr(points[0]) == repr(points[1]) and points[0].sum == 7
    for about in ("_fields", "_field_defaults", "__doc__", "__module__", "__name__", "__match_args__", "__bases__"):
        assert getattr(mine["Point"], about) == getattr(standard["Point"], about), about


def test_the_values_of_a_request_load_neither_dataclasses_nor_inspect():
    code = (
        "import sys; before = set(sys.modules); import liveinstall.results, liveinstall.reports, liveinstall.events;"
        "print({'dataclasses', 'inspect'} & (set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
