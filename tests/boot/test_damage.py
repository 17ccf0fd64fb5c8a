"""Damaged state: Python starts, and an interrupted swap is rolled back from the remaining files."""

from __future__ import annotations

import contextlib
import os
import random
import time
from pathlib import Path

import pytest
from helpers.disk_errors import upgrade
from helpers.in_process_site import KILLED, Place
from hypothesis import given, settings
from hypothesis import strategies as st

from _liveinstall_boot.codec import (
    StaleError,
    decode_manifest,
    decode_record,
    encode_manifest,
    read,
    record_rows,
)
from _liveinstall_boot.file_access import LIMIT
from _liveinstall_boot.layout import HOLDS, MANIFEST, RETIRED, STATE, TRANSACTIONS, list_transactions, record_path
from liveinstall._transactions import transaction as transactions


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path / "root")


def damage_manifest(place: Place, _: str) -> None:
    path = place.site / "alpha-2.0.part" / MANIFEST
    text = path.read_text()
    path.write_text(text.replace(" alpha/__init__.py", "_alpha/__init__.py"))


def lose_manifest(place: Place, _: str) -> None:
    (place.site / "alpha-2.0.part" / MANIFEST).unlink()


def damage_change(place: Place, record: str) -> None:
    text = Path(record).read_text()
    Path(record).write_text(text.replace("change\talpha\t", "change\talpha "))


def damage_root(place: Place, record: str) -> None:
    text = Path(record).read_text()
    Path(record).write_text(text.replace("root\tscripts\t", "root\tscripts"))


def rename_in_record(place: Place, record: str) -> None:
    text = Path(record).read_text()
    Path(record).write_text(text.replace("change\talpha\t", "change\tblpha\t"))


def lose_record(place: Place, record: str) -> None:
    Path(record).write_bytes(b"\0" * 300)


def snapshot(place: Place) -> dict[str, str]:
    return {path: text for path, text in place.state().items() if ".part" not in path and "_final" not in path}


@pytest.mark.parametrize(
    "damage", [damage_manifest, lose_manifest, damage_change, damage_root, rename_in_record, lose_record]
)
def test_a_killed_swap_with_a_damaged_file_is_rolled_back(place, tmp_path, damage):
    before, _ = upgrade(place)
    _, points = place.copy(tmp_path / "dry").start()
    seen = 0
    for at in random.Random(7).sample(range(points), 10):
        copy = place.copy(tmp_path / f"kill{at}")
        assert copy.start(at=at)[0] == KILLED
        (transaction,) = list_transactions(str(copy.site)) or [("", "", 0)]
        if transaction[1] != "swapping":
            continue
        seen += 1
        damage(copy, record_path(str(copy.site), *transaction))
        for _ in range(3):
            assert copy.start()[0] == 0
            assert len(copy.said.read_text().splitlines()) <= 1
        assert snapshot(copy) == before, f"{damage.__name__} after kill {at}"
        assert [state for _, state, _ in list_transactions(str(copy.site))] in (["failed"], [])
        assert not (copy.site / STATE / RETIRED / transaction[0]).exists()
    assert seen > 2


