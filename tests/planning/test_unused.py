"""Distributions that are no longer needed."""

from __future__ import annotations

import pytest

from liveinstall._planning.graph import Node
from liveinstall._planning.unused import unused_without


def state(**requires: str) -> dict[str, Node]:
    return {name: Node("1", tuple(filter(None, lines.split(", ")))) for name, lines in requires.items()}


@pytest.mark.parametrize(
    ("here", "requested", "unused"),
    [
        (state(a="b, c", b="", c="d", d=""), {"a"}, {"b", "c", "d"}),
        (state(a="b", b="", z="b"), {"a", "z"}, set()),
        (state(a="b, c", b="c", c="", z="b"), {"a", "z"}, set()),
        (state(a="b", b="c", c="b"), {"a"}, {"b", "c"}),
        (state(a="b", b=""), {"a", "b"}, set()),
        (state(a="b", b="", z="b; extra == 'x'"), {"a", "z"}, set()),
        (state(a="b; extra == 'x'", b=""), {"a"}, set()),
        (state(a="b", z=""), {"a"}, set()),
        (state(a="b", b="a"), {"a"}, {"b"}),
    ],
)
def test_unused_is_what_was_needed_only_by_what_goes(here, requested, unused):
    assert unused_without({"a"}, here, requested) == unused
