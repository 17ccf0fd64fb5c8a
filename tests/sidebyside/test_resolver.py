"""Choosing versions: the same answer as an exhaustive search, and the chains of requirements."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from liveinstall._sidebyside.selection.resolver import AvailableVersion, ResolutionImpossible, solve


def world(**versions):
    """a={"1.0": ("b<2",)} -> a function that offers them, newest first."""
    table = {
        name: [
            AvailableVersion(name, version, tuple(requires))
            for version, requires in sorted(known.items(), reverse=True)
        ]
        for name, known in versions.items()
    }
    return lambda name: table.get(name, [])


def versions(chosen):
    return {name: offer.version for name, offer in chosen.items()}


def test_the_first_offer_that_fits_is_taken_with_all_that_it_needs():
    offers = world(a={"1.0": ("b",), "2.0": ("b<2",)}, b={"1.0": (), "2.0": ()}, unrelated={"1.0": ()})
    assert versions(solve(["a"], offers)) == {"a": "2.0", "b": "1.0"}
    assert versions(solve(["a<2"], offers)) == {"a": "1.0", "b": "2.0"}


def test_an_older_version_is_taken_where_the_newest_cannot_be():
    offers = world(a={"1.0": ("c<2",), "2.0": ("c>=2",)}, b={"1.0": ("c<2",)}, c={"1.0": (), "2.0": ()})
    assert versions(solve(["a", "b"], offers)) == {"a": "1.0", "b": "1.0", "c": "1.0"}


def test_who_asked_for_an_extra_is_blamed_for_what_that_needs():
    offers = world(
        a={"2": ("d>=3",)},
        b={"3": ("d[x]",), "2": ()},
        c={"3": ("d>=2", "e<2")},
        d={"3": ("e[x]!=2; extra == 'x'", "b[x]"), "2": ("a[x]!=2; extra == 'x'", "c<3")},
        e={"3": ("c<2",), "2": ()},
    )
    assert versions(solve(["a==2"], offers)) == {"a": "2", "b": "2", "d": "3"}


def test_a_conflict_names_who_required_what_from_the_request_on():
    offers = world(top={"1.0": ("left", "right")}, left={"1.0": ("deep<2",)}, right={"1.0": ("deep>=2",)},
                   deep={"1.0": (), "2.0": ()})  # fmt: skip
    with pytest.raises(ResolutionImpossible) as caught:
        solve(["top"], offers)
    assert str(caught.value) == (
        "top was requested, top 1.0 requires left, left 1.0 requires deep<2; "
        "top was requested, top 1.0 requires right, right 1.0 requires deep>=2"
    )
    assert caught.value.name == "deep" and not caught.value.is_missing


def test_what_is_missing_is_named_with_who_needs_it():
    with pytest.raises(ResolutionImpossible) as caught:
        solve(["a"], world(a={"1.0": ("gone>=3",)}, gone={"1.0": ()}))
    assert caught.value.is_missing and caught.value.name == "gone"
    assert str(caught.value) == "a was requested, a 1.0 requires gone>=3"


def test_extras_and_markers_count_wherever_they_are_asked_for():
    offers = world(
        a={"1.0": ('b; extra == "more"', 'never; python_version < "3"', "c")},
        b={"1.0": ("a[other]",)},
        c={"1.0": ("a[more]",)},
    )
    assert versions(solve(["a"], offers)) == {"a": "1.0", "b": "1.0", "c": "1.0"}
    assert versions(solve(["d"], world(d={"1.0": ('b; extra == "more"',)}))) == {"d": "1.0"}
    itself = world(a={"1.0": ('a[x]; extra == "all"', 'b; extra == "x"')}, b={"1.0": ()})
    assert versions(solve(["a[all]"], itself)) == {"a": "1.0", "b": "1.0"}


def test_a_circle_of_requirements_ends():
    assert versions(solve(["a"], world(a={"1.0": ("b",)}, b={"1.0": ("a>=1",)}))) == {"a": "1.0", "b": "1.0"}


def test_a_search_goes_back_to_what_has_to_do_with_what_failed():
    many = {f"p{n:02}": {f"{v}.0": () for v in range(1, 9)} for n in range(30)}  # 8**30 combinations
    offers = world(a={"1.0": (), "2.0": ()}, **many, last={"1.0": ("c",)}, c={"1.0": ("a<2",)})
    assert solve(["a", *many, "last"], offers)["a"].version == "1.0"
    with pytest.raises(ResolutionImpossible) as caught:
        solve([*many, "last"], world(**many, last={"1.0": ("p99",)}))
    assert caught.value.name == "p99"


NAMES = "abcd"
SPECS = ("", "<2", ">=2", "==1.0", "==3.0", "!=2.0")
LINES = st.builds(lambda name, spec: name + spec, st.sampled_from(NAMES), st.sampled_from(SPECS))
WORLDS = st.dictionaries(
    st.sampled_from(NAMES),
    st.dictionaries(st.sampled_from(["1.0", "2.0", "3.0"]), st.lists(LINES, max_size=3).map(tuple), min_size=1),
    min_size=1,
)


@settings(max_examples=500, deadline=None)
@given(WORLDS, st.lists(LINES, min_size=1, max_size=3))
def test_it_finds_a_solution_exactly_where_trying_everything_finds_one(there, asked):
    offers = world(**there)
    try:
        chosen = solve(asked, offers)
    except ResolutionImpossible:
        assert not any(fits(asked, combination) for combination in everything(offers))
    else:
        assert fits(asked, chosen)


def everything(offers):
    columns = [[None, *offers(name)] for name in NAMES]
    for combination in itertools.product(*columns):
        yield {offer.name: offer for offer in combination if offer}


def fits(asked, chosen) -> bool:
    lines = [*asked, *(line for offer in chosen.values() for line in offer.requires)]
    needs = [Requirement(line) for line in lines]
    return all(need.name in chosen and need.specifier.contains(chosen[need.name].version) for need in needs)
