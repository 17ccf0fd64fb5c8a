from __future__ import annotations

from dataclasses import replace

import liveinstall
from liveinstall._frontends.rendering import show
from liveinstall.reports import Past
from liveinstall.results import Change, Origin, Pending, Plan, Result, Timing

UP = Change("numpy", "1.26.4", "2.2.6", Timing.RESTART, "numpy is imported here")
NEW = Change("rich", None, "15.0", Timing.NOW, "new")


def test_a_result_tells_what_happened_what_waits_why_and_what_to_do():
    text = show(Result(installed=(NEW,), staged=(UP,), notes=("x is yanked",)))
    assert text == (
        "Installed, ready to import:\n"
        "  rich 15.0  new\n"
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


def test_values_print_themselves():
    assert liveinstall.install and str(Result()) == "Nothing to do."


def test_a_removal_reads_like_one():
    assert str(Change("rich", "15.0", None)) == "rich 15.0 removed"
