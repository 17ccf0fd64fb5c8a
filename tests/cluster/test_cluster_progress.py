"""The progress of a cluster request: only what has changed is sent, and notebooks display each environment."""

from __future__ import annotations

import asyncio
import json

from helpers.cluster_engine import LOCK, Engine

from liveinstall._cluster.coordinator import Coordinator
from liveinstall._cluster.options import Options
from liveinstall._cluster.outcome import EnvironmentRow, Outcome
from liveinstall._cluster.request_progress import Changes, ClusterStory, brief
from liveinstall._frontends.progress import Cell, Progress


def row(site, **facts):
    return EnvironmentRow(site, f"/{site}", ("a", "b"), **{"state": "unchanged", **facts})


def test_a_reader_gets_only_the_rows_that_it_lacks():
    changes, one, two = Changes(), row("h1"), row("h2")
    assert changes.note([one, two]) == [one, two] and changes.note([one, two]) == []
    seen = changes.number
    later = row("h2", state="pending", restarted=("a",))
    assert changes.note([one, later]) == [later]
    assert changes.since(seen) == [brief(later)] and len(changes.since(0)) == 2
    assert changes.since(changes.number) == []


def test_what_a_restart_of_one_of_many_workers_sends_does_not_grow_with_the_cluster():
    sizes = {}
    for hosts in (5, 50):
        engine = Engine(hosts=hosts, workers=8)
        asyncio.run(Coordinator(engine).request(LOCK, "scheduler", Options()))
        told = [len(json.dumps([brief(row) for row in rows])) for phase, rows in engine.told if phase[0] == "r"]
        assert len(told) >= hosts * 8
        sizes[hosts] = max(told)
    assert sizes[50] < 1.2 * sizes[5]


def test_each_phase_is_told_in_words_with_a_row_for_each_environment():
    story, h1, h2 = ClusterStory(), row("h1"), row("h2")
    assert str(story.hear("looking", []).step) == "Looking at the environments"
    state = story.hear("preparing", map(brief, [h1, h2]))
    assert (state.step, state.about, state.share) == ("Preparing", "0 of 2 environments", 0)
    state = story.hear("preparing", [brief(row("h1", state="prepared"))])
    assert state.about == "1 of 2 environments" and ("/h1", "2 processes, prepared") in state.rows
    assert story.hear("arming", []).about == "0 of 2 environments"
    failed = brief(row("h2", state="pending", error="it cannot be reached", left=(("b", "it cannot be reached"),)))
    state = story.hear("restarting workers", [brief(row("h1", state="pending", restarted=("a",))), failed])
    assert state.about == "1 restarted"
    assert state.rows[0] == ("/h2", "2 processes, pending, 1 still old: it cannot be reached"), "what failed is first"
    assert state.rows[1] == ("/h1", "2 processes, pending, 1 restarted")
    end = story.end(Outcome((row("h1", restarted=("a",)),), phase="done"))
    assert end.step == "Done, 1 worker restarted" and end.ended
    assert story.end(Outcome(phase="failed", error="why")).step == "Failed"


def test_many_environments_are_not_all_listed():
    state = ClusterStory().hear("shipping", [brief(row(f"h{number}")) for number in range(100)])
    assert len(state.rows) == 21 and state.rows[-1][0] == "and 80 more"


def test_a_notebook_displays_the_table_while_it_runs_and_a_sentence_at_the_end(monkeypatch):
    monkeypatch.setattr("liveinstall._frontends.progress._PAUSE", 0)
    shown = []
    progress = Progress(Cell(lambda data, metadata, transient, update: shown.append((data, update))), delay=0)
    progress._timer.join()
    story = ClusterStory()
    progress(story.hear("preparing", [brief(row("<b>h1</b>", state="prepared"))]))
    assert "/&lt;b&gt;h1&lt;/b&gt;: 2 processes, prepared</div>" in shown[-1][0]["text/html"]
    progress(story.end(Outcome(phase="done")))
    progress.close()
    data, is_update = shown[-1]
    assert is_update and "h1" not in data["text/html"] and data["text/plain"].startswith("Done, 0 workers restarted")
