"""Files go into a part: linked or copied, hashed on the way, compared with the wheel's own RECORD."""

from __future__ import annotations

import hashlib
import io
import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from _liveinstall_boot.codec import stem
from liveinstall._staging.file_copy import LARGE, copy, finish
from liveinstall._staging.policy import NOT_ITS_OWN, refused
from liveinstall._staging.unpacked_wheel import link_listed, linked
from liveinstall._system.dist_info import encoded

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterable, Mapping

    from liveinstall._model import Candidate
    from liveinstall._staging.bytecode import BytecodeCompiler
    from liveinstall._staging.policy import Checked
    from liveinstall._staging.unpacked_wheel import UnpackedWheel
    from liveinstall.results import Target

    Expected = tuple[str, str, int | None] | None  # a row of the wheel's RECORD
    Written = tuple[str, str, str]  # path, hash and size, as RECORD has them


class Writer:
    """Writes a wheel's files into a directory, `path`, whose final place is `target`.

    `rows` and `targets`: what a manifest tells of each file, and where each will be.
    """

    launchers = True  # whether there are any, and the first line of a script names the interpreter

    def __init__(
        self,
        path: str,
        checked: Checked,
        candidate: Candidate,
        file_name: str,
        target: Target,
        compiler: BytecodeCompiler,
    ) -> None:
        self.path = path
        self.checked = checked
        self.candidate = candidate
        self.file_name = file_name
        self.compiler = compiler
        self.home = target.home(purelib=checked.purelib)
        self.root = "purelib" if checked.purelib else "platlib"
        self.python = target.python
        self.places = {
            "purelib": target.site,
            "platlib": target.platlib,
            "scripts": target.scripts,
            "data": target.data,
            "headers": target.headers,
        }
        self.rows: list[tuple[int, int, str, str]] = []
        self.targets: list[str] = []
        self.linked: dict[str, str] = {}  # path -> its line in RECORD
        self.added = {f"{checked.dist_info}/{name}" for name in NOT_ITS_OWN}
        self._data = stem(candidate.name, candidate.version) + ".data"  # as the transaction spells them
        self._directories: set[str] = set()
        self._seen: set[str] = set()

    def link(self, tree: UnpackedWheel) -> None:
        """Link what goes to the root and can be linked, at once: through `installer` it takes twice as long."""
        checked, home = self.checked, self.home + os.sep
        listed = {
            path: row
            for path, row in sorted(checked.record.items(), key=lambda item: write_order(item[0]))
            if not path.startswith(checked.data + "/") and not checked.is_left_out(path)
        }

        def refuse(path: str, why: str) -> NoReturn:
            raise refused(self.file_name, path, why)

        for found in link_listed(tree, listed, self.path, refuse):
            path = found.path
            target = home + path.replace("/", os.sep)
            self._seen.add(target)
            self.targets.append(target)
            self.rows.append((found.mode, found.size, found.sha256.hex(), path))
            self.linked[path] = _line((path, f"sha256={listed[path][1]}", str(found.size)))
            self.compiler.announce(checked.name, self.path, self.home, path)

    def is_complete(self, archive: zipfile.ZipFile | UnpackedWheel) -> bool:
        """Whether all is linked that is to be written, and nothing is to be made."""
        if self.launchers and self.checked.commands:
            return False
        names = (info.filename for info in archive.infolist() if not info.is_dir())
        return all(name in self.linked or self.checked.is_left_out(name) for name in names)

    def complete(self, metadata: Mapping[str, bytes]) -> None:
        """Add files to the metadata, and RECORD."""
        info = self.checked.dist_info
        written = [
            self.write(self.root, f"{info}/{name}", io.BytesIO(content), executable=False)
            for name, content in metadata.items()
        ]
        record = f"{info}/RECORD"
        self.record(record, [*written, (record, "", "")])

    def record(self, path: str, rows: Iterable[Written]) -> None:
        """Write RECORD as it will be right at the final place: of what is linked, and these rows."""
        text = "".join(self.linked.values()) + "".join(map(_line, rows))
        self.write(self.root, path, io.BytesIO(text.encode()), executable=False)

    def prefix(self, scheme: str) -> str:
        """What comes before a path of a scheme in RECORD."""
        if self.places[scheme] == self.home:
            return ""
        place = self.places[scheme]
        if scheme == "headers":
            place = os.path.join(place, self.checked.name)
        return os.path.relpath(place, self.home).replace(os.sep, "/") + "/"

    def write(
        self,
        scheme: str,
        path: str,
        stream: BinaryIO,
        *,
        executable: bool,
        source: str = "",
        expected: Expected = None,
    ) -> Written:
        """Write one file; `source` is its name in the wheel."""
        inner, target = self._inner(scheme, path), self._target(scheme, path, source)
        full = os.path.join(self.path, *inner.split("/"))
        directory = os.path.dirname(full)
        if directory not in self._directories:
            os.makedirs(directory, exist_ok=True)
            self._directories.add(directory)
        sha256 = hashlib.sha256()
        other = hashlib.new(expected[0]) if expected and expected[0] not in ("sha256", "") else None
        hashes = [sha256, other] if other else [sha256]
        mode = linked(stream, full, executable=executable) if self.candidate.shared else None
        with nullcontext() if mode is not None else open(full, "xb", buffering=0) as out:
            size = copy(stream, out, hashes, large=bool(expected and (expected[2] or 0) > LARGE))
            if out:
                mode = finish(out, executable=executable)
        if expected:
            self.compare(source, expected, size, (other or sha256).digest())
        self.compiler.announce(self.checked.name, self.path, self.home, inner)
        assert mode is not None
        self.rows.append((mode, size, sha256.hexdigest(), inner))
        self.targets.append(target)
        return self.prefix(scheme) + path, f"sha256={encoded(sha256.digest())}", str(size)

    def _inner(self, scheme: str, path: str) -> str:
        """Where a file lies in the part."""
        if self.places[scheme] == self.home:
            return path
        return f"{self._data}/{scheme}/{self.checked.name + '/' if scheme == 'headers' else ''}{path}"

    def _target(self, scheme: str, path: str, source: str) -> str:
        """Where a file will be. Two entries may get there by two ways, of which the last would win."""
        target = os.path.normpath(os.path.join(self.home, self.prefix(scheme), path))
        if target in self._seen:
            raise refused(self.file_name, source or path, "would be written twice")
        self._seen.add(target)
        return target

    def compare(self, source: str, expected: Expected, size: int, digest: bytes) -> None:
        """Raise WheelRefusedError unless a file is what its row in the wheel's RECORD says."""
        if expected and expected[1] and (expected[2] not in (None, size) or expected[1] != encoded(digest)):
            raise refused(self.file_name, source, "is not what its RECORD says")


def write_order(path: str) -> tuple[bool, int]:
    """In which order to write: sources first, from the top, because they are compiled beside all that follows."""
    return not path.endswith(".py"), path.count("/")


def _line(row: Written) -> str:
    path, *rest = row
    if "," not in path and '"' not in path:
        return ",".join([path, *rest]) + "\n"
    doubled = path.replace('"', '""')
    return ",".join([f'"{doubled}"', *rest]) + "\n"
