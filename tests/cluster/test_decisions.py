"""What a cluster has decided outlives its coordinator: every environment keeps it, and the newest copy counts."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from helpers.cluster_engine import LOCK, Engine

from liveinstall._cluster.coordinator import Coordinator
from liveinstall._cluster.decisions import Decision, Decisions, read_decisions, write_decisions
from liveinstall._cluster.options import Options

DECIDED = Decisions().plus(LOCK)


def test_the_newest_copy_counts_but_not_that_of_another_cluster():
    two = DECIDED.plus(LOCK)
    undone = two.without_last()
    assert two.is_newer(DECIDED) and undone.is_newer(two) and not DECIDED.is_newer(undone)
    assert undone.items == DECIDED.items
    assert two.is_newer(Decisions()), "a new coordinator takes what it finds"
    other = Decisions().plus(LOCK)
    assert not replace(other, stamp=two.stamp + 1).is_newer(two)


def test_a_decision_and_its_undo_are_ordered_even_if_the_clock_stands_still(monkeypatch):
    monkeypatch.setattr("time.time_ns", lambda: 1)
    one = Decisions().plus(LOCK)
    assert [one.stamp, one.plus(LOCK).stamp, one.plus(LOCK).without_last().stamp] == [1, 2, 3]


def test_an_environment_keeps_the_ids_of_its_own_changes(tmp_path):
    site = str(tmp_path)
    (tmp_path / ".liveinstall").mkdir()
    key = DECIDED.items[0].key
    write_decisions(site, DECIDED, {key: "change-1"})
    assert read_decisions(site).items == (Decision(key, LOCK.text, "change-1"),)
    write_decisions(site, DECIDED.plus(LOCK), {})
    assert [item.change for item in read_decisions(site).items] == ["change-1", ""]
    assert Decisions.from_json(json.loads(json.dumps(read_decisions(site).as_json()))).items[0].change == ""


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"items": [{"key": 1}], "cluster": "", "stamp": 1}', "\xff"])
def test_a_damaged_copy_is_none(tmp_path, text):
    (tmp_path / ".liveinstall").mkdir()
    (tmp_path / ".liveinstall" / "decided").write_bytes(text.encode("latin-1"))
    assert read_decisions(str(tmp_path)) == Decisions()


def run(engine, *acts):
    """The last outcome of acts by one new coordinator, and the coordinator."""

    async def all_acts():
        coordinator = Coordinator(engine)
        for act in acts:
            outcome = await act(coordinator)
        return outcome, coordinator

    return asyncio.run(all_acts())


async def request(coordinator):
    return await coordinator.request(LOCK, "scheduler", Options())


async def undo(coordinator):
    return await coordinator.undo("scheduler", Options())


async def resume(coordinator):
    return await coordinator.resume("scheduler", Options())


def test_a_coordinator_that_dies_after_the_decision_is_succeeded_by_one_that_goes_on():
    engine = Engine(hosts=3)

    ask, is_armed = engine.ask, asyncio.Event()

    async def ask_only_the_first_to_arm(address, step, **arguments):
        if step == "arm" and engine.workers.get(address) != "h0":
            await asyncio.Event().wait()
        answer = await ask(address, step, **arguments)
        if step == "arm":
            is_armed.set()
        return answer

    async def dies_while_arming(coordinator):
        engine.ask = ask_only_the_first_to_arm
        task = asyncio.create_task(coordinator.request(LOCK, "scheduler", Options()))
        await is_armed.wait()
        task.cancel()
        engine.ask = ask

    run(engine, dies_while_arming)
    assert engine.states["h0"] == "pending" and engine.states["h1"] == "prepared" and not engine.steps("stale")
    outcome, successor = run(engine, resume)
    assert outcome.phase == "done" and [item.lock for item in successor.decided.items] == [LOCK.text]
    assert {engine.states[host] for host in engine.hosts()} == {"pending"}
    assert outcome.restarted == 6 and not engine.old


def test_a_new_coordinator_can_undo_what_another_has_decided():
    engine = Engine()
    run(engine, request)
    outcome, successor = run(engine, undo)
    assert outcome.phase == "done" and outcome.restarted == 4 and not successor.decided.items
    assert {engine.states[host] for host in engine.hosts()} == {"dropped"}
    assert run(engine, undo)[0].error == "there is nothing to undo"


def test_a_host_that_was_away_during_an_undo_is_reverted_when_it_returns():
    engine = Engine()
    _, coordinator = run(engine, request)
    away = {address: engine.workers.pop(address) for address in list(engine.workers) if address.startswith("h1")}
    run(engine, undo)
    assert engine.states["h1"] == "pending"
    engine.workers |= away
    outcome, coordinator = run(engine, resume)
    assert engine.states["h1"] == "dropped" and not coordinator.decided.items
    assert outcome.restarted == 2 and engine.old == engine.using, "all use the old version again"


def test_a_host_that_was_away_during_an_undo_does_not_bring_the_change_back():
    engine = Engine()
    run(engine, request)
    old = engine.kept["h1"]
    _, coordinator = run(engine, undo)
    assert not asyncio.run(coordinator.adopt(old, "h1w0", "scheduler"))


def test_a_new_coordinator_gets_the_wheels_from_the_environment_that_told_it():
    engine = Engine()
    run(engine, request)
    engine.kept.pop("scheduler")  # its host is new
    engine.asked.clear()
    _, successor = run(engine, resume)
    fetched = [(address, facts["source"]) for address, step, facts in engine.asked if step == "fetch"]
    assert fetched == [("scheduler", "h0w0")] and successor.decided.items


def test_a_host_that_has_everything_gets_nothing_again():
    engine = Engine()
    run(engine, request)
    before = len(engine.steps("prepare"))
    outcome, _ = run(engine, resume)
    assert len(engine.steps("prepare")) == before and outcome.restarted == 0


def test_the_copy_of_another_cluster_is_replaced_and_nothing_of_it_is_dropped(env):
    code = """
    from liveinstall._cluster import steps
    from liveinstall._cluster.decisions import Decisions, fulfilled, read_decisions
    from liveinstall._environment.target import find_target
    site = find_target().site
    lock = cluster.lock("alpha>=2")
    change = cluster.prepare(lock, cluster.pack(lock).files)
    mine = Decisions().plus(lock)
    steps.revert(mine, {mine.items[0].key: change.id})
    cluster.arm(change.id)
    theirs = Decisions().plus(lock).without_last()
    print(steps.revert(theirs).state, read_decisions(site) == theirs)
    steps.revert(mine, {mine.items[0].key: change.id})
    print(fulfilled(site) == {mine.items[0].key})
    print(steps.revert(mine.without_last()).state, steps.revert(mine.without_last()).state)
    print(read_decisions(site).items)
    """
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    lines = "\n".join(line.strip() for line in code.splitlines())
    done = env.run("from liveinstall import cluster\n" + lines, XDG_CACHE_HOME=str(env.root / "cache"))
    assert done.stdout.split() == ["current", "True", "True", "dropped", "current", "()"], done.stderr
    assert env.versions() == {"alpha": "1.0"}


def test_workers_that_join_between_look_and_arm_are_brought_along():
    engine = Engine()
    arm = engine.on_arm

    def join_and_arm(address, host, **arguments):
        late = {"h0w9": "h0", "h9w0": "h9"}
        if not engine.workers.keys() & late:
            engine.workers |= late
            engine.using |= late.keys()
            engine.old |= late.keys()
        return arm(address, host, **arguments)

    engine.on_arm = join_and_arm
    outcome, _ = run(engine, request)
    assert engine.states["h9"] == "pending" and outcome.restarted == 6 and not engine.old
    assert len(engine.steps("prepare")) == 4, "no environment prepares it again"


def test_an_undo_in_the_middle_of_a_rolling_restart_ends_it_and_all_workers_are_back():
    engine = Engine(hosts=2, workers=10)
    restart, undoing = engine.restart, []

    async def request_and_undo(coordinator):
        async def restart_and_undo(addresses, **options):
            if not undoing:
                undoing.append(asyncio.create_task(undo(coordinator)))
                await asyncio.sleep(0)
            return await restart(addresses, **options)

        engine.restart = restart_and_undo
        first = await request(coordinator)
        assert 0 < first.restarted < 20 and "is being undone" in str(first.left)
        return await undoing[0]

    outcome, coordinator = run(engine, request_and_undo)
    assert outcome.phase == "done" and not coordinator.decided.items and engine.old == engine.using
    assert {engine.states[host] for host in engine.hosts()} == {"dropped"}
