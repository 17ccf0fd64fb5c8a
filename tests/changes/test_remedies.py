"""The remedy of a conflict: requirements that the resolver has found to fit, or none."""

from __future__ import annotations

import pytest
from helpers.conflicts import BACKTRACKS

_CONFLICT = "beta 1.0 requires alpha<2, but alpha will be 2.0"


def ask(env, code):
    conflicts, remedy = env.json(BACKTRACKS + code)
    assert conflicts == [_CONFLICT]
    return remedy


def test_versions_that_fit_together_are_a_remedy_and_leave_no_conflict(conflicting):
    conflicting.wheel("beta", "2.0", requires=("alpha>=2",))
    for code in (
        "show(li.plan('alpha>=2'))",
        "show(li.install('alpha>=2', dry_run=True))",
        "import alpha\nshow(li.install('alpha>=2'))",
    ):
        assert ask(conflicting, code) == ["alpha>=2", "beta"]
    done = conflicting.json(BACKTRACKS + "show(li.install('alpha>=2', 'beta'))")
    assert done == [[], []]
    assert conflicting.versions() == {"alpha": "2.0", "beta": "2.0"}


def test_unsatisfiable_or_conflicting_requirements_are_not_a_remedy(conflicting):
    assert ask(conflicting, "show(li.plan('alpha>=2'))") == []
    conflicting.wheel("beta", "2.0", requires=("alpha<2",))
    assert ask(conflicting, "show(li.plan('alpha>=2'))") == []
    conflicting.wheel("beta", "3.0", requires=("gone",))
    assert ask(conflicting, "show(li.plan('alpha>=2'))") == []
    assert ask(conflicting, "show(li.install('alpha>=2'))") == []


@pytest.mark.parametrize(
    "options", ["pre=True", "deps=False", "requester='me'", "protect=['alpha']", "prefer='loaded'"]
)
def test_a_request_with_options_gets_no_remedy_that_would_ask_for_less(conflicting, options):
    conflicting.wheel("beta", "2.0", requires=("alpha>=2",))
    assert ask(conflicting, f"show(li.plan('alpha>=2', {options}))") == []


def test_without_a_conflict_nothing_is_resolved_again(env):
    env.wheel("alpha", "1.0")
    count = """
calls = []
before = fake_engine.FakeEngine.resolve
fake_engine.FakeEngine.resolve = lambda *a, **k: [calls.append(1), before(*a, **k)][1]
li.install('alpha')
print(json.dumps(len(calls)))
"""
    assert env.json(count) == 1


def test_only_the_plan_of_the_request_is_reported(conflicting):
    conflicting.wheel("beta", "2.0", requires=("alpha>=2",))
    plans = conflicting.json(
        f"{BACKTRACKS}plans = []\n"
        "tell = lambda event: plans.extend([str(event.plan.changes)] if isinstance(event, li.events.Planned) else ())\n"
        "li.install('alpha>=2', dry_run=True, on_event=tell)\nprint(json.dumps(plans))"
    )
    assert len(plans) == 1 and "name='beta'" not in plans[0]
