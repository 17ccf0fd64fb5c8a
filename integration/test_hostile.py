"""A handful of hostile wheels with the real pip beside, and of real wheels that must pass. All of them: noxfile.py."""

from __future__ import annotations

from pathlib import Path

from integration.reports.hostile_wheels import is_right, run
from integration.reports.real_wheels import Group, check_all, fetch

_PIP_LETS_IN = ["wrong_hash", "dist_info_by_data", "other_script", "overlapping", "loud_dist_info"]
_NOBODY_DOES = ["traversal", "no_archive", "symlink"]


def test_what_pip_lets_in_is_refused_here() -> None:
    found = run([*_PIP_LETS_IN, *_NOBODY_DOES, "pth"], ("liveinstall", "pip"))
    assert not [kind for kind, row in found.items() if not is_right(kind, row["liveinstall"])], found
    assert all(found[kind]["pip"].startswith("accepted") for kind in _PIP_LETS_IN), found


def test_real_wheels_of_unusual_forms_pass(tmp_path: Path) -> None:
    """A script beside a command of the same name; .pth files of namespace packages and their own; Windows' scripts."""
    old = ("--python-version", "27", "--platform", "any")
    missing = fetch(Group("old", old, ("wheel==0.22.0", "Django==1.7", "zope.event==4.5.0")), tmp_path)
    missing += fetch(
        Group("windows", ("--python-version", "38", "--platform", "win_amd64"), ("pywin32==227",)), tmp_path
    )
    fine, refused, notes = check_all(sorted(tmp_path.glob("*.whl")))
    assert (missing, refused, fine.total()) == ([], [], 4)
    assert "wheel: wheel-0.22.0.data/scripts/wheel is replaced by the command of the same name" in notes
    assert len([note for note in notes if "every start" in note]) == 2
