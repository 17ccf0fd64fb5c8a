"""`list()`, `freeze()` and `check()`: installed distributions and their problems. Nothing is changed."""

from __future__ import annotations

import builtins
import os
import sys

from _liveinstall_boot.file_access import read_bytes
from liveinstall._changes.installed_overlaps import current_overlaps
from liveinstall._environment import running_versions
from liveinstall._environment.installed import installed
from liveinstall._environment.target import find_target, find_targets
from liveinstall._redact import redact
from liveinstall._system.lean_packaging import canonicalize_name
from liveinstall._transactions.published import PendingChanges
from liveinstall._verbs.name_patterns import matcher
from liveinstall.reports import Check, Listed, Listing, Requirements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from liveinstall._model import Distribution
    from liveinstall._planning.graph import Node
    from liveinstall.results import Overlap

_TOOLS = {"pip"} if sys.version_info >= (3, 12) else {"pip", "setuptools", "wheel", "distribute"}


def check() -> Check:
    """Check the environment for problems, without changing anything.

    Files are compared with their RECORD by size only; `doctor()` compares the content.

    Returns:
        Unsatisfied requirements of installed distributions, damaged files, and distributions of which this process has
        loaded another version than the installed one.

    Raises:
        TargetError: The interpreter has no environment that liveinstall supports.
    """
    from liveinstall._planning.graph import Node, edges  # which the other functions do not need
    from liveinstall._repair.diagnosis import find_damage
    from liveinstall._system.gc_throttle import throttled_gc

    target = find_target(for_change=False)
    with throttled_gc():
        distributions = installed()
        state = {
            name: Node(distribution.version, distribution.requires) for name, distribution in distributions.items()
        }
        broken = [
            str(edge) + _actual_version(edge.name, state) for edge in edges(state) if not edge.is_satisfied(state)
        ]
        damaged = [damage.finding for damage in find_damage(target, hashes=False, known=distributions.values())]
        return Check(
            tuple(sorted(broken)),
            tuple(damaged),
            running_versions.outdated(distributions),
            current_overlaps(target, distributions.values()),
        )


def _actual_version(name: str, state: dict[str, Node]) -> str:
    return f", but {name} {state[name].version} is installed" if name in state else f", but {name} is not installed"


def list(*names: str) -> Listing:
    """List distributions that are importable, loaded or pending.

    Args:
        *names: The names of the distributions, or patterns such as "jupyter*" (`fnmatch`). Default: all.

    Returns:
        Each distribution with its installed, loaded and pending version, sorted by name.
    """
    distributions = installed()
    running = {**running_versions.running(distributions), **running_versions.uninstalled_but_imported(distributions)}
    pending = {name: version or "removed" for name, version in _pending_versions().items()}
    shared = current_overlaps(find_target(for_change=False), distributions.values())
    matches = matcher(names)
    return Listing(
        _listed(name, distributions.get(name), running.get(name, ""), pending.get(name, ""), shared)
        for name in sorted(distributions.keys() | pending.keys() | running.keys())
        if matches(name)
    )


def _pending_versions() -> dict[str, str | None]:
    """The pending version of each distribution; None for a removal."""
    entries = [PendingChanges.read(target.site).entries for target in find_targets()]
    return {name: entry.swap.new_version for each in entries for name, entry in each.items()}


def _listed(
    name: str, distribution: Distribution | None, running: str, pending: str, shared: Sequence[Overlap]
) -> Listed:
    if distribution is None:
        return Listed(name, "", running, pending)
    own_overlaps = tuple(each for each in shared if name in (each.owner, *each.others))
    return Listed(
        name,
        distribution.version,
        running,
        pending,
        distribution.project,
        os.path.dirname(distribution.info),
        own_overlaps,
    )


def freeze(*, pending: bool = False, tools: bool = False, exclude: Iterable[str] = ()) -> Requirements:
    """List the installed distributions as requirements, in the format of `pip freeze`.

    Args:
        pending: List the versions after all pending changes. Default: the installed ones.
        tools: Include pip and, before Python 3.12, setuptools and wheel, which `pip freeze` omits too. Default: omit
            them.
        exclude: Names of distributions to omit.

    Returns:
        The lines of a requirements file, sorted by name. Direct URLs are as recorded in `direct_url.json` (PEP 610),
        without credentials. An editable git checkout is a line `-e git+URL@COMMIT#egg=NAME`; one without a remote, or
        without version control, is its path after a comment.
    """
    here = installed()
    without = {canonicalize_name(name) for name in exclude} | (set() if tools else _TOOLS)
    lines = {name: _lines(distribution) for name, distribution in here.items() if name not in without}
    if pending:
        for name, version in _pending_versions().items():
            lines.pop(name, None)
            if version and name not in without:
                lines[name] = (f"{name}=={version}",)
    return Requirements(line for name in sorted(lines) for line in lines[name])


def _lines(distribution: Distribution) -> tuple[str, ...]:
    if not distribution.project:
        return (_line(distribution),)
    from liveinstall._environment.checkouts import editable_lines  # which searches for version control

    return editable_lines(distribution)


def _line(distribution: Distribution) -> str:
    try:
        import json

        direct = json.loads(read_bytes(os.path.join(distribution.info, "direct_url.json")))
        return f"{distribution.name} @ {_url(direct)}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return f"{distribution.name}=={distribution.version}"


def _url(direct: dict[str, Any]) -> str:
    """The URL of a direct_url.json (PEP 610) in the form of a direct reference (PEP 440)."""
    url = redact(direct["url"])
    fragments = []
    if "vcs_info" in direct:
        vcs = direct["vcs_info"]
        url = f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
    hashes = direct.get("archive_info", {}).get("hashes", {})
    fragments += [f"{kind}={value}" for kind, value in builtins.list(hashes.items())[:1]]
    if direct.get("subdirectory"):
        fragments.append(f"subdirectory={direct['subdirectory']}")
    return url + ("#" + "&".join(fragments) if fragments else "")
