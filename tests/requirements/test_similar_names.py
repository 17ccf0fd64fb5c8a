"""Misspelt names and requirements: what was probably meant, without a look-up."""

from __future__ import annotations

import pytest

from liveinstall._requirements.requirement import parse_requirement
from liveinstall._requirements.similar_names import similar
from liveinstall.errors import RequirementError


@pytest.mark.parametrize(("name", "meant"), [("nunpy", "numpy"), ("panda", "pandas"), ("request", "requests")])
def test_a_misspelt_name_of_a_popular_project_is_recognized(name, meant):
    assert similar(name, ()) == meant
    assert similar(name, (), popular=False) == ""


@pytest.mark.parametrize("name", ["numpy", "zzz", "a", "own-library"])
def test_what_is_known_or_like_nothing_gets_no_advice(name):
    assert similar(name, ("own-library",)) == ""


def test_an_installed_project_is_known_even_if_it_is_on_no_list():
    assert similar("own-libary", ("own-library",)) == "own-library"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("numpy=2", "numpy==2"),
        ("numpy = 2.0", "numpy==2.0"),
        ("numpy >2 <3", "numpy>2,<3"),
        ("numpy=>2", "numpy>=2"),
        ("numpy~2.1", "numpy~=2.1"),
        ("httpx[http2]=1.0", "httpx[http2]==1.0"),
        ("numpy==1.*.*", ""),
        ("nump[", ""),
        ("numpy=latest", ""),
        ("=2", ""),
    ],
)
def test_a_misspelt_version_is_answered_with_what_was_meant(text, meant):
    with pytest.raises(RequirementError) as caught:
        parse_requirement(text)
    assert caught.value.todo == (f'Did you mean "{meant}"?' if meant else caught.value.todo)
    assert ("Did you mean" in caught.value.todo) is bool(meant)
    assert "RIGHT_BRACKET" not in str(caught.value) and caught.value.__suppress_context__
