"""A few hostile wheels, compared with the real pip, and a few real wheels that must pass. All of them: noxfile.py."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, Self

import pytest

from integration.lib.remote_wheels import RemoteFile, RemoteWheel, TooMuchError, pip_index
from integration.lib.wheels import write_wheel
from integration.reports.hostile_wheels import is_right, run
from integration.reports.popular_wheels import choose, judge, judge_all
from integration.reports.real_wheels import Group, check_all, fetch

_PIP_LETS_IN = ["wrong_hash", "dist_info_by_data", "other_script", "overlapping", "loud_dist_info"]
_NOBODY_DOES = ["traversal", "no_archive", "symlink"]


def test_what_pip_lets_in_is_refused_here() -> None:
    found = run([*_PIP_LETS_IN, *_NOBODY_DOES, "pth"], ("liveinstall", "pip"))
    assert not [kind for kind, row in found.items() if not is_right(kind, row["liveinstall"])], found
    assert all(found[kind]["pip"].startswith("accepted") for kind in _PIP_LETS_IN), found


def test_real_wheels_of_unusual_forms_pass(tmp_path: Path) -> None:
    """A script and a command of the same name; .pth files of namespace packages and others; scripts of Windows."""
    old = ("--python-version", "27", "--platform", "any")
    missing = fetch(Group("old", old, ("wheel==0.22.0", "Django==1.7", "zope.event==4.5.0")), tmp_path)
    missing += fetch(
        Group("windows", ("--python-version", "38", "--platform", "win_amd64"), ("pywin32==227",)), tmp_path
    )
    fine, refused, notes = check_all(sorted(tmp_path.glob("*.whl")))
    assert (missing, refused, fine.total()) == ([], [], 4)
    assert "wheel: wheel-0.22.0.data/scripts/wheel is replaced by the command of the same name" in notes
    assert len([note for note in notes if "every start" in note]) == 2


class Server:
    """A session with one answer: a file, with or without support of ranges."""

    def __init__(self, data: bytes, *, ranges: bool = True) -> None:
        self.data, self.ranges, self.status_code = data, ranges, 206 if ranges else 200
        self.content, self.headers, self.sent = b"", {"Content-Length": str(len(data))}, 0

    def get(self, url: str, *, headers: dict[str, str], **_: Any) -> Server:
        start, end = headers["Range"].removeprefix("bytes=").split("-")
        first = int(start) if start else max(0, len(self.data) - int(end))
        last = int(end) + 1 if start and end else len(self.data)
        self.content = self.data[first:last] if self.ranges else self.data
        self.headers["Content-Range"] = f"bytes {first}-{last - 1}/{len(self.data)}"
        self.sent += len(self.content)
        return self

    def raise_for_status(self) -> None:
        """Accept every status."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def large_wheel() -> bytes:
    with zipfile.ZipFile(made := io.BytesIO(), "w") as archive:
        archive.writestr("first", b"1" * 2**20)
        archive.writestr("second", b"2" * 2**20)
    return made.getvalue()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_remote_archive_reads_as_the_file_does(ranges: bool) -> None:
    server = Server(large_wheel(), ranges=ranges)
    with zipfile.ZipFile(RemoteFile(server, "wheel", 2**23)) as archive:
        assert archive.namelist() == ["first", "second"]
        assert not ranges or server.sent < 2**20
        assert (archive.read("first"), archive.read("second")) == (b"1" * 2**20, b"2" * 2**20)
    assert RemoteFile(server, "wheel", 2**23).fetch_all() == server.data


@pytest.mark.parametrize("ranges", [True, False])
def test_no_more_is_fetched_than_is_allowed(ranges: bool) -> None:
    server = Server(large_wheel(), ranges=ranges)
    with pytest.raises(TooMuchError):
        RemoteFile(server, "wheel", 2**20).read()
    assert server.sent <= 2**20 or not ranges


class Shelf:
    """An index of one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.opened = 0

    def open(self, wheel: RemoteWheel, *, limit: int) -> RemoteFile:
        self.opened += 1
        return RemoteFile(Server((self.directory / wheel.file_name).read_bytes()), wheel.url, limit)


def test_what_is_refused_is_given_to_pip(tmp_path: Path) -> None:
    """A wheel with a file that is not in RECORD, and one that is not an archive."""
    path = write_wheel(tmp_path, "alpha", "1.0")
    assert judge(Shelf(tmp_path), RemoteWheel(path.name, "")).outcome == "accepted"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("alpha/stranger.py", "x = 1")
    assert judge(Shelf(tmp_path), RemoteWheel(path.name, "")).outcome == "refused"
    path.write_bytes(b"no archive")
    assert judge(Shelf(tmp_path), RemoteWheel(path.name, "")).outcome == "refused by pip too"


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # pip does not close pages on the disk
def test_old_and_new_wheels_of_popular_projects_pass(tmp_path: Path) -> None:
    with pip_index() as index:
        verdicts = judge_all(index, ["six", "markupsafe"], tmp_path / "log", workers=2, seconds=60)
        if {verdict.outcome for verdict in verdicts} <= {"no wheels", "not read"}:
            pytest.skip("there is no index here")
        assert len(verdicts) == 10
        assert [verdict for verdict in verdicts if verdict.outcome != "accepted"] == []
        assert [wheel.file_name for wheel in choose(index, "six")] == [verdict.wheel for verdict in verdicts[:5]]
        again = judge_all(index, ["six"], tmp_path / "log", workers=1, seconds=60)
    assert again == verdicts[:5]
    assert len((tmp_path / "log").read_text(encoding="utf-8").splitlines()) == len(verdicts)
