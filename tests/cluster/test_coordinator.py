"""The coordinator on an engine that consists of objects: its calls, their order, and its failures."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from helpers.cluster_engine import LOCK, WHEEL, Engine

from liveinstall._cluster.coordinator import Coordinator
from liveinstall._cluster.options import Options, checked
from liveinstall._cluster.outcome import Outcome
from liveinstall.errors import RequirementError


def request(engine, **options):
    return asyncio.run(Coordinator(engine).request(LOCK, "scheduler", Options(**options)))


def test_a_request_ends_with_a_row_for_each_environment():
    engine = Engine()
    outcome = request(engine)
    assert outcome.phase == "done" and outcome.decided and not outcome.error
    assert {row.site: row.state for row in outcome.rows} == dict.fromkeys(("/h0", "/h1", "/scheduler"), "pending")
    assert all(row.changes == ("alpha 1.0 -> 2.0",) for row in outcome.rows)
    assert outcome.restarted == 4 and not outcome.left
    phases = list(dict.fromkeys(phase for phase, _ in engine.told))
    assert phases == ["shipping", "preparing", "arming", "restarting workers", "done"]
    assert Outcome.from_json(outcome.as_json()) == outcome


def test_each_environment_takes_each_step_once_and_gets_the_wheels_once():
    engine = Engine(hosts=5, workers=4)
    outcome = request(engine)
    for step in ("fetch", "prepare", "arm"):
        assert len(engine.steps(step)) == 6
    assert outcome.sent == 6 * WHEEL.size
    sources = Counter(arguments["source"] for _, step, arguments in engine.asked if step == "fetch")
    assert max(sources.values()) < 6, "the environments that have the wheels serve the others"


def test_only_workers_that_have_loaded_the_old_version_are_restarted_and_each_once():
    engine = Engine(using=lambda address: address.endswith("w1"))
    outcome = request(engine)
    assert sorted(address for row in outcome.rows for address in row.restarted) == ["h0w1", "h1w1"]


@pytest.mark.parametrize(
    "failure",
    ["the disk is full.", "the wheel is not for this interpreter and platform.", OSError("it cannot be reached")],
)
@pytest.mark.parametrize("step", ["identify", "fetch", "prepare"])
def test_a_failure_before_the_decision_drops_everywhere_and_names_the_host(step, failure):
    engine = Engine()
    engine.fails[step, "h1"] = failure
    outcome = request(engine)
    assert outcome.phase == "failed" and not outcome.decided and str(failure).rstrip(".") in outcome.error
    assert "prepared" not in engine.states.values() and "pending" not in engine.states.values()
    assert not engine.steps("arm") and outcome.restarted == 0
    if step == "prepare":
        assert "/h1" in outcome.error
        assert {row.site: row.state for row in outcome.rows}["/h1"] == "failed"


def test_a_host_that_dies_after_the_decision_is_named_and_the_others_go_on():
    engine = Engine()
    engine.fails["arm", "h1"] = OSError("it cannot be reached")
    outcome = request(engine)
    assert outcome.phase == "done" and outcome.decided
    rows = {row.site: row for row in outcome.rows}
    assert rows["/h1"].state == "failed" and "cannot be reached" in rows["/h1"].error
    assert rows["/h0"].state == "pending" and len(rows["/h0"].restarted) == 2


def test_a_worker_that_cannot_be_restarted_is_named():
    engine = Engine()
    engine.unrestartable["h0w1"] = "it was still running 1 task when the patience ran out"
    outcome = request(engine)
    assert outcome.left == engine.unrestartable and outcome.restarted == 3
    assert "h0w1 still uses the old versions: it was still running" in str(outcome)
    users = {row.site: "used by pid 7" in str(row) for row in outcome.rows}
    assert users == {"/h0": False, "/h1": False, "/scheduler": True}, "those that were restarted are not named any more"


def test_never_restarts_nothing():
    outcome = request(Engine(), restart="never")
    assert outcome.restarted == 0 and len(outcome.left) == 4


def test_together_restarts_all_at_the_same_time():
    engine = Engine()
    outcome = request(engine, restart="together")
    assert engine.most_out == 4 and outcome.restarted == 4 and not outcome.mixed


@pytest.mark.parametrize(("limit", "most"), [(None, 4), (3, 3), (1, 1)])
def test_a_rolling_restart_keeps_the_limit(limit, most):
    engine = Engine(hosts=10, workers=4)
    assert request(engine, max_unavailable=limit).restarted == 40
    assert engine.most_out <= most


def test_the_same_request_again_finishes_what_a_coordinator_that_died_has_begun():
    engine = Engine()
    assert request(engine, restart="never").restarted == 0
    engine.answer = lambda host: {"id": "", "state": "current", "reason": "", "changes": []}
    engine.on_prepare = lambda address, host, lock, verify: engine.answer(host)
    outcome = request(engine)  # with a new coordinator
    assert outcome.restarted == 4 and not engine.old


def test_an_undo_that_cannot_reach_a_process_can_be_tried_again():
    engine = Engine()

    async def both():
        coordinator = Coordinator(engine)
        await coordinator.request(LOCK, "scheduler", Options())
        engine.fails["identify", "h1"] = OSError("it cannot be reached")
        failed = await coordinator.undo("scheduler", Options())
        engine.fails.clear()
        return failed, await coordinator.undo("scheduler", Options())

    failed, undone = asyncio.run(both())
    assert failed.phase == "failed" and "cannot be reached" in failed.error
    assert undone.phase == "done" and undone.restarted == 4


def test_undo_drops_everywhere_and_restarts_those_that_use_what_was_brought():
    engine = Engine()

    async def both():
        coordinator = Coordinator(engine)
        await coordinator.request(LOCK, "scheduler", Options())
        assert [item.lock for item in coordinator.decided.items] == [LOCK.text]
        undone = await coordinator.undo("scheduler", Options())
        assert not coordinator.decided.items
        return undone, await coordinator.undo("scheduler", Options())

    undone, again = asyncio.run(both())
    assert {row.state for row in undone.rows} == {"dropped"} and undone.restarted == 4
    assert again.phase == "failed" and again.error == "there is nothing to undo"


def test_environments_whose_id_was_copied_with_an_image_are_told_apart():
    engine = Engine()
    engine.ids = {"h0": "image", "h1": "image"}
    outcome = request(engine)
    assert sorted(row.site for row in outcome.rows) == ["/h0", "/h1", "/scheduler"]
    assert len({row.environment for row in outcome.rows}) == 3
    assert not engine.states["marks"], "no file is left"


def test_processes_on_two_machines_that_share_an_environment_are_one_row():
    engine = Engine()
    engine.ids = {"h0": "shared", "h1": "shared"}
    engine.on_mark = lambda address, host, nonce: {}
    engine.on_sees = lambda address, host, nonce: {"sees": True}
    outcome = request(engine)
    assert sorted(len(row.members) for row in outcome.rows) == [1, 4]
    assert len(engine.steps("prepare")) == 2


def test_ten_thousand_workers_cost_what_the_design_says():
    """625 hosts of 16: calls, bytes by a tree, and restarts within the limit. No processes are started."""
    engine = Engine(hosts=625, workers=16)
    outcome = request(engine, max_unavailable=1000)
    assert outcome.restarted == 10_000 and engine.most_out <= 1000
    calls = Counter(step for _, step, _ in engine.asked)
    assert calls["identify"] == 10_001 and calls["prepare"] == calls["arm"] == calls["fetch"] == 626
    assert calls["stale"] == 10_001
    sources = Counter(arguments["source"] for _, step, arguments in engine.asked if step == "fetch")
    assert max(sources.values()) <= 32, "no process sends the wheels to many others"
    assert outcome.sent == 626 * WHEEL.size


def test_an_outcome_is_a_card_in_a_notebook_and_text_at_a_prompt():
    engine = Engine()
    engine.unrestartable["h0w1"] = "<it was still running 1 task>"
    outcome = request(engine)
    data = outcome._repr_mimebundle_()
    page = data["text/html"]
    assert page.count("alpha 1.0 -&gt; 2.0") == 3 and "h0w1 still uses the old versions: &lt;it was" in page
    assert "<table" not in page and "<p>" not in page, "sanitisers remove them"
    assert data["text/plain"] == repr(outcome) == str(outcome)


@pytest.mark.parametrize(
    "bad", [{"restart": "sometimes"}, {"patience": -1}, {"patience": True}, {"max_unavailable": 0}, {"patience": "1"}]
)
def test_an_option_with_an_impossible_value_is_refused(bad):
    with pytest.raises(RequirementError, match=next(iter(bad))):
        checked(Options(**bad))


def test_a_host_with_another_liveinstall_is_refused_by_name_before_anything_changes():
    engine = Engine()
    engine.versions["h1"] = "0.0.1"
    outcome = request(engine)
    assert outcome.phase == "failed" and "/h1 (h1w0) has liveinstall 0.0.1" in outcome.error
    assert not engine.steps("fetch") and not engine.steps("prepare")
