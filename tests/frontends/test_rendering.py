from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

import liveinstall
from liveinstall._frontends import rendering
from liveinstall._frontends.cli.verbs import describe
from liveinstall._frontends.presenter import create
from liveinstall._frontends.rendering import show
from liveinstall._system.presenter import dump
from liveinstall.reports import History, Listed, Listing, Past, Requirements, Status
from liveinstall.results import AllPending, Cancelled, Change, Holder, Origin, Pending, Plan, Result, Target, Timing

UP = Change("numpy", "1.26.4", "2.2.6", Timing.RESTART, "numpy is imported here")
NEW = Change("rich", None, "15.0", Timing.NOW, "new")


def test_a_result_shows_the_changes_the_pending_ones_the_reasons_and_the_next_step():
    text = show(Result(installed=(NEW,), staged=(UP,), notes=("x is yanked",)))
    assert text == (
        "Installed, ready to import:\n"
        "  rich 15.0\n"
        "Staged for the next start of Python:\n"
        "  numpy 1.26.4 -> 2.2.6  numpy is imported here\n"
        "Note: x is yanked.\n"
        "This session keeps using the loaded version. To use the new version, start the program again."
    )


def test_nothing_to_do_says_so():
    assert show(Result()) == show(Plan()) == "Nothing to do."
    same = Change("rich", "15.0", "15.0", reason="it satisfies the request")
    assert show(Result(unchanged=(same,))) == "Unchanged: rich 15.0, it satisfies the request."


def test_what_was_set_aside_tells_the_reason():
    item = Pending("id", (UP,), 0.0, 7, "python", ("numpy",), "failed", "the disk refused")
    assert "Set aside since an unknown time" in show(item) and "reason: the disk refused" in show(item)


def test_what_happened_tells_who_asked_whence_it_came_and_whether_it_can_be_undone():
    past = Past("id", (UP, NEW), 0.0, 7, "python x.py", ("numpy>=2",), {"rich": Origin("https://h/rich.whl", "ab")})
    assert show(past) == (
        "id  an unknown time, by pid 7 (python x.py), requested numpy>=2:\n"
        "  numpy 1.26.4 -> 2.2.6\n"
        "  rich 15.0              https://h/rich.whl\n"
        "  can be undone"
    )
    assert show(replace(past, why_not="it is over.")).endswith("\n  cannot be undone: it is over")


def test_what_is_ordinary_has_no_reason():
    assert show(Plan((NEW, replace(NEW, name="six", old_version="14.0", reason="not in use")))) == (
        "Would be installed now:\n  rich 15.0\n  six 14.0 -> 15.0"
    )


PAST = Past("20261121T034425-bb8e01ea", (UP, NEW), 1e9, 7, "python", ("numpy>=2",), {})
OLD = replace(PAST, transaction="20261120T034425-bb8e01ea", changes=(NEW,) * 6, why_not="rich has moved on.")
LISTED = (Listed("numpy", "1.26.4", "1.26.4", "2.2.6"), Listed("rich", "15.0", project="/src/rich"))
TABLES = [
    *(History([PAST, OLD]), Listing(LISTED), Cancelled([UP, NEW]), Requirements(["alpha==1.0", "beta==2.0"])),
    *(Plan((UP, NEW)), replace(PAST, sources={"rich": Origin("https://h/rich.whl")})),
]


def test_a_history_is_a_short_table_and_a_transaction_has_the_details():
    titles, first, second = str(History([PAST, OLD])).splitlines()
    assert titles.split() == ["transaction", "applied", "changes", "can", "be", "undone"]
    assert PAST.transaction in first and "numpy 1.26.4 -> 2.2.6, rich 15.0  " in first and first.endswith("  yes")
    assert second.endswith("  no") and ", 2 more  " in second
    assert "cannot be undone: rich has moved on" in str(OLD)


def test_a_listing_has_no_empty_columns():
    assert str(Listing([Listed("numpy", "1.26.4"), Listed("rich", "15.0", pending="removed")])) == (
        "name   installed  pending\nnumpy  1.26.4\nrich   15.0       removed"
    )


def test_what_was_cancelled_and_requirements_show_well():
    assert str(Cancelled([UP])) == "Cancelled:\n  numpy 1.26.4 -> 2.2.6"
    assert str(Requirements(["alpha==1.0", "beta==2.0"])) == "alpha==1.0\nbeta==2.0"
    assert Cancelled([UP]) == (UP,) and str(Cancelled()) == "Nothing was cancelled."


