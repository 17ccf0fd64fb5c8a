"""Advice after a failed resolution."""

from types import SimpleNamespace

import pytest

from liveinstall._changes.resolution_advice import advice


@pytest.mark.parametrize(
    ("name", "what", "says"),
    [
        ("numppy", "No matching distribution found for numppy.", "numpy instead of numppy"),
        ("sklearn", "Because sklearn was not found in the package registry", "scikit-learn"),
        ("sqlite3", "No matching distribution found for sqlite3.", "import it"),
        ("python", "No matching distribution found for python.", "another Python"),
        ("nothing-here", "No matching distribution found for nothing-here.", "find_links="),
        (
            "a",
            "Could not find a version that satisfies a==9 (from versions: 1)",
            "a version that exists",
        ),
        ("a", "Package 'a' requires a different Python: 3.11 not in '>=99'", "this is Python 3."),
        ("a", "a.whl is not a supported wheel on this platform", "by its name"),
        ("a", "Cannot install a and b because these have conflicting dependencies", "omit its version"),
        ("a", "Invalid requirement: 'a=1'", "that line"),
        ("a", "something else", ""),
    ],
)
def test_each_failure_has_its_advice(name, what, says):
    request = SimpleNamespace(names=frozenset({name}), find_links=("/w",), index_url=None, no_index=True)
    found = advice(what, request, {"numpy"})
    assert says in found if says else not found


def test_sources_that_are_not_there_are_named():
    request = SimpleNamespace(names=frozenset({"x-y"}), find_links=("/no/such",), index_url="my index", no_index=False)
    found = advice("No matching distribution found for x-y", request, ())
    assert "There is no /no/such." in found and "is not a URL" in found
