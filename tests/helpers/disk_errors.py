"""Failures of a swap: an upgrade to break, and disk errors at each of its file changes."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from _liveinstall_boot.layout import list_transactions
from helpers.in_process_site import Place
from helpers.started import EVERY
from liveinstall._transactions import transaction as transactions

ERRORS = ("ENOSPC", "EIO", "EACCES", "EROFS", "EXDEV", "EMFILE", "ENOLCK", "EINTR")


def upgrade(place: Place) -> tuple[dict, dict]:
    """An upgrade of three distributions, staged: scripts, a data file, a shared namespace, a removal, a fresh one."""
    old = [
        place.candidate(
            "alpha",
            "1.0",
            {"alpha/__init__.py": "V = 1\n", "alpha/gone.py": "", "alpha-1.0.data/data/share/a.txt": "old"},
            scripts={"alpha-run": "alpha:run"},
        ),
        place.candidate("ns-a", "1.0", {"ns/a.py": "V = 1\n", "ns/only/old.py": ""}),
        place.candidate("ns-b", "1.0", {"ns/b.py": "V = 1\n"}),
        place.candidate("leaves", "1.0"),
    ]
    place.install(*old)
    before = place.state()
    new = [
        place.candidate(
            "alpha",
            "2.0",
            {
                "alpha/__init__.py": "V = 2\n",
                "alpha/sub/new.py": "",
                "alpha-2.0.data/data/share/a.txt": "new",
                "alpha-2.0.data/data/share/deep/b.txt": "new",
            },
            scripts={"alpha-run": "alpha:run2", "alpha-more": "alpha:more"},
        ),
        place.candidate("ns-a", "2.0", {"ns/a.py": "V = 2\n", "ns/added.py": ""}),
        place.candidate("fresh", "1.0"),
    ]
    after = Place(place.root.parent / "after")
    after.install(old[2], *new)
    place.stage(*new, remove=("leaves",))
    return before, {path.replace("after", "root"): content for path, content in after.state().items()}


def assert_whole(place: Place, before: dict, after: dict, at: str) -> bool:
    """The environment is wholly old or wholly new, and no file of liveinstall is left without pending changes."""
    state = {path: content for path, content in place.state().items() if ".part" not in path and "_final" not in path}
    # Scripts name the interpreter and not the place, so that both trees can be compared.
    assert state in (before, after), f"between old and new after {at}: {difference(state, before, after)}"
    if not list_transactions(str(place.site)):
        assert place.leftovers() == [], at
    return state == after


def difference(state: dict, before: dict, after: dict) -> list[str]:
    nearest = min((before, after), key=lambda other: len(set(state.items()) ^ set(other.items())))
    return sorted(set(state.items()) ^ set(nearest.items()))


@dataclass(frozen=True)
class Phase:
    """`prepare` brings a staged site to the beginning of the phase; `act` is the phase, None a start of Python."""

    prepare: Callable[[Place], object] = lambda place: None
    act: Callable[[Place], object] | None = None


def _kill_the_start(fraction: float) -> Callable[[Place], object]:
    """A start that was killed after this share of its file changes."""

    def prepare(place: Place) -> None:
        dry = place.copy(place.root.with_name(place.root.name + "-dry"))
        _, points = dry.start()
        place.start(at=int(points * fraction))

    return prepare


def _kill_after_the_commit(place: Place) -> None:
    """A start that was killed with all its clean-up before it."""
    copy, at = place, 0
    while not any(state == "committed" for _, state, _ in list_transactions(str(copy.site))):
        copy, at = place.copy(place.root.with_name(f"commit{at}")), at + 1
        copy.start(at=at)
    place.start(at=at)


def _discard_all(place: Place) -> None:
    for id, _, _ in list_transactions(str(place.site)):
        transactions.discard(str(place.site), id)


def _recover(place: Place) -> None:
    transactions.recover(str(place.site))


def _stage_again(place: Place) -> None:
    candidate = place.candidate("other", "1.0", {"other/__init__.py": ""}, scripts={"other": "other:run"})
    place.stage(candidate)


def _unstage(place: Place) -> None:
    _discard_all(place)
    _recover(place)


PHASES = {
    "staging": Phase(_unstage, _stage_again),
    "swap": Phase(),
    "recovery": Phase(_kill_the_start(0.4)),
    "recovery at the next use": Phase(_kill_the_start(0.4), _recover),
    "cancel": Phase(act=_discard_all),
    "clean-up": Phase(_kill_after_the_commit),
    "clean-up at the next use": Phase(_kill_after_the_commit, _recover),
}


def tries_of_errors(
    directory: Path, phase: str, names: Sequence[str] = ERRORS, *, in_turn: bool = False
) -> Counter[str]:
    """Make each file change of a phase fail in each way: the number of tries by error. Asserts that nothing is damaged.

    Then one more start and the next use, without errors, find or restore it wholly old or wholly new. `in_turn`: at
    each file change only one of the errors.
    """
    place = Place(directory / "root")
    before, after = upgrade(place)
    PHASES[phase].prepare(place)
    act = PHASES[phase].act
    tried: Counter[str] = Counter()
    _, points = _run(place.copy(directory / "dry"), act)
    if phase == "staging":
        dry = Place(directory / "dry")
        dry.start()
        after = {path.replace("dry", "root"): what for path, what in dry.state().items()}
    for number, name in enumerate(names):
        for at in range(points)[::EVERY][slice(number, None, len(names)) if in_turn else slice(None)]:
            copy = place.copy(directory / f"{name}{at}")
            code = getattr(errno, name)
            status, _ = _run(copy, act, at=at, error=OSError(code, os.strerror(code)))
            what = f"{phase}, {name} at {at}"
            assert act or status == 0, what
            if act is None:
                assert_told(copy, what)
            assert copy.start()[0] == 0, what
            _recover(copy)
            assert_whole(copy, before, after, what)
            tried[name] += 1
    return tried


def _run(place: Place, act: Callable[[Place], object] | None, **options) -> tuple[int, int]:
    return place.start(**options) if act is None else place.attempt(lambda: act(place), **options)


def assert_told(place: Place, at: str) -> None:
    """At most one line was printed, and `status` has a reason for each change that was not swapped."""
    said = place.said.read_text()
    assert said.count("\n") <= 1, said
    for id, state, _ in list_transactions(str(place.site)):
        if state in ("pending", "failed"):
            assert transactions.note_of(str(place.site), id), f"nothing tells why it waits after {at}"
