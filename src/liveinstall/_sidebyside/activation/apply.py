"""Carry out what `require()` has decided, now or in an earlier process."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from liveinstall._sidebyside import layout
from liveinstall._sidebyside.activation import activate, spawned
from liveinstall._sidebyside.registry import index
from liveinstall.reports import Activation, VersionInUse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from liveinstall._sidebyside.activation.activate import Active
    from liveinstall._sidebyside.activation.answer_cache import Answer


_kept: dict[str, int] = {}  # registries for children -> the open file that keeps each, as long as this process lives
asked: list[str] = []  # of this process, by all calls that were granted


def apply(answer: Answer, why: str, texts: Sequence[str]) -> Activation:
    """Activate what was chosen for `texts`, if anything of it is new, and say what it is."""
    used = tuple(VersionInUse(*each) for each in answer.used)
    before = activate.active()
    source = before.source if before else ""
    if answer.text:
        whys = f"{before.why}; {why}" if before else why
        source = why
        found = activate.activate(answer.text, why, answer.store, answer.store, [answer.site], whys)
        assert found
        spawned.pass_on()
        _pass_on_by_variable(found, answer.site)
    asked.extend(text for text in texts if text not in asked)
    now = activate.active()
    return Activation(why, source, used, answer.conflicts, exclusive=bool(now and now.index.exclusive))


def _pass_on_by_variable(found: Active, site: str) -> None:
    """Where starts of Python look for a registry, let those of children find this one."""
    if any(os.path.exists(os.path.join(site, name)) for name in layout.START_LINES):
        path = write_derived(found.text, found.asked[3])
        if path:
            os.environ[layout.REGISTRY_VARIABLE] = path


def write_derived(text: bytes, store: str) -> str:
    """Write a registry for children of this process; its path, empty where that cannot be done."""
    text += f"prefix {sys.prefix}\n".encode("utf-8", "surrogateescape")
    path = index.index_path(text, store, store, ()) + layout.REGISTRY
    try:
        os.utime(path)  # what is old and unused is swept
    except OSError:
        if not index.write(path, text, over=False):
            return ""
    if path not in _kept:
        handle = index.keep(path)
        if handle is not None:
            _kept[path] = handle
    return path
