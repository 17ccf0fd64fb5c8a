"""A request: its requirements and options, parsed and checked for contradictions before any work begins."""

from __future__ import annotations

import os
import re

from liveinstall._redact import has_slash_in_password, learn, redact
from liveinstall._requirements.habits import take_apart
from liveinstall._requirements.offline import check_local, is_offline, without_network
from liveinstall._requirements.option_values import DEFAULTS, FLAGS, names_of, value_of
from liveinstall._requirements.requirement import (
    CHECK_PATH,
    ParsedRequirement,
    parse_editable,
    parse_requirement,
    wrong,
)
from liveinstall._requirements.sources import Sources
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._system.lean_packaging import InvalidRequirement, parse_requirement_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from liveinstall._requirements.requirement import RequirementLike as RequirementLike  # noqa: PLC0414  re-exported

__all__ = ["Request", "parse_request"]

_LOCK_NAME = r"pylock(\.[^.]+)?\.toml"
_REMOTE = r"(?i)(?:https?|file)://"
# Options that exclude each other, and the reason.
_CONTRADICTIONS = (
    *(("no_index", other, "without an index they have no effect") for other in ("index_url", "extra_index_urls")),
    ("require_hashes", "editable", "an editable project has no hash"),
    ("require_hashes", "groups", "the requirements of a group have no hashes"),
    ("require_hashes", "script", "the requirements of a script have no hashes"),
    *(
        ("pylock", other, "a lock file determines all versions")
        for other in (
            *("requirements", "requirement_files", "editable", "script", "constraints", "upgrade", "pre"),
            *("only_binary", "no_binary"),
        )
    ),
)
# Options that require another one, and the reason.
_NEEDS = (
    ("upgrade_strategy", "upgrade", "it affects only upgrades"),
    ("extras", "pylock", "the extras of other requirements are written in brackets, as name[extra]"),
)


@dataclass(frozen=True, repr=False)
class Request:
    """A checked request, as passed to every engine.

    Attributes:
        requirements: PEP 508 strings, URLs, or absolute paths of wheels, source archives and projects, with extras.
        names: The normalized names that are known before the resolution.
        removals: The normalized names of the distributions to remove.
        editables: Absolute paths or URLs of projects to install in editable mode.
        files: Absolute paths or URLs of requirements files.
        groups: Always empty: groups, scripts and lock files have been read, and are among the requirements.
        indexed: The names whose URL in a lock file comes from an index, so that it is not a direct URL (PEP 610).
        upgrade: Whether to upgrade the requested distributions.
        upgrade_strategy: "only-if-needed" or "eager".
        reinstall: Whether to reinstall distributions that are up to date.
        deps: Whether to install dependencies.
        pre: Whether to include pre-releases.
        constraints: Absolute paths or URLs of constraints files, or requirement strings.
        index_url: The URL of the index that replaces the configured one; None for the configured one.
        extra_index_urls: The URLs of additional indexes.
        find_links: Directories or URLs of pages with wheels and source distributions.
        no_index: Whether to use no index.
        only_binary: The normalized names of projects that are never built; `:all:` for all.
        no_binary: The normalized names of projects that are always built; `:all:` for all.
        require_hashes: Whether each requirement must have a hash.
        config_settings: (key, value) pairs for build backends.
        engine_arguments: Arguments for the engine, passed unchanged.
        user: Whether to use the user's site-packages directory.
        break_system_packages: Whether to ignore that another package manager manages the environment (PEP 668).
        when: "auto", "now" or "restart".
        timeout: In seconds; None for the defaults.
        requester: The requester's name; empty if none.
        verify: Whether to import the changed distributions in a preview before the commit.
        overlap: "allow", or "refuse" distributions that contain a file of another one.
    """

    requirements: tuple[str, ...]
    names: frozenset[str]
    removals: frozenset[str] = frozenset()
    editables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    indexed: frozenset[str] = frozenset()
    upgrade: bool = False
    upgrade_strategy: str = "only-if-needed"
    reinstall: bool = False
    deps: bool = True
    pre: bool = False
    constraints: tuple[str, ...] = ()
    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    only_binary: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    require_hashes: bool = False
    config_settings: tuple[tuple[str, str], ...] = ()
    engine_arguments: tuple[str, ...] = ()
    user: bool = False
    break_system_packages: bool = False
    when: str = "auto"
    timeout: float | None = None
    requester: str = ""
    verify: bool = False
    overlap: str = "allow"

    def __repr__(self) -> str:
        """Without credentials: tracebacks with local variables show it."""
        return redact(f"Request({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__match_args__)})")

    @property
    def sources(self) -> Sources:
        """The sources of packages."""
        return Sources(*(getattr(self, name) for name in Sources._fields))

    @property
    def asked(self) -> tuple[str, ...]:
        """The requirements as text for the history: `rich`, `-e /src/x`, `-r /src/requirements.txt (for a-plugin)`."""
        lines = (*self.requirements, *(f"-e {path}" for path in self.editables), *(f"-r {path}" for path in self.files))
        return tuple(f"{line} (for {self.requester})" if self.requester else line for line in lines)