@pytest.mark.parametrize("columns", [40, 60, 72, 80, 100, 120, 160, 200])
@pytest.mark.parametrize("value", TABLES, ids=lambda value: type(value).__name__)
def test_tables_fit_the_terminal_and_lose_no_word(value, columns, monkeypatch):
    whole = str(value)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    fitted = str(value)
    lines = fitted.splitlines()
    assert all(len(line) <= columns for line in lines if not line.endswith(":")), fitted  # it wraps sentences itself
    titles = set(whole.splitlines()[0].split())
    assert set(fitted.replace(": ", " ").split()) | titles >= set(whole.replace(": ", " ").split()) - titles
    assert columns < 120 or fitted == whole


def test_sentences_are_wrapped_between_words(monkeypatch):
    result = Result(transaction="x", staged=(UP,), notes=("a note that is longer than a narrow terminal is wide",))
    whole = str(result)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    lines = str(result).splitlines()
    assert max(map(len, lines)) <= 40 and sorted(" ".join(lines).split()) == sorted(whole.split())


def test_a_word_that_is_wider_than_the_terminal_is_not_cut(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    place = "/a" * 40
    assert str(Listing([Listed("rich", "15.0", project=place)])).splitlines()[0] == "rich"
    assert place in str(Listing([Listed("rich", "15.0", project=place)]))


def test_a_prompt_shows_the_text_of_a_value():
    code = (
        "from liveinstall.results import Result, Change, Cancelled\n"
        "Result(installed=(Change('rich', None, '15.0', reason='new'),))\n"
        "Cancelled([Change('rich', None, '15.0')])\n"
    )
    command = [sys.executable, "-i", "-q", "-c", ""]
    done = subprocess.run(command, input=code, capture_output=True, text=True, check=True)
    assert done.stdout == "Installed, ready to import:\n  rich 15.0\nCancelled:\n  rich 15.0\n", done.stderr


def test_a_value_that_cannot_be_shown_is_described_by_its_fields():
    assert repr(Result(installed=(None,))).startswith("Result(installed=(None,), staged=()")
    assert dump(History([1])) == "History(1,)"


def test_a_process_that_uses_many_distributions_is_described_in_short():
    status = Status(
        Target(*["/x"] * 7), AllPending(), (Holder(7, "jupyter lab", 1e9, uses=("a",), distributions=("a",) * 90),), 90
    )
    assert str(status).endswith("uses a, a, a, a, a, a, a, a, a, a, a, a, 78 more")


def test_values_print_themselves():
    assert liveinstall.install and str(Result()) == "Nothing to do."


def test_a_removal_reads_like_one():
    assert str(Change("rich", "15.0", None)) == "rich 15.0 removed"


def test_the_advice_for_what_the_jupyter_server_uses_is_to_restart_that(monkeypatch):
    uses = {"numpy"}
    server = lambda names: "restart JupyterLab itself" if uses.intersection(names) else ""
    monkeypatch.setattr(rendering, "server_advice", server)
    text = show(Result(staged=(UP, NEW)))
    assert text.endswith(
        "To use the new version, restart JupyterLab itself: restarting only this process is not enough."
    )
    assert "start the program again" not in text
    assert create().restart_advice("numpy") in text and "start the program again" in create().restart_advice("rich")


CONFLICT = "pandas 2.1.4 requires numpy<2, but numpy will be 2.2.6"


def test_conflicts_come_first_with_the_call_that_avoids_them():
    remedied = Result(staged=(UP,), conflicts=(CONFLICT,), remedy=("numpy>=2", "pandas"))
    assert show(remedied).splitlines()[:3] == [
        f"Conflict: {CONFLICT}.",
        'To install versions that fit: liveinstall.install("numpy>=2", "pandas")',
        "Staged for the next start of Python:",
    ]
    assert "To install versions that fit: liveinstall install 'numpy>=2' pandas\n" in describe("install", remedied)


def test_a_conflict_without_a_known_remedy_promises_none():
    for value in (Result(staged=(UP,), conflicts=(CONFLICT,)), Plan((UP,), conflicts=(CONFLICT,))):
        assert show(value).startswith(f"Conflict: {CONFLICT}.\n") and "fit" not in show(value)