def test_files_that_belong_nowhere_any_more_are_kept_and_the_rest_is_restored(place, tmp_path):
    before, _ = upgrade(place)
    _, points = place.copy(tmp_path / "dry").start()
    for name in os.listdir(place.site / STATE / "history"):  # they would show where the scripts belong
        (place.site / STATE / "history" / name).unlink()
    for at in range(points // 4, points):  # to where the old script is retired, and the new one not yet in place
        copy = place.copy(tmp_path / f"kill{at}")
        assert copy.start(at=at)[0] == KILLED
        if any((copy.site / STATE / RETIRED).rglob("alpha-run*")) and not any(copy.root.glob("bin/alpha-run*")):
            break
    ((transaction_id, state, tries),) = list_transactions(str(copy.site))
    assert state == "swapping"
    damage_root(copy, record_path(str(copy.site), transaction_id, state, tries))
    assert copy.start()[0] == 0
    missing = before.keys() - snapshot(copy).keys()
    assert missing and all("/bin/" in f"/{path}" for path in missing)
    kept = copy.site / STATE / RETIRED / transaction_id
    assert any(path.stem == "alpha-run" for path in kept.rglob("*"))
    assert "belong" in transactions.note_of(str(copy.site), transaction_id)
    assert list_transactions(str(copy.site)) == [(transaction_id, "failed", 0)]


def test_a_damaged_transaction_does_not_keep_others_from_being_swapped(place):
    place.install(place.candidate("alpha", "1.0"))
    place.stage(place.candidate("beta", "1.0"))
    (place.site / STATE / TRANSACTIONS / "0.committed").write_bytes(b"\xff")
    (place.site / STATE / TRANSACTIONS / "1.swapping").write_bytes(b"\xff")
    assert place.start()[0] == 0
    assert (place.site / "beta-1.0.dist-info").is_dir()


def cannot(*_):
    pytest.skip("needs FIFOs and sockets as files")


ODD = {
    "fifo": getattr(os, "mkfifo", cannot),
    "directory": os.mkdir,
    "link": lambda path: os.symlink("/dev/zero", path),
    "socket": lambda path: getattr(os, "mknod", cannot)(path, 0o140600),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("where", ["1.pending", "1.swapping", "1.committed", "1.failed", "hold", "manifest", "RECORD"])
def test_odd_files_block_no_start(place, odd, where):
    place.install(place.candidate("alpha", "1.0"))
    place.stage(place.candidate("alpha", "2.0"))
    (place.site / STATE / HOLDS).mkdir(exist_ok=True)
    path = place.site / STATE / TRANSACTIONS / where
    if where == "hold":
        path = place.site / STATE / HOLDS / "1-abc"
    elif where in ("manifest", "RECORD"):
        path = place.site / ("alpha-2.0.part/" + MANIFEST if where == "manifest" else "alpha-1.0.dist-info/RECORD")
        path.unlink()
    try:
        ODD[odd](path)
    except OSError as error:
        pytest.skip(f"cannot be made here: {error}")
    begin = time.monotonic()
    assert place.start()[0] == 0
    assert time.monotonic() - begin < 5
    assert len(place.said.read_text().splitlines()) == (where in ("manifest", "RECORD"))
    assert (place.site / "alpha-2.0.dist-info").is_dir() == (where not in ("manifest", "RECORD"))


def test_a_manifest_of_any_length_is_refused_at_once(place):
    place.install(place.candidate("alpha", "1.0"))
    place.stage(place.candidate("alpha", "2.0"))
    with (place.site / "alpha-2.0.part" / MANIFEST).open("r+b") as stream:
        stream.truncate(LIMIT + 1)
    begin = time.monotonic()
    assert place.start()[0] == 0
    assert time.monotonic() - begin < 3
    assert [state for _, state, _ in list_transactions(str(place.site))] == ["failed"]


def test_two_transactions_that_fail_are_one_line(place):
    for name in ("alpha", "beta"):
        place.stage(place.candidate(name, "1.0"))
        (place.site / f"{name}-1.0.part" / MANIFEST).unlink()
    assert place.start()[0] == 0
    assert len(place.said.read_text().splitlines()) == 1


GOOD = encode_manifest([(0o644, 5, "ab" * 32, "a/b c.py"), (0o755, 0, "cd" * 32, "x")], "id", "ff").encode()
LINES = (
    b"liveinstall-transaction 1\nid\tx\nroot\tscripts\t../bin\nchange\ta\t1\t2\ta-1.dist-info\tff\ta-2.part\n"
    b"tops\ta\ta\nlibraries\ta\ta/\nabout\t{}\nend\n"
)


@st.composite
def damaged(draw, good: bytes) -> bytes:
    """Files with flipped bits, lost or repeated pieces, and garbage."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 12))
        piece = draw(
            st.one_of(st.binary(max_size=8), st.sampled_from([b"\n", b"\t", b" ", b"../", b"/", b"\0", b"-1"]))
        )
        data[at : at + length] = piece
    return bytes(data)


def written(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return read(str(path))


@settings(max_examples=400, deadline=None)
@given(data=st.one_of(damaged(GOOD), st.binary(max_size=200)))
def test_any_bytes_are_a_manifest_or_stale(tmp_path_factory, data):
    text = written(tmp_path_factory.getbasetemp() / "manifest", data)
    try:
        rows = decode_manifest(text)
    except StaleError:
        return
    for mode, size, _, path in rows:
        assert mode >= 0 and size >= 0 and path and not os.path.isabs(path) and ".." not in path.split("/")


@settings(max_examples=400, deadline=None)
@given(data=st.one_of(damaged(LINES), st.binary(max_size=200)))
def test_any_bytes_are_a_record_or_stale(tmp_path_factory, data):
    text = written(tmp_path_factory.getbasetemp() / "record", data)
    try:
        record = decode_record(text)
    except StaleError:
        return
    assert record.transaction_id and "/" not in record.transaction_id
    for change in record.changes:
        assert change.old_info or change.part
        assert not change.part or (change.part.endswith(".part") and not os.path.isabs(change.part))
        for name in (change.name, f"{change.name}-{change.old_version}", f"{change.name}-{change.new_version}"):
            assert "/" not in name and "\0" not in name


@settings(max_examples=300, deadline=None)
@given(data=st.one_of(damaged(b'a/b.py,sha256=x,1\n"b,c.py",sha256=y,2\nf/RECORD,,\n'), st.binary(max_size=200)))
def test_any_bytes_are_a_record_of_an_installed_distribution_or_stale(tmp_path_factory, data):
    text = written(tmp_path_factory.getbasetemp() / "RECORD", data)
    with contextlib.suppress(StaleError):
        assert all(len(row) == 3 and row[0] for row in record_rows(text))


def test_cancel_drops_a_damaged_transaction_and_says_what_it_leaves(env):
    directory = env.site / STATE / TRANSACTIONS
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    (directory / "1.failed").write_text("garbage")
    assert env.run("print(tuple(li.cancel()), li.status().unreadable)").stdout == "() ()\n"
    (directory / "2.failed").write_text("garbage")
    kept = env.site / STATE / RETIRED / "2" / "beta-1.part" / "beta.py"
    kept.parent.mkdir(parents=True)
    kept.touch()
    done = env.run("li.cancel()")
    assert "2.failed" in done.stderr and "cannot be read" in done.stderr and kept.exists()
    (directory / "3.swapping").write_text("garbage")
    assert env.run("li.finalize(); print(len(li.status().unreadable))").stdout == "2\n"
    assert not (directory / "3.swapping").exists()
