"""A cache of the answers of `require()`: resolving takes most of its time, and the next process can skip it.

The name of an answer is a digest of all its inputs: the request, the interpreter, and the paths and modification times
of the store and of each directory of `sys.path`. It is stored among the indexes of the store (`imports/index.py`).
"""

from __future__ import annotations

import os
import site as site_module
import sys
import time

from _liveinstall_boot.file_access import read_bytes
from liveinstall._sidebyside import layout
from liveinstall._sidebyside.imports import index
from liveinstall._system.caller import search_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC = b"liveinstall-answer 1\n"
SUFFIX = ".answer"
_SETTLED = 2_000_000_000  # nanoseconds: what changed more recently may change again with the same time stamp


class Answer:
    """The chosen versions, and how to activate them.

    Attributes:
        used: (name, version, directory) of each version; the directory is empty for an installed one.
        conflicts: The requirements of installed distributions that the versions do not satisfy, as sentences.
        text: The content of the registry; empty if all versions are installed ones.
        tops: The top-level names that must not be imported yet.
        site: The site-packages directory of the environment.
        store: The path of the store.
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
        """Return the on-disk format."""
        return index.dump_checked(MAGIC, (self.used, self.conflicts, self.text, self.tops, self.site, self.store))


def decode(data: bytes) -> Answer | None:
    """Read an answer; None for anything but a complete answer of this version."""
    content = index.load_checked(MAGIC, data)
    return Answer(*content) if isinstance(content, tuple) and len(content) == 6 else None  # noqa: PLR2004


class Question:
    """A request in the current state of the environment.

    Attributes:
        path: The file of its answer.
        is_settled: Whether nothing has changed in the last two seconds.
    """

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
        """Return the remembered answer, if it can be applied in this process; else None."""
        try:
            answer = decode(read_bytes(self.path))
        except (OSError, TypeError, ValueError):
            return None
        if answer is None or any(top in sys.modules for top in answer.tops):
            return None
        return answer

    def remember(self, answer: Answer) -> None:
        """Store an answer for later processes, if the store can be written."""
        if self.is_settled and (answer.site, answer.store) == (self.site, self.store):
            index.write(self.path, answer.encode())


def _likely_site() -> str:
    """The site directory of most environments; in others nothing is remembered. `sysconfig` would take long to load."""
    places = site_module.getsitepackages([sys.prefix])
    return places[-1] if os.name == "nt" else places[0]  # on Windows the first one is the prefix itself
