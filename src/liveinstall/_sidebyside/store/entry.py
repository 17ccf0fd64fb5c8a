"""Unpack a wheel into an entry of a store: checked and written as a part is, but entirely in one directory."""

from __future__ import annotations

import hashlib
import os
import re
from email.parser import HeaderParser

from packaging.tags import parse_tag
from packaging.version import Version

from _liveinstall_boot.codec import StaleError, read, record_rows, stem
from _liveinstall_boot.file_access import open_regular
from _liveinstall_boot.files import remove_tree
from liveinstall._sidebyside import layout
from liveinstall._staging.part import fill, reading
from liveinstall._staging.policy import NOT_ITS_OWN, refused
from liveinstall._staging.unpacked_wheel import UnpackedWheel
from liveinstall._staging.writer import Writer
from liveinstall._system.dist_info import encoded
from liveinstall._system.interpreter import executable
from liveinstall.errors import StoreError
from liveinstall.results import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    import zipfile
    from collections.abc import Collection

    from packaging.tags import Tag

    from liveinstall._model import Candidate
    from liveinstall._staging.bytecode import BytecodeCompiler
    from liveinstall._staging.policy import Checked

_TAG, _BUILD = re.compile(r"[A-Za-z0-9_.]+(-[A-Za-z0-9_.]+){2}"), re.compile(r"([0-9][A-Za-z0-9_.]*)?")
_WHEEL_PARTS = 6  # components of a wheel's name with a build number


def entry_name(archive: zipfile.ZipFile | UnpackedWheel, checked: Checked) -> str:
    """Return the name of a wheel's entry, which is the same for the wheel and for its unpacked content.

    Args:
        archive: The open wheel.
        checked: The result of checking it.

    Returns:
        `name-version-[build-]python-abi-platform`.

    Raises:
        WheelRefusedError: The wheel has no valid tag.
    """
    file_name = os.path.basename(archive.filename or "")
    if isinstance(archive, UnpackedWheel):  # the file name of the wheel is no longer known
        about = HeaderParser().parsestr(archive.read(f"{checked.dist_info}/WHEEL").decode("utf-8", "replace"))
        tags = frozenset(tag for line in about.get_all("Tag", ()) for tag in parse_tag(line.strip()))
        build = about.get("Build", "").strip()
    else:
        parts = file_name.removesuffix(".whl").split("-")
        tags = parse_tag("-".join(parts[-3:]))
        build = parts[2] if len(parts) == _WHEEL_PARTS else ""
    version, joined = str(Version(checked.version)), _joined(tags)
    if not _TAG.fullmatch(joined) or not _BUILD.fullmatch(build):
        raise refused(file_name, f"{checked.dist_info}/WHEEL", "has no valid tag")
    return "-".join(filter(None, (checked.name.replace("-", "_"), version, build, joined)))


def _joined(tags: Collection[Tag]) -> str:
    """The compressed form of a set of tags, sorted, so that it is unique."""
    if not tags:
        return ""
    columns = zip(*((tag.interpreter, tag.abi, tag.platform) for tag in tags), strict=True)
    return "-".join(".".join(sorted(set(column))) for column in columns)


def find(candidate: Candidate, store: str) -> str:
    """Find the entry of a candidate's wheel.

    Args:
        candidate: The distribution, with its wheel.
        store: The path of the store.

    Returns:
        The name of the entry; empty if there is none.

    Raises:
        StoreError: The entry exists with different content.
        WheelRefusedError: The wheel is damaged or hostile.
        StagingError: The wheel cannot be read.
    """
    with reading(candidate, store) as (archive, checked):
        name = entry_name(archive, checked)
        return name if _is_stored(name, store, checked) else ""


def unpack(candidate: Candidate, store: str, compiler: BytecodeCompiler, kept: Collection[str] | None = None) -> str:
    """Write a candidate's wheel into a draft in the store, unless the store already has its entry.

    Args:
        candidate: The distribution, with its wheel.
        store: The path of the store.
        compiler: Compiles the modules.
        kept: The real paths of the entries that are not replaced, because they are in use; all others are written
            again. None: no existing entry is replaced.

    Returns:
        The name of the entry.

    Raises:
        StoreError: The entry exists with different content. After each error there is no draft.
        WheelRefusedError: The wheel is damaged or hostile.
        StagingError: The draft cannot be written.
    """
    with reading(candidate, store) as (archive, checked):
        name = entry_name(archive, checked)
        is_new = kept is not None and os.path.realpath(os.path.join(store, name)) not in kept
        if not is_new and _is_stored(name, store, checked):
            return name
        draft = os.path.join(store, layout.DRAFT + name)
        target = _target(os.path.join(store, name), candidate)
        file_name = os.path.basename(archive.filename or "")
        try:
            os.mkdir(draft)
        except FileExistsError:  # the same wheel twice in a request
            return name
        try:
            fill(archive, _Entry(draft, checked, candidate, file_name, target, compiler))
        except BaseException:
            compiler.cancel()  # else it would write into the removed directory
            remove_tree(draft)
            raise
        return name


def _target(final: str, candidate: Candidate) -> Target:
    """The entry described as an environment to install into."""
    data = os.path.join(final, stem(candidate.name, candidate.version) + ".data")
    schemes = {scheme: os.path.join(data, scheme) for scheme in ("scripts", "headers", "data")}
    return Target(python=executable(), kind="store", site=final, platlib=final, **schemes)


def _is_stored(name: str, store: str, checked: Checked) -> bool:
    path = os.path.join(store, name)
    if not os.path.isdir(path):
        return False
    if not _is_same(os.path.join(path, checked.dist_info), checked):
        raise StoreError(
            f"{store} already has {name} with different content.",
            todo="Remove that entry first, or give this wheel another version.",
            store=store,
        )
    return True


def _is_same(info: str, checked: Checked) -> bool:
    """Whether the entry with the metadata directory `info` has the content of this wheel, by the hashes in RECORD."""
    try:
        stored = {path: hashed.partition("=")[2] for path, hashed, _ in record_rows(read(os.path.join(info, "RECORD")))}
    except (OSError, StaleError):
        return False
    own = {f"{checked.dist_info}/{name}" for name in (*NOT_ITS_OWN, "RECORD", "RECORD.jws", "RECORD.p7s")}
    expected = set()
    for path, (algorithm, digest, _) in checked.record.items():
        inner = path.removeprefix(f"{checked.data}/purelib/").removeprefix(f"{checked.data}/platlib/")
        if path in own or checked.is_left_out(path) or path.startswith(f"{checked.data}/headers/"):
            continue
        moved = _moved(inner, checked)
        expected.add(moved)
        is_known = algorithm == "sha256"
        if (stored.get(moved) if is_known else _hash(os.path.join(info, "..", moved), algorithm)) != digest:
            return False
    return {path for path in stored if path not in own and ".data/headers/" not in path} == expected


def _hash(path: str, algorithm: str) -> str:
    """The hash of a file, encoded as in RECORD; empty if the file cannot be read."""
    try:
        with open(path, "rb", opener=open_regular) as stream:
            digest = hashlib.file_digest(stream, algorithm).digest()
    except OSError:
        return ""
    return encoded(digest)


def _moved(path: str, checked: Checked) -> str:
    """The path of a file of the wheel in its entry, relative to the entry."""
    rest = path.removeprefix(checked.data + "/")
    return path if rest == path else f"{stem(checked.name, checked.version)}.data/{rest}"


class _Entry(Writer):
    """Writes no launchers, and no interpreter into the first lines of scripts; all files stay in the entry."""

    launchers = False
