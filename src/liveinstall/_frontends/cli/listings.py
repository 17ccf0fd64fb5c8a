"""`list`, `freeze` and `show` with pip's options: the selection of installed distributions and the output format."""

from __future__ import annotations

import os
import sys

from liveinstall._environment.installed import installed
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._system.lean_packaging import canonicalize_name
from liveinstall._verbs import inspection
from liveinstall.errors import RequirementError
from liveinstall.reports import Listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from liveinstall._model import Distribution


@dataclass(frozen=True)
class Details:
    """The output of `show` for one distribution; empty fields are unknown.

    Attributes:
        requires: The installed distributions that it depends on.
        required_by: The installed distributions that depend on it.
        home_page: The URL of the project.
        license: Its license: an SPDX expression, or the first line of the text.
        project: The source directory of an editable install.
        pending: The pending version; "removed" for a pending removal.
    """

    name: str
    version: str
    summary: str
    location: str
    requires: tuple[str, ...]
    required_by: tuple[str, ...]
    home_page: str = ""
    license: str = ""
    project: str = ""
    pending: str = ""

    def __str__(self) -> str:
        """Format the lines of `pip show`, and the pending version."""
        known = {"Home-page": self.home_page, "License": self.license}
        more = {"Editable project location": self.project, "Pending": self.pending}
        rows = {
            "Name": self.name,
            "Version": self.version,
            "Summary": self.summary,
            **{title: text for title, text in known.items() if text},
            "Location": self.location,
            **{title: text for title, text in more.items() if text},
            "Requires": ", ".join(self.requires),
            "Required-by": ", ".join(self.required_by),
        }
        return "\n".join(f"{title}: {text}".rstrip() for title, text in rows.items())


def listing(options: dict[str, Any]) -> Any:
    """Return the output of `list`: the listing, or a text in one of pip's formats."""
    needed = {name for names in _needed_by().values() for name in names} if options["not_required"] else set()
    out: set[str] = needed | set(map(canonicalize_name, options["exclude"]))
    found = inspection.list(*options["names"])
    rows = [row for row in found if row.name not in out and (not options["local"] or is_local(row.place))]
    if options["outdated"]:
        return _outdated(options, {row.name for row in rows})
    if options["format"] is None:
        return Listing(rows)
    pairs = [(row.name, row.installed) for row in rows if row.installed]
    if options["format"] == "json":
        import json

        return json.dumps([{"name": name, "version": version} for name, version in pairs])
    if options["format"] == "freeze":
        return "\n".join(f"{name}=={version}" for name, version in pairs)
    return _columns([("Package", "Version"), *pairs])


def _outdated(options: dict[str, Any], names: set[str]) -> Any:
    """The output of `list --outdated`, of the selected distributions."""
    from liveinstall._engines.outdated import IndexOptions, find_outdated  # engines, which no other listing needs

    if options["format"] == "freeze":
        what = "list: --format=freeze has no place for the newer versions."
        raise RequirementError(
            what, todo="Use --format=columns or --format=json with --outdated.", requirement="format"
        )
    where = IndexOptions(**{name: options[name] for name in IndexOptions._fields})
    found = [each for each in find_outdated(options["engine"], where) if canonicalize_name(each.name) in names]
    if options["format"] == "json":
        import json

        return json.dumps([each._asdict() for each in found])
    return OutdatedRows(OutdatedRow(*each) for each in found)


@dataclass(frozen=True)
class OutdatedRow:
    """A row of `list --outdated`, with the keys of pip's JSON."""

    name: str
    version: str
    latest_version: str
    latest_filetype: str


class OutdatedRows(tuple[OutdatedRow, ...]):
    """The output of `list --outdated`; its text is pip's table, empty if nothing is outdated."""

    __slots__ = ()

    def __str__(self) -> str:
        """Format the same columns as pip."""
        rows = [(each.name, each.version, each.latest_version, each.latest_filetype) for each in self]
        return _columns([("Package", "Version", "Latest", "Type"), *rows]) if rows else ""


def _columns(table: list[tuple[str, ...]]) -> str:
    """Format rows as pip does, with a line below the titles."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [" ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([lines[0], " ".join("-" * width for width in widths), *lines[1:]])


def frozen(options: dict[str, Any]) -> tuple[str, ...]:
    """Return the output of `freeze`."""
    out: set[str] = set(map(canonicalize_name, options.pop("exclude")))
    if options.pop("local"):
        out |= {name for name, found in installed().items() if not is_local(found.info)}
    return inspection.freeze(**options, exclude=tuple(out))


def show(names: list[str]) -> tuple[Details, ...]:
    """Return the details of distributions.

    Args:
        names: The names of the distributions.

    Raises:
        RequirementError: One of them is not installed.
    """
    distributions = installed()
    requested = dict.fromkeys(map(canonicalize_name, names))
    missing = [name for name in requested if name not in distributions]
    if missing:
        raise RequirementError(
            f"{', '.join(missing)}: not installed.",
            todo="`liveinstall list` shows all installed distributions.",
            requirement=missing[0],
        )
    from liveinstall._verbs.pending import pending as pending_changes

    dependencies = _needed_by()
    pending = {change.name: change.new_version or "removed" for item in pending_changes() for change in item.changes}
    return tuple(_details(distributions[name], dependencies, pending.get(name, "")) for name in requested)


def is_local(path: str) -> bool:
    """Return whether a path is in the running environment, not in the base Python or in the user's site directory."""
    return os.path.realpath(path).startswith(os.path.realpath(sys.prefix) + os.sep)


def _needed_by() -> dict[str, list[str]]:
    """The dependencies of each installed distribution in this environment."""
    from liveinstall._planning.graph import Node, edges  # which a plain listing does not need

    dependencies: dict[str, list[str]] = {}
    for edge in edges({name: Node(each.version, each.requires) for name, each in installed().items()}):
        dependencies.setdefault(edge.requirer, []).append(edge.name)
    return dependencies


def _details(distribution: Distribution, dependencies: dict[str, list[str]], pending: str) -> Details:
    from importlib.metadata import Distribution as Metadata  # 10 ms

    metadata = Metadata.at(distribution.info).metadata
    return Details(
        distribution.name,
        distribution.version,
        _first_line(metadata.get_all("Summary")),
        os.path.dirname(distribution.info),
        tuple(sorted(set(dependencies.get(distribution.name, ())))),
        tuple(sorted(name for name, names in dependencies.items() if distribution.name in names)),
        home_page=_first_line(metadata.get_all("Home-page")) or _project_url(metadata.get_all("Project-URL")),
        license=_first_line(metadata.get_all("License-Expression")) or _first_line(metadata.get_all("License")),
        project=distribution.project,
        pending=pending,
    )


def _first_line(values: list[str] | None) -> str:
    return "\n".join(values or ()).partition("\n")[0].strip()


def _project_url(values: list[str] | None) -> str:
    """The project's home page among its URLs, which are "LABEL, URL"."""
    labelled = [value.partition(",") for value in values or ()]
    urls = (url.strip() for label, _, url in labelled if "".join(filter(str.isalpha, label.lower())) == "homepage")
    return next(urls, "")
