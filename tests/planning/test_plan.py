"""The changes of a request, given the installed and pending distributions."""

from __future__ import annotations

from dataclasses import replace

from liveinstall._model import Candidate
from liveinstall._planning.graph import Node
from liveinstall._planning.plan import PendingNode, changes_for, make_plan
from liveinstall._requirements.request import parse_request
from liveinstall.results import Change

HERE, WAITING = {"alpha": Node("1.0")}, {"alpha": PendingNode(Node("1.0"))}


def changes(candidate, **options):
    return [str(c) for c in changes_for(parse_request(("alpha",), **options), [candidate], HERE, WAITING)[0]]


def test_requesting_the_installed_version_cancels_the_pending_one_unless_it_comes_from_elsewhere():
    assert changes(Candidate("alpha", "1.0", (), requested=True)) == []
    assert changes(Candidate("alpha", "1.0", (), requested=True), reinstall=True) == ["alpha 1.0 -> 1.0"]
    elsewhere = {"url": "file:///alpha", "dir_info": {"editable": True}}
    assert changes(Candidate("alpha", "1.0", (), requested=True, direct_url=elsewhere)) == ["alpha 1.0 -> 1.0"]


def removal(waiting):
    request = replace(parse_request(("other",)), removals=frozenset({"alpha"}))
    changes, after = changes_for(request, [], HERE, waiting)
    return [str(change) for change in changes], after.get("alpha")


def test_a_removal_of_a_pending_shadow_only_cancels_it():
    """The distribution outside of the environment stays, and is importable again."""
    assert removal({"alpha": PendingNode(Node("2.0"), shadows=True)}) == ([], Node("1.0"))
    assert removal({"alpha": PendingNode(Node("2.0"))}) == (["alpha 1.0 removed"], None)


def test_after_a_removal_what_it_shadowed_satisfies_requirements_again():
    request = replace(parse_request(("other",)), removals=frozenset({"alpha"}))
    before = {"alpha": Node("1.0"), "user": Node("1.0", ("alpha",)), "strict": Node("1.0", ("alpha>=1",))}
    beneath = {"alpha": Node("0.9")}
    changes, after = changes_for(request, [], before, {}, beneath)
    assert [str(change) for change in changes] == ["alpha 1.0 removed"] and after["alpha"] == Node("0.9")
    plan = make_plan(request, [], before, {}, {}, beneath=beneath)
    assert [str(change) for change in plan.now] == ["alpha 1.0 removed"]
    assert plan.conflicts == ("strict 1.0 requires alpha>=1, but alpha will be 0.9",)
    assert len(make_plan(request, [], before, {}, {}).conflicts) == 2
    pending = {"alpha": PendingNode(None, beneath=Node("0.9"))}
    other = replace(request, removals=frozenset())
    changes, after = changes_for(other, [], before, pending)
    assert [str(change) for change in changes] == ["alpha 1.0 removed"] and after["alpha"] == Node("0.9")


def test_what_is_pending_is_not_unchanged_too():
    plan = make_plan(parse_request(("alpha",)), [], HERE, {"alpha": PendingNode(Node("2.0"), "it is loaded")}, {})
    assert [str(change) for change in plan.waiting] == ["alpha 1.0 -> 2.0"] and plan.unchanged == ()
    assert [str(change) for change in make_plan(parse_request(("alpha",)), [], HERE, {}, {}).unchanged] == [
        "alpha 1.0 -> 1.0"
    ]


def test_a_change_without_versions_has_no_none_in_its_text():
    assert str(Change("alpha", None, None)) == "alpha removed"
