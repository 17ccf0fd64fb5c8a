"""Answers of `require()` that are remembered, so that the next process need not resolve anew: that takes most of it.

An answer's name is a digest of all that it depends on: the request, each directory of `sys.path` and the store with the
time of their last change, and the interpreter. It lies among the store's indexes (`registry/index.py`).
"""

from __future__ import annotations

import os
import site as site_module
import sys
import time

from liveinstall._sidebyside import layout
from liveinstall._sidebyside.registry import index
from liveinstall._system.caller import search_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC = b"liveinstall-answer 1\n"
SUFFIX = ".answer"
_SETTLED = 2_000_000_000  # nanoseconds: what changed later than that may change again within the clock's same tick


class Answer:
    """What was chosen, (name, version, place) each; what the environment then lacks; and how to activate it.

    `text` is the registry, empty where nothing is beside the environment; `tops` are top-level names of which none may
    be imported yet; `site` and `store` are where.
    """

    def __init__(
        self,
        used: Sequence[tuple[str, str, str]],
        conflicts: Sequence[str],
        text: bytes,
        tops: Sequence[str],
        site: str,
        store: str,
    ) -> None:
        self.used = tuple(map(tuple, used))
        self.conflicts = tuple(conflicts)
        self.text = text
        self.tops = tuple(tops)
        self.site = site
        self.store = store

    def encode(self) -> bytes:
        """As it lies on disk."""
        return index.dump_checked(MAGIC, (self.used, self.conflicts, self.text, self.tops, self.site, self.store))


def decode(data: bytes) -> Answer | None:
    """None for anything but a whole answer of this version."""
    content = index.load_checked(MAGIC, data)
    return Answer(*content) if isinstance(content, tuple) and len(content) == 6 else None  # noqa: PLR2004


class Question:
    """Where the answer to a request lies, as everything is now. `is_settled`: nothing has changed just now."""

    def __init__(self, requirements: Sequence[str]) -> None:
        self.site = os.path.realpath(_likely_site())
        self.store = layout.store_path(self.site)
        facts = [sys.version, index.CACHE, sys.prefix, self.site, self.store, *requirements]
        newest = 0
        for entry in (self.store, *search_path()):
            try:
                changed = os.stat(entry or os.curdir).st_mtime_ns
            except OSError:
                changed = 0
            newest = max(newest, changed)
            facts.append(f"{entry} {changed}")
        self.is_settled = newest < time.time_ns() - _SETTLED
        seed = b"\0".join(map(os.fsencode, facts))
        self.path = os.path.join(self.store, layout.INDEXES, index.digest(seed) + SUFFIX)

    def answer(self) -> Answer | None:
        """What is remembered and can be used as it is."""
        try:
            with open(self.path, "rb") as stream:
                found = decode(stream.read())
        except OSError:
            return None
        if found is None or any(top in sys.modules for top in found.tops):
            return None
        return found

    def remember(self, answer: Answer) -> None:
        """Keep an answer for the next process, if that can be done."""
        if self.is_settled and (answer.site, answer.store) == (self.site, self.store):
            index.write(self.path, answer.encode())


def _likely_site() -> str:
    """The site directory in most environments; whose is another remembers nothing. `sysconfig` takes long to load."""
    return site_module.getsitepackages([sys.prefix])[0]
