"""Nothing that users could rely on in 0.1.0 was removed or changed. Additions are allowed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.public_api import describe_everything, describe_module, describe_parser

from liveinstall._frontends.cli import exit_codes
from liveinstall._frontends.cli.parser import build_parser

ROOT = Path(__file__).parents[1]
BEFORE = json.loads((ROOT / "tests" / "data" / "public_api.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def today():
    """The same description of the current tree, as from JSON."""
    face = describe_everything(ROOT, build_parser("liveinstall"), exit_codes.ExitCode)
    names = {}
    for name in BEFORE:
        module, _, public = name.rpartition(".")
        if module and name not in face:  # a public one that is no longer in any list
            names |= {f"{module}.{each}": about for each, about in describe_module(module, [public]).items()}
    return json.loads(json.dumps({**face, **names}))


def losses(before, after, where=""):
    """The removals and changes, as text; additions are ignored."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key not in after:
                yield f"{where}: {key} is gone"
            else:
                yield from losses(value, after[key], f"{where}: {key}")
    elif where.endswith((": parameters", ": positionals")) or ": methods: " in where:
        yield from lost_parameters(before, after, where)
    elif isinstance(before, list) and isinstance(after, list):
        yield from (f"{where}: {value} is gone" for value in before if value not in after)
    elif before != after:
        yield f"{where}: was {before!r}, is {after!r}"


def lost_parameters(before, after, where):
    """Positional ones keep their place; each keeps its name, kind and default; a new one has a default."""
    if any(isinstance(each, dict) for each in (*before, *after)):  # of a command
        more = after[len(before) :]
        if after[: len(before)] != before or any(each.get("nargs") not in ("*", "?") for each in more):
            yield f"{where}: was {before}, is {after}"
        return
    by_position = [each for each in before if each[1].startswith("POSITIONAL")]
    if after[: len(by_position)] != by_position:
        yield f"{where}: was {by_position} by position, is {after}"
    yield from (f"{where}: {each} is gone" for each in before if each not in after)
    known = [each[0] for each in before]
    for name, kind, default in after:
        if name not in known and not default and not kind.startswith("VAR"):
            yield f"{where}: {name} must be given now"


@pytest.mark.parametrize("name", BEFORE)
def test_nothing_was_taken_away_or_changed(name, today):
    assert name in today
    assert list(losses(BEFORE[name], today[name], name)) == []


FUNCTION = {"kind": "function", "parameters": [["a", "POSITIONAL_OR_KEYWORD", ""], ["b", "KEYWORD_ONLY", "1"]]}


def function(*parameters):
    return {"kind": "function", "parameters": [list(each) for each in parameters]}


@pytest.mark.parametrize(
    "after",
    [
        {},
        {**FUNCTION, "kind": "coroutine function"},
        function(("b", "KEYWORD_ONLY", "1")),
        function(("x", "POSITIONAL_OR_KEYWORD", ""), ("b", "KEYWORD_ONLY", "1")),
        function(("a", "POSITIONAL_OR_KEYWORD", ""), ("b", "KEYWORD_ONLY", "2")),
        function(("a", "KEYWORD_ONLY", ""), ("b", "KEYWORD_ONLY", "1")),
        function(("c", "POSITIONAL_OR_KEYWORD", "1"), *map(tuple, FUNCTION["parameters"])),
        function(*map(tuple, FUNCTION["parameters"]), ("c", "KEYWORD_ONLY", "")),
    ],
)
def test_a_loss_is_seen(after):
    assert list(losses(FUNCTION, after))


def test_an_addition_is_no_loss():
    more = function(*map(tuple, FUNCTION["parameters"]), ("c", "KEYWORD_ONLY", "None"), ("d", "VAR_KEYWORD", ""))
    assert list(losses(FUNCTION, more)) == []
    optional, needed = {"nargs": "*", "dest": "ids"}, {"dest": "id"}
    assert list(losses({"positionals": []}, {"positionals": [optional]}, "command x")) == []
    assert len(list(losses({"positionals": []}, {"positionals": [needed]}, "command x"))) == 1
    assert list(losses({"a": ["x"]}, {"a": ["w", "x"], "b": 1})) == []


def test_a_lost_option_or_choice_of_a_command_is_seen():
    parser = build_parser("liveinstall")
    before = json.loads(json.dumps(describe_parser(parser)))
    after = json.loads(json.dumps(before))
    del after["command install"]["options"]["--upgrade"]
    after["command undo"]["positionals"][0]["nargs"] = None
    after["command install"]["options"]["--when"]["choices"].remove("now")
    after["command install"]["options"]["--engine"]["default"] = "uv"
    assert len(list(losses(before, after))) == 4
