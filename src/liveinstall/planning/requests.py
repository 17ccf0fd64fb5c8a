"""What was asked for: requirements as people type them, checked before any work."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from liveinstall.errors import RequirementError

_HABIT = re.compile(r"^\s*[!%]?\s*(?:python3?\s+-m\s+)?(?:uv\s+)?pip3?\s+install\s+", re.IGNORECASE)
_WHENS = ("auto", "now", "restart")


RequirementLike = str | Requirement | os.PathLike[str]


@dataclass(frozen=True)
class Request:
    """A checked request, as every engine is asked it.

    `requirements` are PEP 508 strings, or absolute paths of wheels, source archives and projects; `editables` paths or
    URLs of projects; `files` requirement files; `groups` are `name` or `pyproject.toml:name`, as pip spells them.
    `names` are those that are known before anything is resolved. `removals` are the names of what shall go.
    `constraints` are files or requirements. `upgrade_strategy` is only-if-needed or eager. `config_settings` are
    (key, value) pairs. `engine_arguments` are handed on as they are. `timeout` is in seconds.
    `requester`: who asks, or empty.
    """

    requirements: tuple[str, ...]
    names: frozenset[str]
    removals: frozenset[str] = frozenset()
    editables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
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
    when: str = "auto"
    timeout: float | None = None
    requester: str = ""

    @property
    def told(self) -> tuple[str, ...]:
        """The request as it is recorded for people."""
        lines = (
            *self.requirements,
            *(f"-e {place}" for place in self.editables),
            *(f"-r {path}" for path in self.files),
            *(f"--group {group}" for group in self.groups),
        )
        return tuple(f"{line} (for {self.requester})" if self.requester else line for line in lines)

    @property
    def asks(self) -> bool:
        """Whether there is anything to resolve."""
        return bool(self.requirements or self.editables or self.files or self.groups)


def parse_request(requirements: tuple[RequirementLike, ...], *, when: str, **options: object) -> Request:
    """Check a request; RequirementError says which part of it cannot be understood."""
    texts, habits = _expand(requirements)
    if not texts:
        raise RequirementError("no requirement was given.", todo='For example: install("requests").', requirement="")
    check_when(when)
    for name in ("constraints", "extra_index_urls", "find_links"):
        value = options.get(name, ())
        options[name] = (os.fspath(value),) if isinstance(value, (str, os.PathLike)) else _texts(value)
    timeout = options.get("timeout")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or timeout <= 0):
        raise RequirementError(f"timeout={timeout!r} is not a number of seconds.", requirement="")
    if options.get("no_index") and (options.get("index_url") or options["extra_index_urls"]):
        raise RequirementError("no_index=True and an index URL contradict each other.", requirement="")
    parsed = [_parse(text) for text in texts]
    kept = [(text, name) for text, name in parsed if text]
    return Request(
        requirements=tuple(text for text, _ in kept),
        names=frozenset(name for _, name in kept),
        when=when,
        **{**options, **habits},  # type: ignore[arg-type]
    )


def check_when(when: str) -> None:
    """RequirementError unless `when` is one of auto, now and restart."""
    if when not in _WHENS:
        raise RequirementError(f"when={when!r} is not one of {', '.join(_WHENS)}.", requirement="")


def _texts(values: object) -> tuple[str, ...]:
    return tuple(os.fspath(value) if isinstance(value, os.PathLike) else str(value) for value in values)  # type: ignore[attr-defined]


def _expand(requirements: tuple[RequirementLike, ...]) -> tuple[list[str], dict[str, bool]]:
    """Understand a literal "pip install -U x" typed by habit; anything else stays as it is."""
    texts: list[str] = []
    options: dict[str, bool] = {}
    flags = {"-U": "upgrade", "--upgrade": "upgrade", "--pre": "pre", "--force-reinstall": "reinstall"}
    for requirement in requirements:
        text = os.fspath(requirement) if isinstance(requirement, os.PathLike) else str(requirement)
        if not isinstance(requirement, str) or not _HABIT.match(text):
            texts.append(text)
            continue
        for word in shlex.split(_HABIT.sub("", text)):
            if word in flags:
                options[flags[word]] = True
            elif word in ("-q", "--quiet", "--no-input", "--disable-pip-version-check"):
                continue
            elif word.startswith("-"):
                raise RequirementError(
                    f"the option {word} of {text!r} is not understood here.",
                    todo="Use the keyword arguments of install(), such as index_url=.",
                    requirement=text,
                )
            else:
                texts.append(word)
    return texts, options


def _parse(text: str) -> tuple[str, str]:
    """(what the engine is given, canonical name); empty where the requirement's marker does not apply here."""
    text = text.strip()
    if text.endswith(".whl") and "://" not in text and " @ " not in text:
        return _wheel(text)
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise RequirementError(
            f"{text!r} is not a requirement: {str(error).splitlines()[0]}.",
            todo='A name with an optional version, such as "numpy>=2", or the path of a wheel.',
            requirement=text,
        ) from error
    if requirement.marker and not requirement.marker.evaluate():
        return "", ""
    return text, canonicalize_name(requirement.name)


def _wheel(text: str) -> tuple[str, str]:
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise RequirementError(f"there is no wheel at {path}.", requirement=text)
    try:
        name, *_ = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        raise RequirementError(f"{path.name} is not a wheel's name: {error}.", requirement=text) from error
    return str(path), name
