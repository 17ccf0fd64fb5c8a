from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from support import make_wheel

from liveinstall.errors import RequirementError
from liveinstall.planning.requests import parse_request


def parse(*requirements, **options):
    return parse_request(requirements, **{"when": "auto", **options})


@pytest.mark.parametrize(
    "typed",
    ["pip install rich", "!pip install rich", "%pip install rich", "python -m pip install rich", "uv pip install rich"],
)
def test_a_command_typed_by_habit_is_understood(typed):
    assert parse(typed).requirements == ("rich",)


def test_the_options_of_a_habit_are_understood_or_named():
    request = parse('pip install -U --pre "numpy>=2" rich')
    assert (request.requirements, request.upgrade, request.pre) == (("numpy>=2", "rich"), True, True)
    with pytest.raises(RequirementError, match="--target"):
        parse("pip install --target x rich")


def test_strings_requirements_and_wheels_are_accepted(tmp_path):
    wheel = make_wheel(tmp_path, "Alpha", "1.0")
    request = parse("NumPy >=2", Requirement("rich[x]"), wheel)
    assert request.names == {"numpy", "rich", "alpha"}
    assert request.requirements[2] == str(wheel)


def test_a_marker_that_does_not_apply_is_dropped():
    assert parse('rich; python_version < "3"').requirements == ()


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), {}),
        (("numpy>>2",), {}),
        (("",), {}),
        (("nothing.whl",), {}),
        (("rich",), {"when": "later"}),
        (("rich",), {"timeout": 0}),
        (("rich",), {"timeout": True}),
        (("rich",), {"no_index": True, "index_url": "https://example.org"}),
    ],
)
def test_what_cannot_be_understood_is_refused_before_any_work(arguments, options):
    with pytest.raises(RequirementError) as caught:
        parse(*arguments, **options)
    assert "Nothing was changed." in str(caught.value)