def parse_request(requirements: tuple[RequirementLike, ...], **options: object) -> Request:
    """Parse and check a request.

    Args:
        requirements: The requirements as the caller gave them; a string may be a literal `pip install` command.
        **options: The options of `install()` that concern the request.

    Returns:
        The request.

    Raises:
        RequirementError: A requirement or an option is invalid, or options contradict each other.
        DownloadError: LIVEINSTALL_OFFLINE is set, and a file or URL is not local.
    """
    texts, values = _split_and_validate(requirements, options)
    learn([texts, values])
    _check_passwords(texts, values)
    _check_together({**values, "requirements": texts})
    values = without_network(values) if is_offline() else values
    locked, read = _read_sources(values)
    parsed = [requirement for requirement in map(parse_requirement, [*texts, *read]) if requirement]
    editables = [
        *map(parse_editable, values["editable"]),
        *(ParsedRequirement(path) for path in (locked.editables if locked else ())),
    ]
    files = tuple(_file(path, "requirements") for path in values["requirement_files"])
    _check_hashes(values, parsed, files)
    if is_offline():
        check_local(each.url for each in (*parsed, *editables))
    return Request(
        requirements=tuple(requirement.text for requirement in parsed),
        names=frozenset(each.name for each in (*parsed, *editables) if each.name),
        editables=tuple(editable.text for editable in editables),
        files=files,
        indexed=locked.indexed if locked else frozenset(),
        deps=values["deps"] and not locked,
        constraints=tuple(map(_constraint, values["constraints"])),
        upgrade_strategy=values["upgrade_strategy"] or "only-if-needed",
        config_settings=values["config_settings"],
        engine_arguments=values["pip_arguments"],
        only_binary=names_of("only_binary", values["only_binary"]),
        no_binary=names_of("no_binary", values["no_binary"]),
        **{name: values[name] for name in FLAGS if name != "deps"},
        **{name: values[name] for name in ("index_url", "extra_index_urls", "find_links")},
        **{name: values[name] for name in ("when", "timeout", "overlap")},
    )


def _check_passwords(texts: Sequence[Any], values: Mapping[str, Any]) -> None:
    """Refuse a slash in a password, because programs would show the text after it as a path or a port."""
    tuples = [value if isinstance(value, tuple) else (value,) for value in values.values()]
    for text in (*texts, *(each for items in tuples for each in items)):
        if isinstance(text, str) and has_slash_in_password(text):
            raise wrong(f"the password in {text} has a slash.", text, todo="Write the slash as %2F.")


def _split_and_validate(
    requirements: tuple[RequirementLike, ...], options: Mapping[str, object]
) -> tuple[list[Any], dict[str, Any]]:
    """The requirements, and all options with valid values. A literal "pip install -U x" has both."""
    unknown = sorted(set(options) - set(DEFAULTS))
    if unknown:
        raise wrong(f"install() has no option {unknown[0]!r}.", unknown[0])
    values = {name: value_of(name, options.get(name, default)) for name, default in DEFAULTS.items()}
    texts, pasted = take_apart(requirements)
    for name, value in (pair for each in pasted for pair in each.items()):
        checked = value_of(name, value)
        values[name] = (*values[name], *checked) if isinstance(checked, tuple) else checked
    return texts, _with_lock_file(values)


