"""A registry's text: it can be written and read, invalid lines are refused by number, conflicts name both lines."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveinstall._sidebyside.registry.format import MAGIC, Registry, Row, check, decode, encode, located, merge
from liveinstall.errors import RegistryConflictError, RegistryError

TEXT = f"""{MAGIC}
# by hand
NumPy==1.26.4 -> numpy-1.26.4-cp311-cp311-any

numpy -> numpy-1.26.4-cp311-cp311-any
  google.*   ->   /opt/with space/a -> b
"""


def rows(registry):
    return [(row.name, row.version, row.shared, row.place) for row in registry.rows]


def test_rows_are_read_as_a_person_writes_them():
    found = decode(TEXT)
    assert rows(found) == [
        ("numpy", "1.26.4", False, "numpy-1.26.4-cp311-cp311-any"),
        ("numpy", "", False, "numpy-1.26.4-cp311-cp311-any"),
        ("google", "", True, "/opt/with space/a -> b"),
    ]
    assert not found.exclusive and decode(encode(found)).places == found.places


NAMES = st.sampled_from(["a", "b_c", "_d", "é"])
PLACES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Cs"]), min_size=1).filter(
    lambda text: text == text.strip() and text.splitlines() == [text]
)
ROWS = st.builds(Row, NAMES, PLACES, shared=st.booleans()) | st.builds(
    Row, st.sampled_from(["a", "b-c", "x2"]), PLACES, st.sampled_from(["1.0", "2!3.4+local.5"])
)


@given(st.lists(ROWS, max_size=6), st.booleans(), st.sampled_from(["", "/a b/c"]))
def test_what_is_written_is_read(some, exclusive, prefix):
    before = Registry(tuple(dict.fromkeys(some)), exclusive, prefix)
    after = decode(encode(before, ["made by", "a test\nwith lines"]))
    assert rows(after) == rows(before) and (after.exclusive, after.prefix) == (exclusive, prefix)


@given(st.text())
def test_any_text_is_read_or_refused_by_its_line(text):
    for whole in (text, f"{MAGIC}\n{text}"):
        try:
            decode(whole, "env1.txt")
        except RegistryError as error:
            assert "env1.txt cannot be read: line " in error.what


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("numpy", "is not NAME -> DIRECTORY"),
        ("numpy -> ", "is not NAME -> DIRECTORY"),
        ("numpy->x", "is not NAME -> DIRECTORY"),
        ("num py -> x", "neither a top-level name"),
        ("numpy== -> x", "neither a top-level name"),
        ("numpy.core -> x", "neither a top-level name"),
        ("../x -> x", "neither a top-level name"),
        (f"numpy -> x{MAGIC}", "is not NAME -> DIRECTORY"),
        ("exclusive please", "is not NAME -> DIRECTORY"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(line, why):
    with pytest.raises(RegistryError, match=why) as caught:
        decode(f"{MAGIC}\n# fine\n{line}\n", "env1.txt")
    assert "line 3" in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n", "numpy -> x\n", "liveinstall-registry 2\n"])
def test_a_file_of_another_kind_or_version_is_refused(text):
    with pytest.raises(RegistryError, match="line 1"):
        decode(text)


def test_registries_can_be_concatenated_and_a_conflict_names_both_lines():
    other = f"{MAGIC}\nexclusive\nnumpy -> numpy-1.26.4-cp311-cp311-any\nzmq -> z\ngoogle.* -> elsewhere\n"
    both = decode(TEXT + other)
    check(both)
    assert both.exclusive and [row.place for row in both.rows if row.name == "google"] == [
        "/opt/with space/a -> b",
        "elsewhere",
    ]
    with pytest.raises(RegistryConflictError) as caught:
        check(decode(TEXT + f"{MAGIC}\nnumpy -> numpy-2.0\n", "both.txt"))
    assert caught.value.lines == (
        "both.txt, line 5: numpy -> numpy-1.26.4-cp311-cp311-any",
        "both.txt, line 8: numpy -> numpy-2.0",
    )


@pytest.mark.parametrize(
    ("one", "other"), [("a==1 -> x", "a==2 -> y"), ("a -> x", "a.* -> y"), ("a==1 -> x", "a==1 -> y")]
)
def test_two_registries_that_contradict_each_other_are_not_merged(one, other):
    parts = [decode(f"{MAGIC}\n{line}\n", f"{name}.txt") for name, line in (("one", one), ("other", other))]
    with pytest.raises(RegistryConflictError, match=r"one\.txt, line 2 .* and other\.txt, line 2"):
        merge(parts)
    assert merge([parts[0], parts[0]]).rows == parts[0].rows


def test_a_place_without_a_slash_is_in_the_store_and_others_count_from_the_file():
    assert located("numpy-1-py3-none-any", "/etc", "/store") == os.path.join("/store", "numpy-1-py3-none-any")
    assert located("../opt/x", "/etc/conf", "/store") == os.path.normpath("/etc/opt/x")
    assert located("/opt/x", "/etc", "/store") == os.path.normpath("/opt/x")


@pytest.mark.parametrize("place", ["a\nb", " a", "a ", "a\rb", "a\x85b"])
def test_a_place_that_a_line_cannot_hold_is_not_written(place):
    with pytest.raises(RegistryError):
        encode(Registry((Row("a", place),)))
