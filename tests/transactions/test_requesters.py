"""Requesters' requirements: the file is old or new, whenever its writer is killed; damage does not block requests."""

from __future__ import annotations

import pytest
from helpers.in_process_site import KILLED, Place
from hypothesis import given
from hypothesis import strategies as st

from _liveinstall_boot.layout import STATE, TRANSACTIONS
from liveinstall._transactions import transaction as transactions
from liveinstall._transactions.requesters import (
    REQUESTS,
    RequesterRequirement,
    decode_requests,
    encode_requests,
    read_requests,
    write_requests,
)

OLD, NEW = (
    (RequesterRequirement("one", "alpha<2"),),
    (RequesterRequirement("one", "alpha<2"), RequesterRequirement("other", "beta[x]>=1; python_version > '3'")),
)
_WORD = st.text(st.characters(blacklist_characters="\t\n", blacklist_categories=("Cs",)), min_size=1)


def test_a_writer_that_is_killed_at_any_point_leaves_the_old_or_the_new(tmp_path):
    place = Place(tmp_path / "root")
    (place.site / STATE).mkdir(parents=True)
    write_requests(str(place.site), OLD)
    dry = place.copy(tmp_path / "dry")
    _, points = dry.fork(lambda: write_requests(str(dry.site), NEW))
    assert points >= 2 and read_requests(str(dry.site)) == NEW
    found = []
    for at in range(points):
        copy = place.copy(tmp_path / f"kill{at}")
        status, _ = copy.fork(lambda copy=copy: write_requests(str(copy.site), NEW), at=at)
        assert status == KILLED
        found.append(read_requests(str(copy.site)))
        write_requests(str(copy.site), NEW)  # the leftover does not block anything
        assert read_requests(str(copy.site)) == NEW
        (copy.site / STATE / TRANSACTIONS).mkdir()
        transactions.recover(str(copy.site))
        assert sorted(path.name for path in (copy.site / STATE).iterdir()) == [REQUESTS, TRANSACTIONS]
    assert set(found) == {OLD}


@given(st.lists(st.builds(RequesterRequirement, _WORD, _WORD)))
def test_what_was_asked_reads_as_it_was_written(asked):
    assert decode_requests(encode_requests(asked)) == tuple(asked)


@pytest.mark.parametrize("end", range(0, 60, 7))
def test_a_file_that_is_cut_off_counts_as_empty(end):
    whole = encode_requests(NEW)
    assert end >= len(whole) or decode_requests(whole[:end]) == ()


@given(st.text())
def test_no_text_breaks_the_reader(text):
    decode_requests(text)
