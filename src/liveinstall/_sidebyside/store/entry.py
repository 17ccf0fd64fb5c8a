"""A wheel becomes an entry of a store: checked and written as a part is, but all of it stays in one directory."""

from __future__ import annotations

import hashlib
import os
import re
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from packaging.tags import parse_tag
from packaging.version import Version

from _liveinstall_boot.codec import read, record_rows, stem
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

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Collection

    from packaging.tags import Tag

    from liveinstall._model import Candidate
    from liveinstall._staging.bytecode import BytecodeCompiler
    from liveinstall._staging.policy import Checked

_TAG, _BUILD = re.compile(r"[A-Za-z0-9_.]+(-[A-Za-z0-9_.]+){2}"), re.compile(r"([0-9][A-Za-z0-9_.]*)?")
_WHEEL_PARTS = 6  # of a wheel's name, with a build number


def entry_name(archive: zipfile.ZipFile | UnpackedWheel, checked: Checked) -> str:
    """`name-version-[build-]python-abi-platform`, spelt alike for a wheel and for the same wheel unpacked."""
    file_name = os.path.basename(archive.filename or "")
    if isinstance(archive, UnpackedWheel):  # its file name is not known any more
        about = HeaderParser().parsestr(archive.read(f"{checked.dist_info}/WHEEL").decode("utf-8", "replace"))
        tags = frozenset(tag for line in about.get_all("Tag", ()) for tag in parse_tag(line.strip()))
        build = about.get("Build", "").strip()
    else:
        parts = file_name.removesuffix(".whl").split("-")
        tags = parse_tag("-".join(parts[-3:]))
        build = parts[2] if len(parts) == _WHEEL_PARTS else ""
    version, joined = str(Version(checked.version)), _joined(tags)
    if not _TAG.fullmatch(joined) or not _BUILD.fullmatch(build):
        raise refused(file_name, f"{checked.dist_info}/WHEEL", "has no tag that can be understood")
    return "-".join(filter(None, (checked.name.replace("-", "_"), version, build, joined)))


def _joined(tags: Collection[Tag]) -> str:
    """A set of tags in its compressed form, sorted, so that there is one spelling."""
    if not tags:
        return ""
    columns = zip(*((tag.interpreter, tag.abi, tag.platform) for tag in tags), strict=True)
    return "-".join(".".join(sorted(set(column))) for column in columns)


def find(candidate: Candidate, store: str) -> str:
    """The entry that the store has of a candidate; empty if it has none.

    Raises: StoreError where it has one of that name with other content; WheelRefusedError, StagingError.
    """
    with reading(candidate) as (archive, checked):
        name = entry_name(archive, checked)
        return name if _is_there(name, store, checked) else ""


def unpack(candidate: Candidate, store: str, compiler: BytecodeCompiler, kept: Collection[str] | None = None) -> str:
    """Write a candidate's wheel into a draft in the store, unless it has it; the entry's name.

    `kept`: real paths of entries; all others are written anew. None: none is.
    Leaves nothing behind when it raises what `find()` raises.
    """
    with reading(candidate) as (archive, checked):
        name = entry_name(archive, checked)
        is_new = kept is not None and os.path.realpath(os.path.join(store, name)) not in kept
        if not is_new and _is_there(name, store, checked):
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
            compiler.cancel()  # or it would write into what is removed
            remove_tree(draft)
            raise
        return name


def _target(final: str, candidate: Candidate) -> Target:
    """The entry itself as an environment."""
    data = os.path.join(final, stem(candidate.name, candidate.version) + ".data")
    places = {scheme: os.path.join(data, scheme) for scheme in ("scripts", "headers", "data")}
    return Target(python=executable(), kind="store", site=final, platlib=final, **places)


def _is_there(name: str, store: str, checked: Checked) -> bool:
    path = os.path.join(store, name)
    if not os.path.isdir(path):
        return False
    if not _is_same(os.path.join(path, checked.dist_info), checked):
        raise StoreError(
            f"{store} has {name} already, with other content.",
            todo="Remove that one first, or give this one a version of its own.",
            store=store,
        )
    return True


def _is_same(info: str, checked: Checked) -> bool:
    """Whether the entry with the metadata directory `info` was made of this wheel, by the hashes in RECORD."""
    try:
        there = {path: hashed.partition("=")[2] for path, hashed, _ in record_rows(read(os.path.join(info, "RECORD")))}
    except OSError:
        return False
    own = {f"{checked.dist_info}/{name}" for name in (*NOT_ITS_OWN, "RECORD", "RECORD.jws", "RECORD.p7s")}
    wanted = set()
    for path, (algorithm, digest, _) in checked.record.items():
        inner = path.removeprefix(f"{checked.data}/purelib/").removeprefix(f"{checked.data}/platlib/")
        if path in own or checked.is_left_out(path) or path.startswith(f"{checked.data}/headers/"):
            continue
        moved = _moved(inner, checked)
        wanted.add(moved)
        if (there.get(moved) if algorithm == "sha256" else _hash(os.path.join(info, "..", moved), algorithm)) != digest:
            return False
    return {path for path in there if path not in own and ".data/headers/" not in path} == wanted


def _hash(path: str, algorithm: str) -> str:
    """A file's hash as RECORD has it; empty if it is gone."""
    try:
        with open(path, "rb") as stream:
            digest = hashlib.file_digest(stream, algorithm).digest()
    except OSError:
        return ""
    return encoded(digest)


def _moved(path: str, checked: Checked) -> str:
    """Where a file of the wheel lies in its entry."""
    rest = path.removeprefix(checked.data + "/")
    return path if rest == path else f"{stem(checked.name, checked.version)}.data/{rest}"


class _Entry(Writer):
    """A part of which nothing goes elsewhere: no launchers, no first lines of scripts that name an interpreter."""

    launchers = False
