"""A small part of `python -m integration.reliability`, in every run: nothing may be broken, and what breaks is seen."""

from __future__ import annotations

import pytest

from integration.reliability import crowds, kills, others, power, sections
from integration.reliability.bench import Bench, workbench
from integration.reliability.kills import Count, Judge, Options
from integration.reliability.phases import PHASES, prepare_halves
from integration.reliability.trace import available

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


def assert_whole(count: Count) -> None:
    assert count.tried > 0
    assert count.wrong == []


@_traced
@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_a_kill_before_a_system_call_leaves_old_or_new(halves: Bench, phase) -> None:
    assert_whole(kills.sweep(halves, Judge(halves), phase, _SIZES.options))


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
def test_the_same_sweep_finds_what_others_break(bench: Bench) -> None:
    count = others.sweep(bench, "pip", Options(every=60))
    assert count.broken > count.tried // 2


def test_a_crowd_of_starts_swaps_once_and_sees_one_version(bench: Bench) -> None:
    crowd = crowds.start_at_once(bench, 20)
    assert crowd.is_good, crowd
    assert crowd.p99 < 10


def test_swaps_back_and_forth_under_starters_mix_nothing(bench: Bench) -> None:
    swaps = crowds.back_and_forth(bench, 30)
    assert swaps.is_good, swaps


def test_two_installs_at_once_are_both_right(bench: Bench) -> None:
    assert crowds.two_install(bench, 2) == (2, [])