def _with_lock_file(values: dict[str, Any]) -> dict[str, Any]:
    """The options with a lock file among the requirements files as `pylock`, as in pip (PEP 751: pylock.NAME.toml)."""
    files = values["requirement_files"]
    locks = [path for path in files if not re.match(_REMOTE, path) and re.fullmatch(_LOCK_NAME, os.path.basename(path))]
    if not locks or values["pylock"]:
        return values
    if len(locks) > 1:
        raise wrong(f"only one lock file can be installed from, not {' and '.join(locks)}.", locks[1])
    return {**values, "pylock": locks[0], "requirement_files": tuple(path for path in files if path not in locks)}


def _check_together(values: Mapping[str, Any]) -> None:
    """Refuse contradicting options, and a request without any requirement."""
    set_options = {name for name, value in values.items() if value != DEFAULTS.get(name, ()) and value != []}
    for name, other_name, why in _CONTRADICTIONS:
        if {name, other_name} <= set_options:
            raise wrong(f"{name}= and {other_name}= contradict each other: {why}.", name, todo="Omit one of them.")
    for name, other_name, why in _NEEDS:
        if name in set_options and other_name not in set_options:
            raise wrong(
                f"{name}= has no effect without {other_name}=: {why}.",
                name,
                todo=f"Pass {other_name}=, or omit {name}=.",
            )
    if not set_options & {"requirements", "requirement_files", "editable", "groups", "script", "pylock"}:
        raise wrong("no requirement was given.", "", todo='For example: install("requests").')
    if values["upgrade_strategy"] == "eager" and not values["deps"]:
        what = 'upgrade_strategy="eager" and deps=False contradict each other: "eager" upgrades dependencies.'
        raise wrong(what, "deps", todo="Omit one of them.")
    both = set(names_of("only_binary", values["only_binary"])) & set(names_of("no_binary", values["no_binary"]))
    if both - {":none:"}:
        name = min(both)
        raise wrong(f"only_binary= and no_binary= both name {name}, so neither wheels nor sources could be used.", name)
    if values["pip_arguments"]:
        from liveinstall._requirements.pip_options import check_pip_arguments

        check_pip_arguments(values["pip_arguments"])


def _read_sources(values: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """The content of the lock file, or None, and the requirements of the lock file, the groups and the script."""
    if not (values["pylock"] or values["groups"] or values["script"]):
        return None, []
    from liveinstall._requirements import requirement_files  # tomllib, only when it is needed

    if values["pylock"]:
        locked = requirement_files.read_lock(values["pylock"], extras=values["extras"], groups=values["groups"] or None)
        return locked, list(locked.requirements)
    groups = [line for group in values["groups"] for line in requirement_files.read_group(group)]
    return None, groups + list(requirement_files.read_script(values["script"]) if values["script"] else ())


def _check_hashes(values: Mapping[str, Any], parsed: Sequence[ParsedRequirement], files: tuple[str, ...]) -> None:
    for each in parsed if values["require_hashes"] else ():
        if each.is_vcs:
            raise wrong(f"require_hashes=True, but {each.text!r} is a version control URL without a hash.", each.text)
        if not (each.pinned or files):
            todo = "Add the hash in a requirements file, or as #sha256=... to a URL."
            raise wrong(f"require_hashes=True, but {each.text!r} has no hash.", each.text, todo=todo)


def _file(path: str, kind: str) -> str:
    """The absolute path of a file; a URL is returned unchanged."""
    if re.match(_REMOTE, path):
        return path
    full = os.path.abspath(os.path.expanduser(path))
    if not os.path.isfile(full):
        raise wrong(f"there is no {kind} file {full}.", path, todo=CHECK_PATH)
    if re.fullmatch(_LOCK_NAME, os.path.basename(full)):
        raise wrong(f"{full} is a lock file, not a {kind} file.", path, todo="Pass it as pylock=.")
    return full


def _constraint(text: str) -> str:
    """A constraint: the path or URL of a file, or a requirement such as "numpy<2"."""
    if re.match(_REMOTE, text) or os.path.isfile(text) or text.endswith((".txt", ".in", ".cfg")):
        return _file(text, "constraints")
    try:
        requirement = parse_requirement_line(text)
    except InvalidRequirement:
        raise wrong(f"{text!r} is neither a constraints file nor a requirement.", text) from None
    if requirement.extras:
        raise wrong(f"{text!r}: a constraint has no extras.", text, todo="Omit them.")
    return text
