"""Parsing one requirement: a PEP 508 string, a URL or a local path, checked and with an absolute path."""

from __future__ import annotations

import os
import re

from liveinstall._redact import redact
from liveinstall._system.lean_dataclasses import dataclass
from liveinstall._system.lean_packaging import (
    InvalidRequirement,
    InvalidWheelFilename,
    canonicalize_name,
    is_requirement,
    name_and_version,
    parse_requirement_line,
)
from liveinstall.errors import RequirementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from packaging.requirements import Requirement

    RequirementLike = str | Requirement | os.PathLike[str]

_URL = r"(?i)[a-z][a-z0-9.+-]+:(?://)?\S"  # at least two letters: C: is a drive
_SCHEMES = r"(?i)(?:(?:git|hg|svn|bzr)\+[a-z.+-]+|https?|file)://?"
_VCS = r"(?i)(?:git|hg|svn|bzr)\+"
_NAMED = r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*@\s*(\S.*)$"
_EXTRAS = r"(.*?)\s*(\[[A-Za-z0-9._,\s-]*\])$"
_ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tlz", ".tar.lz", ".tar.lzma")
_PROJECT = ("pyproject.toml", "setup.py", "setup.cfg")


_LIKE = "Pass a string, a packaging Requirement or a path; pass several requirements as several arguments."
_INSTALLABLE = "Use http, https, file, or a VCS URL such as git+https."


@dataclass(frozen=True)
class ParsedRequirement:
    """A checked requirement.

    Attributes:
        text: The requirement for the engine.
        name: The normalized project name; empty if it is not known before a build.
        url: The direct URL; empty if there is none.
        pinned: Whether the URL has a hash.
    """

    text: str
    name: str = ""
    url: str = ""
    pinned: bool = False

    @property
    def is_vcs(self) -> bool:
        """Whether the URL is that of a repository, such as `git+https:`."""
        return bool(self.url and re.match(_VCS, self.url))


_EXAMPLES = 'Pass a name with an optional version, such as "numpy>=2", a URL, or the path of a wheel or project.'


def text_of(value: object) -> str:
    """Convert a string, a path or a Requirement to a string."""
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def checked_text(value: object) -> str:
    """Convert a string, a path or a Requirement to a string, after a check of its type.

    Args:
        value: The value that the caller gave.

    Returns:
        The string.

    Raises:
        RequirementError: The value has another type, whose text (such as `None`) could be a project's name.
    """
    if not isinstance(value, (str, os.PathLike)) and not is_requirement(value):
        raise wrong(f"{value!r} is not a requirement.", repr(value), todo=_LIKE)
    return text_of(value)


CHECK_PATH = "Check the path."


def wrong(what: str, text: object, *, todo: str = "") -> RequirementError:
    """Create a RequirementError, without credentials in its texts.

    Args:
        what: A sentence that says what is wrong.
        text: The offending requirement or option.
        todo: A sentence that says how to proceed; may be empty.

    Returns:
        The error.
    """
    return RequirementError(redact(what), todo=redact(todo), requirement=redact(text_of(text)))


def parse_requirement(requirement: RequirementLike) -> ParsedRequirement | None:
    """Parse one requirement.

    As in pip, a string is a path if it contains a separator, begins with a dot, or has the extension of an archive.

    Args:
        requirement: A PEP 508 string, a Requirement, a URL or a path.

    Returns:
        The requirement; None if its marker does not apply to this interpreter.

    Raises:
        RequirementError: It is invalid, or the path does not exist.
    """
    text = checked_text(requirement).strip()
    if isinstance(requirement, os.PathLike):
        return _path(text)
    if _is_url(text) and not re.match(_NAMED, text):
        bare, applies = _without_marker(text)
        return _bare_url(bare) if applies else None
    if _looks_like_a_path(text):
        bare, applies = _without_marker(text)
        return _path(bare) if applies else None
    return _named(text)


def parse_editable(requirement: RequirementLike) -> ParsedRequirement:
    """Parse an editable requirement.

    Args:
        requirement: A directory, its `file:` URL, or the URL of a repository with a name.

    Returns:
        The requirement.

    Raises:
        RequirementError: It is none of these.
    """
    text = text_of(requirement).strip()
    named = re.match(_NAMED, text)
    url = named[3] if named else text
    if re.match(_VCS, url):
        egg = f"#egg={named[1]}{named[2] or ''}" if named and "#egg=" not in url else ""
        name = re.search(r"[#&]egg=([A-Za-z0-9._-]+)", url + egg)
        if name is None:
            raise wrong(f"{text!r} has no name.", text, todo=f"For example: NAME @ {text}")
        joined = url if not egg else url.replace("#", egg + "&", 1) if "#" in url else url + egg
        return ParsedRequirement(joined, canonicalize_name(name[1]), url)
    if url.lower().startswith("file:"):
        path, extras = url, named[2] if named else ""
        return ParsedRequirement(path + (extras or ""), canonicalize_name(named[1]) if named else "", path)
    if _is_url(url) and not os.path.exists(url):
        raise wrong(f"{text!r} cannot be editable: only a directory or a repository can.", text)
    path, extras = split_extras(text)
    if path.lower().endswith((".whl", *_ARCHIVES)) and not os.path.isdir(os.path.expanduser(path)):
        raise wrong(f"{text!r} cannot be editable: only a directory or a repository can.", text)
    return ParsedRequirement(_project(path, text) + extras, "", "")


