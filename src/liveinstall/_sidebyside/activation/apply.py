"""Apply an answer of `require()`, of this or an earlier process."""

from __future__ import annotations

import os
import sys

from liveinstall._sidebyside import activate, layout
from liveinstall._sidebyside.activation import spawned
from liveinstall._sidebyside.imports import index
from liveinstall.reports import Activation, VersionInUse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from liveinstall._sidebyside.activate import Active
    from liveinstall._sidebyside.activation.answer_cache import Answer


_kept: dict[str, int] = {}  # registry for child processes -> an open file, which marks it as in use
granted: list[str] = []  # the requirements of all successful calls in this process


def apply(answer: Answer, why: str, texts: Sequence[str]) -> Activation:
    """Activate the chosen versions, if any of them is not active yet.

    Args:
        answer: The chosen versions.
        why: Why they are activated, for people.
        texts: The requirements that they were chosen for.

    Returns:
        The active versions, and the reason.
    """
    used = tuple(VersionInUse(*each) for each in answer.used)
    before = activate.active()
    source = before.source if before else ""
    if answer.text:
        reasons = f"{before.why}; {why}" if before else why
        source = why
        active = activate.activate(answer.text, why, answer.store, answer.store, [answer.site], reasons)
        assert active
        spawned.pass_on()
        _pass_on_by_variable(active, answer.site)
    granted.extend(text for text in texts if text not in granted)
    now = activate.active()
    return Activation(why, source, used, answer.conflicts, exclusive=bool(now and now.index.exclusive))


def _pass_on_by_variable(active: Active, site: str) -> None:
    """Where registries are enabled at start-up, let child processes find this one."""
    if any(os.path.exists(os.path.join(site, name)) for name in layout.START_LINES):
        path = write_derived(active.text, active.arguments[3])
        if path:
            os.environ[layout.REGISTRY_VARIABLE] = path


def write_derived(text: bytes, store: str) -> str:
    """Write a registry for child processes of this one.

    Args:
        text: The content of the registry.
        store: The path of the store, whose indexes it is written to.

    Returns:
        Its absolute path; empty if it cannot be written.
    """
    text += f"prefix {sys.prefix}\n".encode("utf-8", "surrogateescape")
    path = index.index_path(text, store, store, ()) + layout.REGISTRY
    try:
        os.utime(path)  # old and unused files are swept
    except OSError:
        if not index.write(path, text, over=False):
            return ""
    if path not in _kept:
        handle = index.keep(path)
        if handle is not None:
            _kept[path] = handle
    return path
