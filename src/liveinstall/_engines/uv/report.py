"""The result of a run of uv, as values; imported while uv runs."""

from __future__ import annotations

import os
import re

from liveinstall._engines.answers import read_json, text, understanding
from liveinstall._engines.local_files import local_wheel
from liveinstall._engines.uv.directories import origins
from liveinstall._model import Candidate
from liveinstall._planning.graph import Node, named
from liveinstall._redact import redact, without_secret_queries
from liveinstall._system.dist_info import read_fields
from liveinstall._system.lean_dataclasses import replace
from liveinstall._system.lean_packaging import InvalidRequirement, canonicalize_name, parse_requirement_line
from liveinstall.errors import WheelRefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from packaging.requirements import Requirement

    from liveinstall._requirements.request import Request

__all__ = ["candidates", "origins"]


def candidates(target: str, request: Request, log: str, cache: Callable[[], str]) -> list[Candidate]:
    """Read the result of a run.

    Args:
        target: The absolute path of the directory that uv has installed into.
        request: The request.
        log: uv's output.
        cache: Returns the absolute path of uv's cache; called only if uv has made copies instead of links.

    Returns:
        The chosen distributions, sorted by name.

    Raises:
        EngineError: What uv has copied is not in its cache.
        WheelRefusedError: A wheel contains the metadata of another distribution.
    """
    warned = yanked(log)
    with understanding("what uv has installed", log):
        chosen = [_candidate(info, request, warned, cache) for info in _new_metadata(target)]
    return [replace(each, requested=_is_requested(each, chosen, request)) for each in chosen]


def _is_requested(candidate: Candidate, chosen: Iterable[Candidate], request: Request) -> bool:
    """Whether a distribution was requested by name or, if names are unknown (files), no other distribution needs it."""
    if candidate.name in request.names:
        return True
    unnamed = request.files or request.groups or request.editables or len(request.names) < len(request.requirements)
    return bool(unnamed) and all(candidate.name not in named(Node(each.version, each.requires)) for each in chosen)


def _new_metadata(target: str) -> Iterator[str]:
    """The metadata directories that uv has installed: they have an INSTALLER, and a RECORD that uv has written."""
    for name in sorted(os.listdir(target)):
        info = os.path.join(target, name)
        metadata, installer, record = (os.path.join(info, part) for part in ("METADATA", "INSTALLER", "RECORD"))
        if not name.endswith(".dist-info") or not (os.path.islink(metadata) or os.path.lexists(installer)):
            continue  # it was installed before
        # If RECORD is a link, it is the metadata of another distribution among the data files of a wheel.
        if os.path.islink(record) or not os.path.isfile(record):
            raise WheelRefusedError(
                f"a wheel contains {name}, which would register another distribution.",
                todo="Report it to the project's maintainers, or use another version.",
                wheel="",
                entry=name,
            )
        yield info


def _candidate(info: str, request: Request, warned: Mapping[str, str], cache: Callable[[], str]) -> Candidate:
    tree, (name, version, requires, requires_python) = _tree(info, cache), _metadata(info)
    direct = None if canonicalize_name(name) in request.indexed else _direct(info)
    local = local_wheel(direct["url"]) if direct else ""
    extras = {canonicalize_name(r.name): sorted(r.extras) for r in _parsed(request.requirements)}
    return Candidate(
        name=canonicalize_name(name),
        version=version,
        requires=requires,
        requested=False,
        extras=tuple(extras.get(canonicalize_name(name), ())),
        url=redact(direct["url"]) if direct else "",
        wheel=local,
        direct_url=direct,
        yanked=warned.get(f"{canonicalize_name(name)}=={version}"),
        unpacked="" if local else tree,
        requires_python=requires_python,
        shared=(os.environ.get("UV_LINK_MODE") or "hardlink") in ("hardlink", "symlink"),
    )


def _tree(info: str, cache: Callable[[], str]) -> str:
    """The unpacked wheel in uv's cache: the target of METADATA is two levels below it."""
    metadata = os.path.join(info, "METADATA")
    if not os.path.islink(metadata):
        from liveinstall._engines.uv.cache import unpacked_wheel  # only where uv cannot make links

        return unpacked_wheel(info, cache())
    return os.path.dirname(os.path.dirname(os.readlink(metadata)))


def _metadata(info: str) -> tuple[str, str, tuple[str, ...], str]:
    """Name, version, Requires-Dist lines and Requires-Python."""
    fields = read_fields(os.path.join(info, "METADATA"), "name", "version", "requires-dist", "requires-python")
    requires_python = "".join(fields["requires-python"][:1])
    return fields["name"][0], fields["version"][0], tuple(fields["requires-dist"]), requires_python


def _direct(info: str) -> dict[str, Any] | None:
    """The direct_url.json (PEP 610) of a distribution that is not from an index; a link is the wheel's own, ignored."""
    path = os.path.join(info, "direct_url.json")
    if os.path.islink(path) or not os.path.isfile(path):
        return None
    direct = read_json(path)
    return {**direct, "url": without_secret_queries(_without_user(text(direct, "url")))}


def _without_user(url: str) -> str:
    if "@" not in url:
        return url
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else url


def _parsed(texts: Sequence[str]) -> Iterator[Requirement]:
    for each in texts:
        try:
            yield parse_requirement_line(each)
        except InvalidRequirement:
            continue  # a path


def yanked(log: str) -> dict[str, str]:
    """Find the yanked versions that uv has warned about.

    Args:
        log: uv's output.

    Returns:
        The reason for each version, by `name==version`.
    """
    if "is yanked" not in log:
        return {}
    warnings = re.findall(r"warning: `([^`]+)` is yanked(?: \(reason: \"(.*)\"\))?", log)
    return {spec: reason or "yanked" for spec, reason in warnings}
