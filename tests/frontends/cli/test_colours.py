from __future__ import annotations

import io
import re

import pytest

from liveinstall._frontends.cli.colours import GREEN, RED, YELLOW, paint_lines, wants_colour
from liveinstall._frontends.rendering import show
from liveinstall.reports import Check, Finding, Stale
from liveinstall.results import Change, Pending, Result, Timing


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "variables", "wanted"),
    [
        (Terminal(), {"WT_SESSION": "1"}, True),
        (Terminal(), {"WT_SESSION": "1", "NO_COLOR": ""}, True),
        (Terminal(), {"WT_SESSION": "1", "NO_COLOR": "0"}, False),
        (Terminal(), {"WT_SESSION": "1", "TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (io.StringIO(), {"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        (Terminal(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (None, {}, False),
    ],
)
def test_colours_are_for_terminals_and_on_request(stream, variables, wanted):
    assert wants_colour(stream, variables) is wanted


def test_a_closed_stream_has_no_colour():
    closed = io.StringIO()
    closed.close()
    assert wants_colour(closed, {}) is False


CHANGE = Change("numpy", "1.26.4", "2.2.6", Timing.RESTART, "numpy is imported here")
WAITS = Pending("id", (CHANGE,), 0.0, 1, "python", ())
FINDING = Finding("missing", "rich", "/x", "files are not there", "install it again")


@pytest.mark.parametrize(
    ("value", "beginning", "colour"),
    [
        (Result(installed=(CHANGE,)), "Installed, ready to import:", GREEN),
        (Result(removed=(CHANGE,)), "Removed:", GREEN),
        (Result(staged=(CHANGE,)), "Staged for the next start of Python:", YELLOW),
        (Result(conflicts=("a needs b",)), "Conflict:", RED),
        (WAITS, "Pending since", YELLOW),
        (Pending("id", (CHANGE,), 0.0, 1, "python", (), "failed"), "Set aside since", RED),
        (Check(), "No problems found.", GREEN),
        (Check(broken=("a needs b",)), "Broken:", RED),
        (Check(stale=(Stale("numpy", "1", "2"),)), "Outdated:", YELLOW),
        (FINDING, "missing: ", RED),
    ],
)
def test_applied_pending_and_failed_changes_have_colours_and_the_same_text(value, beginning, colour):
    text = show(value)
    painted = paint_lines(text)
    assert f"\033[{colour}m{beginning}\033[0m" in painted
    assert re.sub(r"\033\[\d+m", "", painted) == text
