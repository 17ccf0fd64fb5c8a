"""The `--json` output of each command has all keys of 0.1.0. Additions are allowed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.environments import make_environment
from helpers.json_shapes import COMMANDS, record_shapes, shape_of

BEFORE = json.loads((Path(__file__).parents[2] / "data" / "json_shapes.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def today(tmp_path_factory):
    return record_shapes(make_environment(tmp_path_factory.mktemp("shapes") / "env"), "liveinstall._frontends.cli.main")


def losses(before, after, where=""):
    """The removed keys and the values of another type, as text."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name, shape in before.items():
            if name in after:
                yield from losses(shape, after[name], f"{where}.{name}")
            else:
                yield f"{where}.{name} is gone"
    elif isinstance(before, list) and isinstance(after, list):
        if before and not after:
            yield f"{where} is empty"
        for shape, now in zip(before, after, strict=False):
            yield from losses(shape, now, f"{where}[]")
    elif before != after:
        yield f"{where}: was {before}, is {after}"


def test_every_command_was_recorded():
    assert list(BEFORE) == [" ".join(words) for words in COMMANDS]


@pytest.mark.parametrize("words", BEFORE)
def test_a_command_prints_what_it_printed_before(words, today):
    assert list(losses(BEFORE[words], today[words])) == []


BOTH = {"status": 0, "result": [{"name": "str", "pid": "number"}], "requests": ["str"]}


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({**BOTH, "status": 4}, ".status: was 0, is 4"),
        ({**BOTH, "result": []}, ".result is empty"),
        ({**BOTH, "result": [{"name": "str"}]}, ".result[].pid is gone"),
        ({**BOTH, "result": [{"name": "NoneType", "pid": "number"}]}, ".result[].name: was str, is NoneType"),
        ({**BOTH, "requests": ["number"]}, ".requests[]: was str, is number"),
        ({name: BOTH[name] for name in ("status", "result")}, ".requests is gone"),
    ],
)
def test_a_loss_is_seen(after, words):
    assert list(losses(BOTH, after)) == [words]


def test_an_addition_is_no_loss():
    assert list(losses(BOTH, {**BOTH, "result": [{**BOTH["result"][0], "more": []}], "more": 1})) == []


def test_a_list_has_the_keys_of_all_its_items():
    assert shape_of([{"a": 1}, {"b": 1.5}, {"a": 2}]) == [{"a": "number", "b": "number"}]
    assert shape_of(["x", "y", None]) == ["str", "NoneType"]
