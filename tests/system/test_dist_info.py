"""Reading the metadata of distributions: RECORD."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveinstall._system import dist_info
from liveinstall._system.dist_info import top_level_paths, verifiable_files

_ROW = st.sampled_from(["a", "b", "a.b", "ab", "x-1.dist-info", "..", "../..", "/abs", '"q', "six.py"]).flatmap(
    lambda top: st.sampled_from([f"{top}/m.py,sha256=x,1", f"{top},sha256=x,1", f"{top}/c/d,,", ""])
)


@given(st.lists(_ROW, max_size=9), st.booleans(), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_top_level_paths_are_those_of_all_rows_in_any_order(rows, in_order, end, ends):
    rows = sorted(rows) if in_order else rows
    record = end.join(rows) + (end if ends else "")
    simple = {row.partition(",")[0] for row in rows}
    tops = {path if path[:1] in ("", ".", "/", '"') else path.partition("/")[0] for path in simple}
    assert top_level_paths(record, "x-1.dist-info") - {""} == (tops | {"x-1.dist-info"}) - {""}


def test_a_record_is_read_once_until_it_changes(tmp_path, monkeypatch):
    info = tmp_path / "x-1.dist-info"
    info.mkdir()
    record, reads = info / "RECORD", []
    monkeypatch.setattr(dist_info, "_tops", {})
    monkeypatch.setattr(dist_info, "_RECENT", -(10**15))  # as if the clock had gone on
    monkeypatch.setattr(dist_info, "read", lambda path: reads.append(path) or record.read_text())
    for text in ("x/a.py,,\n", "y/a.py,,\n"):
        record.write_text(text)
        os.utime(record, (len(reads), len(reads)))  # the size is the same
        assert {dist_info.top_level_paths_of(str(info)) for _ in range(3)} == {frozenset({text[0], info.name})}
    assert len(reads) == 2
    record.unlink()
    with pytest.raises(OSError, match="RECORD"):
        dist_info.top_level_paths_of(str(info))


def test_a_record_that_has_just_changed_is_read_again(tmp_path, monkeypatch):
    info = tmp_path / "x-1.dist-info"
    info.mkdir()
    monkeypatch.setattr(dist_info, "_tops", {})
    for text in ("x/a.py,,\n", "y/a.py,,\n"):
        (info / "RECORD").write_text(text)
        assert text[0] in dist_info.top_level_paths_of(str(info))
    assert dist_info._tops == {}


def test_top_level_paths_of_scripts_and_quoted_names_are_whole():
    record = '../../../bin/tool,sha256=x,1\n"a,b.py",,\nnumpy/core.py,,\nnumpy/x/y.py,,\nnumpy-1.dist-info/RECORD,,\n'
    assert top_level_paths(record, "numpy-1.dist-info") == {
        *("../../../bin/tool", '"a', "numpy", "numpy-1.dist-info"),
    }


def test_bytecode_that_can_be_compiled_again_is_not_verifiable():
    rows = [
        ("a/m.py", "sha256=m", "1"),
        ("a/__pycache__/m.cpython-311.pyc", "", ""),
        ("a/__pycache__/m.cpython-311.pyc", "sha256=stale", "2"),
        ("__pycache__/n.cpython-311.pyc", "sha256=stale", "2"),
        ("a/m.pyc", "sha256=stale", "3"),
        ("a/without_source.pyc", "sha256=w", "4"),
        ("not__pycache__/data.txt", "", ""),
    ]
    assert verifiable_files(rows) == {
        "a/m.py": [("sha256=m", "1")],
        "a/without_source.pyc": [("sha256=w", "4")],
        "not__pycache__/data.txt": [],
    }


def test_all_rows_of_a_path_count_and_those_without_a_hash_weaken_none():
    rows = [("a", "sha256=1", "1"), ("a", "", ""), ("a", "sha256=2", "2")]
    assert verifiable_files(rows) == {"a": [("sha256=1", "1"), ("sha256=2", "2")]}
