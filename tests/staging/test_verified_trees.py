"""An unpacked wheel that was checked before is not read again, as long as nothing about its files has changed."""

from __future__ import annotations

import json
import os
import time

import pytest
from helpers.capabilities import can_symlink, has_modes
from helpers.environments import caches_in, make_wheel, tree
from staging.test_unpacked_wheel import (
    FILES,
    SCRIPTS,
    spoil_content,
    spoil_identity,
    spoil_with_a_link,
    spoil_with_less,
    spoil_with_more,
    staged,
    target,
    unpack,
)

from liveinstall._staging import unpacked_wheel, verified_trees
from liveinstall.errors import WheelRefusedError

__all__ = ["target"]  # a fixture
pytestmark = pytest.mark.skipif(os.name == "nt", reason="on Windows files are copied, and compared meanwhile")


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    """The directory of the results, which does not exist yet."""
    monkeypatch.delenv("LIVEINSTALL_NO_CACHE")
    for name, value in caches_in(tmp_path / "user").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(verified_trees, "boot", lambda path: f"this-boot {os.stat(path).st_ino}")
    (tmp_path / "user").mkdir(mode=0o700)
    return tmp_path / "user" / "liveinstall" / "verified"


@pytest.fixture
def cache(tmp_path):
    """big 1.0 in a cache, with scripts and data; written a minute ago."""
    root = unpack(make_wheel(tmp_path / "wheels", "big", "1.0", FILES, scripts=SCRIPTS), tmp_path / "cache" / "x1")
    age(root)
    return root


def age(root):
    for path in [root, *root.rglob("*")]:
        os.utime(path, (time.time() - 60,) * 2, follow_symlinks=False)


@pytest.fixture
def reads(monkeypatch):
    """The files whose content was read for the comparison."""
    seen = []

    def read(path, *, original=unpacked_wheel._read):
        seen.append(os.path.basename(path))
        return original(path)

    monkeypatch.setattr(unpacked_wheel, "_read", read)
    return seen


def test_the_second_time_nothing_is_read_and_the_part_is_the_same(tmp_path, cache, target, reads, results):
    first = staged(cache, target)
    assert "data.bin" in reads
    os.rename(first.path, tmp_path / "first")
    reads.clear()
    second = staged(cache, target)
    assert reads == [] and (second.files, second.notes) == (first.files, first.notes)
    one, other = tree(tmp_path / "first"), tree(tmp_path / second.path)
    texts = [(tmp_path / root / ".manifest").read_text().splitlines() for root in ("first", second.path)]
    before, after = ([row for row in rows if row[:5] != "boot "] for rows in texts)
    assert before == after
    del one[".manifest"], other[".manifest"]
    assert one == other
    assert results.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "spoil",
    [
        *(spoil_content, spoil_with_more, spoil_with_less, spoil_identity),
        pytest.param(spoil_with_a_link, marks=can_symlink),
    ],
)
def test_what_was_changed_since_is_refused(cache, target, spoil):
    staged(cache, target)
    before = sorted(os.listdir(target.site))
    spoil(cache)
    with pytest.raises(WheelRefusedError):
        staged(cache, target)
    assert sorted(os.listdir(target.site)) == before


@pytest.mark.parametrize("what", ["time", "mode", "inode"])
def test_after_any_other_change_everything_is_read_again(cache, target, reads, what):
    staged(cache, target)
    reads.clear()
    path = cache / "big" / "data.bin"
    if what == "time":
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))
    elif what == "mode":
        path.chmod(0o600)
    else:
        status, copy = path.stat(), path.with_name("copy")
        copy.write_bytes(path.read_bytes())
        os.chmod(copy, status.st_mode)
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.replace(copy, path)
    staged(cache, target)
    assert "data.bin" in reads and "__init__.py" in reads


@pytest.mark.parametrize("since", ["another-boot 1", ""])
def test_after_a_boot_or_if_it_is_not_known_everything_is_read_again(cache, target, reads, monkeypatch, since):
    staged(cache, target)
    monkeypatch.setattr(verified_trees, "boot", lambda _: since)
    reads.clear()
    staged(cache, target)
    assert "data.bin" in reads


def test_another_version_of_liveinstall_reads_everything_again(cache, target, reads, monkeypatch):
    staged(cache, target)
    monkeypatch.setattr(verified_trees, "__version__", "99")
    reads.clear()
    staged(cache, target)
    assert "data.bin" in reads


def test_files_that_were_just_written_are_read_the_next_time_too(cache, target, results):
    os.utime(cache / "big" / "data.bin")
    staged(cache, target)
    assert not results.exists()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'["x", [], []]', b'["x", 1, 2]', b"null"])
def test_a_damaged_result_is_ignored_and_replaced(cache, target, reads, results, content):
    staged(cache, target)
    (result,) = (path for path in results.iterdir() if path.name != "swept")
    good = result.read_bytes()
    result.write_bytes(good[:8] + content)
    reads.clear()
    staged(cache, target)
    assert "data.bin" in reads and result.read_bytes() == good


@pytest.mark.parametrize("fields", [[], ["big"], [1, 2, 3, 4, 5, 6, 7, 8], ["big", "1.0", "x", "y", True, [], [3], []]])
def test_a_result_of_another_form_is_ignored(cache, target, reads, monkeypatch, fields):
    state = []
    monkeypatch.setattr(
        verified_trees, "_state", lambda *a, o=verified_trees._state, **k: state.append(o(*a, **k)) or state[-1]
    )
    staged(cache, target)
    verified_trees.PrivateCache("verified").write(
        verified_trees._key(unpacked_wheel.UnpackedWheel(str(cache), "big", "1.0")),
        json.dumps([state[-1], fields, [["path", 1]]]).encode(),
    )
    reads.clear()
    staged(cache, target)
    assert "data.bin" in reads


@has_modes
@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_results_that_others_can_write_are_ignored(cache, target, reads, results, mode):
    staged(cache, target)
    results.chmod(mode)
    reads.clear()
    staged(cache, target)
    assert "data.bin" in reads


def test_nothing_is_kept_if_it_is_switched_off(cache, target, results, monkeypatch):
    monkeypatch.setenv("LIVEINSTALL_NO_CACHE", "1")
    staged(cache, target)
    assert not results.exists()


def test_a_cache_that_cannot_be_written_is_no_obstacle(cache, target, results):
    results.parent.write_text("a file")
    staged(cache, target)
    staged(cache, target)


def test_a_tree_that_was_refused_leaves_no_result(cache, target, results):
    (cache / "big" / "data.bin").write_bytes(b"\1" * 5000)
    age(cache)
    with pytest.raises(WheelRefusedError):
        staged(cache, target)
    assert not results.exists()
