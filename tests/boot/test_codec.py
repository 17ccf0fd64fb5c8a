"""The formats that boot reads: they can be written and read again, and malformed files are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from _liveinstall_boot.codec import (
    StaleError,
    SwapChange,
    TransactionRecord,
    decode_manifest,
    decode_record,
    encode_manifest,
    encode_record,
    record_columns,
    record_paths,
    record_rows,
)

text = st.text(st.characters(exclude_characters="\t\n", exclude_categories=("Cs",)), max_size=20)
names = st.text(
    st.characters(exclude_characters="\t\n/\\\0:", exclude_categories=("Cs",)), min_size=1, max_size=20
).map(lambda name: "x" + name)


def change(name, old_version, new_version, directory, old_hash):
    info = f"{directory}{name}-{old_version}.dist-info" if old_version else None
    part = f"{directory}{name.replace('-', '_')}-{new_version}.part" if new_version else None
    return SwapChange(name, old_version, new_version, info, old_hash, part)


versions = st.tuples(names | st.just(""), names | st.just("")).filter(any)
directories = st.sampled_from(["", "../lib64/", "a b/"])
changes = st.lists(
    st.builds(lambda name, pair, *more: change(name, *pair, *more), names, versions, directories, text),
    min_size=1,
    max_size=4,
)
records = st.builds(TransactionRecord, names, changes, st.dictionaries(text, text, max_size=3), text)


def fields(record):
    rows = [[getattr(change, name) for name in SwapChange.__slots__] for change in record.changes]
    return record.transaction_id, rows, record.roots, record.about


@given(records)
def test_a_record_is_read_as_it_was_written(record):
    assert fields(decode_record(encode_record(record))) == fields(record)


GOOD = encode_record(
    TransactionRecord("id", [SwapChange("a", "1", "2", "a-1.dist-info", "ff", "a-2.part")], {"scripts": "../bin"})
)


@given(st.integers(0, len(GOOD) - 1))
def test_a_truncated_record_is_refused(length):
    with pytest.raises(StaleError):
        decode_record(GOOD[:length])


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD.replace("transaction 1", "transaction 3"),
        GOOD.replace("id\tid\n", ""),
        GOOD.replace("change\ta\t", "change\t"),
        GOOD.replace("change", "chance"),
        GOOD.replace("id\tid", "id\tid\tid"),
        GOOD.replace("scripts\t", "scripts"),
        "liveinstall-transaction 1\nend\n",
        "\0" * 100,
    ],
)
def test_a_malformed_record_is_refused(text):
    with pytest.raises(StaleError):
        decode_record(text)


def test_a_row_of_an_unknown_kind_is_ignored():
    assert fields(decode_record(GOOD.replace("end\n", "colour\tblue\nend\n"))) == fields(decode_record(GOOD))


@pytest.mark.parametrize("bad", ["a\tb", "a\nb"])
def test_what_cannot_be_recorded_is_refused_before_it_is_written(bad):
    with pytest.raises(ValueError, match="tab or a line break"):
        encode_record(TransactionRecord("id", [SwapChange("a", "1", "2", bad, "", "")], {}))


def test_a_manifest_is_read_as_it_was_written():
    rows = [(0o644, 5, "ab" * 32, "a/b c.py"), (0o755, 0, "cd" * 32, "x")]
    assert decode_manifest(encode_manifest(rows, "id", "ff")) == rows


@pytest.mark.parametrize("text", ["", "liveinstall-manifest 2\n\nend\n", encode_manifest([])[:-5]])
def test_a_malformed_manifest_is_refused(text):
    with pytest.raises(StaleError):
        decode_manifest(text)


def test_record_paths_with_commas_and_quotes():
    assert list(record_paths('a.py,sha256=x,1\n"b,c.py",sha256=y,2\n"d""e.py",,\nf/RECORD,,\n')) == [
        "a.py",
        "b,c.py",
        'd"e.py',
        "f/RECORD",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a.py,sha256=x,1\nb.py,,\n",
        f"a.py,sha256={'x' * 43},1\r\nb,c.py,,\r\n",
        "\na.py,,\n\nb.py,,",
        "a,b,c.py,sha256=x,1\n",
        f"2,{'b' * 50},1,,\n",
    ],
)
def test_the_fast_way_to_read_a_record_finds_the_same_paths_as_the_thorough_one(text):
    assert list(record_paths(text)) == [row[0] for row in record_rows(text)]


def test_a_record_file_by_pip_with_other_line_ends_is_read_the_fast_way():
    text = f"a.py,sha256={'x' * 43},5\nb/__pycache__/a.pyc,,\nf/RECORD,,\n"
    assert record_columns(text.replace("\n", "\r\n")) == record_columns(text) is not None
    assert record_columns("a\r.py,,\n") is None


@pytest.mark.parametrize(
    "text", ["a.py,1\n2,b,,\n", "a.py,\nb,c,,1\n", "a.py\n", '"a.py,sha256=x,1\n', ",,\n", "\0\n", "a,b\n"]
)
def test_a_damaged_record_file_is_refused(text):
    with pytest.raises(StaleError):
        list(record_paths(text))
