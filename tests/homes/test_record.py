"""The record of a home."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveinstall._homes.record import HomeRecord, decode, encode

NAMES = st.text(st.characters(exclude_characters="/\t\n\0", codec="utf-8"), min_size=1, max_size=6).filter(
    lambda name: name not in (".", "..")
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
WORDS = st.text(st.characters(exclude_characters="\t\n\0", codec="utf-8"), max_size=8)


@given(
    st.lists(WORDS),
    st.lists(st.tuples(NAMES, NAMES, PATHS.map("/".__add__))),
    st.dictionaries(PATHS, WORDS),
    st.dictionaries(PATHS, WORDS),
    st.dictionaries(PATHS, st.tuples(PATHS.map("/".__add__), st.integers(0, 2**64))),
    st.dictionaries(PATHS, NAMES),
)
def test_a_record_is_read_as_it_was_written(asked, has, links, files, hard, same):
    hard = {**{path: (source, 1) for path, (source, _) in hard.items()}, **{p: (f"/store/{p}", 7) for p in same}}
    record = HomeRecord("3.11.7", "/usr/bin/python3.11", asked, has, links, files, hard)
    assert decode(encode(record)) == record


def test_a_row_of_a_newer_kind_is_ignored():
    text = encode(HomeRecord("3.11.7", "/p", links={"bin/python": "/p"}))
    assert decode(text.replace("link\t", "colour\tblue\nlink\t")) == decode(text)


@pytest.mark.parametrize(
    "change",
    [
        ("liveinstall-home 1", "liveinstall-home 2"),
        ("end\n", ""),
        ("python\t3.11.7\n", ""),
        ("python\t3.11.7", "python"),
        ("base\t/p\n", ""),
        ("link\tbin/python\t/p", "link\tbin/python"),
        ("link\tbin/python\t", "link\t../python\t"),
        ("link\tbin/python\t", "link\t/bin/python\t"),
        ("\t4711", "\tmany"),
        ("=\t", "=\t../"),
        ("file\tx\t", "file\ta//b\t"),
    ],
)
def test_what_is_damaged_or_leads_elsewhere_is_refused(change):
    record = HomeRecord("3.11.7", "/p", ["x"], [("x", "1", "/s")], {"bin/python": "/p"}, {"x": "00"})
    record.hard = {"lib/a/b.py": ("/s/a/b.py", 4711)}
    text = encode(record)
    assert change[0] in text
    with pytest.raises(ValueError, match="."):
        decode(text.replace(*change))


def test_what_cannot_be_written_down_is_refused():
    with pytest.raises(ValueError, match="tab"):
        encode(HomeRecord("3.11.7", "/p", links={"a\tb": "/p"}))
