"""A small part of the reliability report, in every run: nothing may be broken, and breakage is detected."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from integration.reports import hostile_wheels as hostile_table
from integration.reports.reliability import calls, crowds, kills, others, others_crowds, power, sections
from integration.reports.reliability.bench import SHARED, Bench, workbench
from integration.reports.reliability.kills import Count, Judge, Options
from integration.reports.reliability.page import Figures, render
from integration.reports.reliability.phases import PHASES, prepare_halves
from integration.reports.reliability.trace import available

_SIZES = sections.SMALL_SIZES
_traced = pytest.mark.skipif(not available(), reason="needs strace")


@pytest.fixture(scope="module")
def bench():
    with workbench() as made:
        yield made


@pytest.fixture(scope="module")
def halves(bench: Bench) -> Bench:
    prepare_halves(bench)
    return bench


@pytest.fixture(scope="module")
def pip(bench: Bench) -> others.Rival:
    return others.Rival(bench, "pip")


def assert_whole(count: Count) -> None:
    assert count.tried > 0
    assert count.wrong == []


@_traced
@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_a_kill_before_a_system_call_leaves_old_or_new(halves: Bench, phase) -> None:
    assert_whole(kills.sweep(halves, Judge(halves), phase, _SIZES.options))


@_traced
def test_a_kill_while_files_are_handed_over_leaves_old_or_new() -> None:
    with workbench(SHARED) as bench:
        for count in sections.shared_files(_SIZES, bench, Judge(bench)):
            assert_whole(count)


@_traced
def test_a_recovery_that_is_killed_is_recovered_too(bench: Bench) -> None:
    assert_whole(kills.pairs(bench, Judge(bench), Options(), first=40, second=25))


@_traced
def test_ctrl_c_at_a_start_leaves_old_or_new(bench: Bench) -> None:
    assert_whole(kills.interrupts(bench, Judge(bench), _SIZES.options))


@_traced
@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_a_power_loss_leaves_old_or_new(halves: Bench, phase) -> None:
    assert_whole(power.sweep(halves, Judge(halves), phase, Options(every=60), bound=_SIZES.bound))


@_traced
def test_a_power_loss_in_a_recovery_leaves_old_or_new(bench: Bench) -> None:
    assert_whole(power.recoveries(bench, Judge(bench), Options(every=120), first=16, bound=_SIZES.bound))


@_traced
def test_a_power_loss_while_files_are_handed_over_leaves_old_or_new() -> None:
    with workbench(SHARED) as bench:
        for count in sections.lost_while_handed_over(replace(_SIZES, states=30), bench, Judge(bench)):
            assert_whole(count)


@_traced
@pytest.mark.parametrize("number", [1, 2], ids=["install at once", "swap at a start"])
def test_a_system_call_that_fails_leaves_old_or_new(halves: Bench, number: int) -> None:
    found = calls.sweep(halves, Judge(halves), PHASES[number], Options(every=(60, 20)[number - 1]), 1)
    assert found.tried.total() > 4
    assert found.broken.total() == 0


@_traced
def test_the_same_kills_break_what_others_do(pip: others.Rival) -> None:
    killed = others.kills(pip, Options(every=80))
    assert killed.broken > killed.tried // 2


@_traced
def test_the_same_errors_break_what_others_do(pip: others.Rival) -> None:
    failed = others.errors(pip, Options(every=50), 1)
    assert 0 < failed.broken.total() <= failed.tried.total()


@_traced
def test_the_same_power_losses_break_what_others_do(pip: others.Rival) -> None:
    lost = others.power_losses(pip, Options(every=300), _SIZES.bound)
    assert lost.broken > lost.tried // 2


@_traced
@pytest.mark.skipif(not others.available("uv"), reason="needs uv")
def test_what_uvs_threads_did_is_read_whole(bench: Bench) -> None:
    """The recording asserts that the model of the disk ends in the same state as uv."""
    lost = others.power_losses(others.Rival(bench, "uv"), Options(every=200), _SIZES.bound)
    assert lost.points > 500
    assert lost.broken > 0


def test_concurrency_of_other_tools_is_counted(pip: others.Rival) -> None:
    swaps = others_crowds.back_and_forth(pip, 2)
    assert swaps.swaps == 2
    assert swaps.starters == swaps.old + swaps.new + swaps.mixed + swaps.failed > 2
    assert others_crowds.two_install(pip, 1)[0] == 1


@pytest.mark.parametrize("harm", ["unlink()", "write_text('V = str(3)')"])
def test_concurrency_tests_of_other_tools_detect_breakage(pip: others.Rival, monkeypatch, harm: str) -> None:
    code = f"import time; from pathlib import Path; time.sleep(0.3); Path({str(pip.bench.site)!r}, 'new').touch(); "
    code += f"Path({str(pip.bench.site / 'beta.py')!r}).{harm}; time.sleep(3)"
    for name in ("upgrade", "command"):
        command = [pip.bench.python, "-c", code if name == "upgrade" else "pass"]
        monkeypatch.setattr(pip, name, command if name == "upgrade" else lambda *words, c=command, **options: c)
    crowd = others_crowds.start_during(pip, 10)
    assert (crowd.failed, crowd.mixed) == ((10, 0) if harm == "unlink()" else (0, 10))
    assert len(others_crowds.two_install(pip, 1)[1]) == 1


@_traced
def test_the_page_shows_all_and_whether_it_is_good() -> None:
    count, broken = Count("here", 3, 2, 1, 1), others.Broken("pip", 8, 7, 6, 5, 4, 3)
    failures = calls.Failures("there", 2, Counter(EIO=2))
    starts, swaps = crowds.Crowd(5, 1, new=5), crowds.Swaps(4, 4)
    beside = others_crowds.RivalCrowds("pip", [replace(starts, failed=2)], swaps, 6, ["bad"])
    row = dict.fromkeys(hostile_table.TOOLS, "refused")
    figures = Figures(
        *([count], [count], count, [count], [sections.Tool(broken, failures, broken)], [failures]),
        *({"traversal": row}, {"swap": Counter(EIO=2)}, sections.Crowds([starts], swaps, 6, [], [beside])),
        *("command", 1.0, _SIZES),
    )
    assert figures.is_good
    page = render(figures)
    assert "| pip | 8 | 7 | 6 | 5 | 3 |" in page
    assert "| there | 2 | 2 | 0 of 0 | 0 of 0 | 0 of 2 |" in page
    assert "| 5: 0, 0 | 5: 2, 0 |" in page
    assert not replace(figures, failures=[replace(failures, broken=Counter(EIO=1))]).is_good
    assert not replace(figures, hostile={"traversal": {**row, "liveinstall": "accepted"}}).is_good


def test_concurrent_starts_swap_once_and_use_one_version(bench: Bench) -> None:
    crowd = crowds.start_at_once(bench, 20)
    assert crowd.is_good, crowd
    assert crowd.p99 < 10


def test_swaps_back_and_forth_under_starters_mix_nothing(bench: Bench) -> None:
    swaps = crowds.back_and_forth(bench, 30)
    assert swaps.is_good, swaps


def test_two_installs_at_once_are_both_right(bench: Bench) -> None:
    assert crowds.two_install(bench, 2) == (2, [])