def split_extras(text: str) -> tuple[str, str]:
    """Split `./x[a,b]` into the path and the extras, which keep their brackets."""
    match = re.match(_EXTRAS, text) if "[" in text else None
    return (match[1], match[2]) if match else (text, "")


def _is_url(text: str) -> bool:
    return ":" in text and bool(re.match(_URL, text))


def _looks_like_a_path(text: str) -> bool:
    if " @ " in text:
        return False
    path, _ = split_extras(text.partition(";")[0].strip())
    separators = {os.sep, "/", os.altsep or "/"}
    return path.startswith((".", "~")) or path.lower().endswith((".whl", *_ARCHIVES)) or bool(separators & set(path))


def _without_marker(text: str) -> tuple[str, bool]:
    """The text without its marker, and whether the marker applies. In a URL a marker needs a space after `;`."""
    bare, semicolon, marker = text.rpartition("; " if _is_url(text) else ";")
    if not semicolon:
        return text, True
    from packaging.markers import InvalidMarker, Marker

    try:
        return bare.strip(), Marker(marker).evaluate({"extra": ""})
    except InvalidMarker as error:
        raise wrong(f"the marker of {text!r} is invalid: {str(error).splitlines()[0]}.", text) from None


def _bare_url(text: str) -> ParsedRequirement:
    if not re.match(_SCHEMES, text):
        raise wrong(f"{text!r} cannot be installed from.", text, todo=_INSTALLABLE)
    egg = re.search(r"[#&]egg=([A-Za-z0-9._-]+)", text)
    name = canonicalize_name(egg[1]) if egg else ""
    bare = text.partition("#")[0].rpartition("/")[2]
    if not name and bare.endswith(".whl"):
        try:
            name, _ = name_and_version(bare.replace("%2B", "+").replace("%2b", "+"))
        except InvalidWheelFilename as error:
            raise wrong(f"{bare} is not a wheel's name: {error}.", text) from None
    return ParsedRequirement(text, name, text, pinned=_has_hash(text))


def _path(text: str) -> ParsedRequirement:
    from pathlib import Path

    path, extras = split_extras(text)
    full = Path(path).expanduser().absolute()
    if full.is_dir():
        return ParsedRequirement(_project(path, text) + extras)
    lower = path.lower()
    if lower.endswith(".whl"):
        return _wheel(full, extras, text)
    if not lower.endswith(_ARCHIVES):
        todo = "Pass a directory with a pyproject.toml, or an archive."
        raise wrong(f"there is no project at {full}.", text, todo=todo)
    if not full.is_file():
        raise wrong(f"there is no archive at {full}.", text, todo=CHECK_PATH)
    return ParsedRequirement(f"{full}{extras}")


def _wheel(path: Path, extras: str, text: str) -> ParsedRequirement:
    if not path.is_file():
        raise wrong(f"there is no wheel at {path}.", text, todo=CHECK_PATH)
    try:
        name, _ = name_and_version(path.name)
    except InvalidWheelFilename as error:
        raise wrong(f"{path.name} is not a wheel's name: {error}.", text) from None
    return ParsedRequirement(f"{path}{extras}", name)


def _project(path: str, text: str) -> str:
    """The absolute path of a project directory; symbolic links are not resolved."""
    full = os.path.abspath(os.path.expanduser(path))
    if not os.path.isdir(full):
        todo = "Pass a directory with a pyproject.toml or a setup.py."
        raise wrong(f"there is no project at {full}.", text, todo=todo)
    if not any(os.path.isfile(os.path.join(full, name)) for name in _PROJECT):
        raise wrong(f"{full} is not a project: it has neither a pyproject.toml nor a setup.py.", text, todo=CHECK_PATH)
    return full


def _named(text: str) -> ParsedRequirement | None:
    try:
        requirement = parse_requirement_line(text)
    except InvalidRequirement:
        meant = _meant(text)
        todo = f'Did you mean "{meant}"?' if meant else _EXAMPLES
        raise wrong(f"{text!r} is not a requirement.", text, todo=todo) from None
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return None
    url = requirement.url or ""
    if url and not re.match(_SCHEMES, url):
        raise wrong(f"the URL of {text!r} cannot be installed from.", text, todo=_INSTALLABLE)
    return ParsedRequirement(text, canonicalize_name(requirement.name), url, pinned=_has_hash(url))


def _meant(text: str) -> str:
    """The requirement that `numpy=2`, `numpy 2` or `numpy >2 <3` probably is meant to be; empty if that is unclear."""
    match = re.fullmatch(
        r"([A-Za-z0-9][\w.-]*(?:\[[\w.,\s-]*\])?)\s*((?:(?:[<>=~!]{0,3})\s*v?\d[\w.*+!-]*[\s,]*)+)", text
    )
    specifiers = re.findall(r"([<>=~!]{0,3})\s*v?(\d[\w.*+!-]*)", match[2]) if match else ()
    spelled = {"": "==", "=": "==", "~": "~=", "!": "!=", "=>": ">=", "=<": "<="}
    meant = f"{match[1] if match else ''}{','.join(spelled.get(sign, sign) + version for sign, version in specifiers)}"
    try:
        parse_requirement_line(meant)
    except InvalidRequirement:
        return ""
    return meant if specifiers else ""


def _has_hash(url: str) -> bool:
    return "sha" in url and bool(re.search(r"[#&](?:sha256|sha384|sha512)=[0-9a-fA-F]+", url))
