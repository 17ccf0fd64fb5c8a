"""Writing a wheel's files into a part: linked or copied, hashed meanwhile, and compared with the wheel's RECORD."""

from __future__ import annotations

import io
import os
from contextlib import nullcontext

from _liveinstall_boot.codec import stem
from liveinstall._staging.file_copy import CHUNK, LARGE, Rejoined, copy, finish
from liveinstall._staging.launchers import first_lines, launcher
from liveinstall._staging.policy import NOT_ITS_OWN, refused
from liveinstall._staging.unpacked_wheel import link_listed, linked
from liveinstall._system import lean_hash
from liveinstall._system.dist_info import encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    import hashlib
    import zipfile
    from collections.abc import Iterable, Mapping
    from typing import BinaryIO, NoReturn

    from liveinstall._model import Candidate
    from liveinstall._staging.bytecode import BytecodeCompiler
    from liveinstall._staging.policy import Checked
    from liveinstall._staging.unpacked_wheel import UnpackedWheel
    from liveinstall.results import Target

    Expected = tuple[str, str, int | None] | None  # a row of the wheel's RECORD
    Written = tuple[str, str, str]  # path, hash and size, as in RECORD

_MAX_SCRIPT = 2**24  # bytes of a script in which the first line is rewritten


class Writer:
    """Writes a wheel's files into a directory.

    Attributes:
        path: The directory, absolute.
        checked: The result of the wheel's check.
        candidate: The chosen distribution.
        file_name: The wheel's file name, for errors.
        compiler: Compiles the written sources.
        home: The final site directory, absolute.
        root: The scheme of `home`: purelib or platlib.
        python: The interpreter for scripts and launchers.
        places: Scheme -> final directory, absolute.
        rows: The manifest's rows of the written files.
        targets: The final paths of the written files, absolute.
        linked: Name in the wheel -> line in RECORD, for the linked files.
        added: The paths of the additional metadata, relative to the part.
    """

    launchers = True  # whether launchers are made, and the first line of scripts is rewritten for the interpreter

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
        self.linked: dict[str, str] = {}
        self.added = {f"{checked.dist_info}/{name}" for name in NOT_ITS_OWN}
        self._data = stem(candidate.name, candidate.version) + ".data"  # the spelling in the transaction
        self._directories: set[str] = set()
        self._written: set[str] = set()  # final paths

    def link(self, tree: UnpackedWheel) -> None:
        """Link all files that can be linked. This is twice as fast as with `installer`."""
        checked = self.checked
        paths = sorted((path for path in checked.record if not checked.is_left_out(path)), key=write_order)
        self._link(tree, self.root, "", [path for path in paths if not path.startswith(checked.data + "/")])
        start = f"{checked.data}/data/"
        self._link(tree, "data", start, [path for path in paths if path.startswith(start)])

    def _link(self, tree: UnpackedWheel, scheme: str, start: str, paths: Iterable[str]) -> None:
        """Link the files of a scheme. In the wheel their paths begin with `start`."""
        checked, inner, prefix = self.checked, self._inner(scheme, ""), self.prefix(scheme)
        listed = {path[len(start) :]: checked.record[path] for path in paths}

        def refuse(path: str, why: str) -> NoReturn:
            raise refused(self.file_name, path, why)

        for path, mode, size, sha256 in link_listed(tree, start, listed, os.path.join(self.path, inner), refuse):
            source = start + path
            self.targets.append(self._target(scheme, path, source) if start else f"{self.home}/{path}")
            self.rows.append((mode, size, sha256.hex(), inner + path))
            self.linked[source] = _line((prefix + path, f"sha256={listed[path][1]}", str(size)))
            if path.endswith(".py"):
                self.compiler.announce(checked.name, self.path, self.home, inner + path)
        self._written.update(self.targets)

    def is_complete(self, archive: zipfile.ZipFile | UnpackedWheel) -> bool:
        """Return whether all files are linked, or `complete()` can write them: not for pip, or on Windows."""
        if os.name == "nt" or (self.launchers and self.checked.commands and self.checked.name == "pip"):
            return False
        scripts = f"{self.checked.data}/scripts/"
        names = (info.filename for info in archive.infolist() if not info.is_dir())
        return all(name in self.linked or self.checked.is_left_out(name) or name.startswith(scripts) for name in names)

    def complete(self, archive: UnpackedWheel, metadata: Mapping[str, bytes]) -> None:
        """Write scripts, launchers, additional files of the `.dist-info` directory, and RECORD.

        Args:
            archive: The wheel.
            metadata: Name -> content.
        """
        info, scripts, written = self.checked.dist_info, f"{self.checked.data}/scripts/", []
        for entry in archive.infolist():
            name = entry.filename
            if name.startswith(scripts) and not entry.is_dir() and not self.checked.is_left_out(name):
                with archive.open(entry) as stream:
                    expected = self.checked.record[name]
                    written.append(self.write_script(name.removeprefix(scripts), stream, name, expected))
        written += [
            self.write(self.root, f"{info}/{name}", io.BytesIO(content), executable=False)
            for name, content in metadata.items()
        ]
        if self.launchers:
            written += [
                self.write("scripts", name, io.BytesIO(launcher(self.python, target)), executable=True)
                for name, target in self.checked.commands
            ]
        record = f"{info}/RECORD"
        self.record(record, [*written, (record, "", "")])

    def record(self, path: str, rows: Iterable[Written]) -> None:
        """Write RECORD for the final location, with the rows of the linked and of the written files.

        Args:
            path: The path of RECORD, relative to the part.
            rows: The rows of the written files.
        """
        text = "".join(self.linked.values()) + "".join(map(_line, rows))
        self.write(self.root, path, io.BytesIO(text.encode()), executable=False)

    def prefix(self, scheme: str) -> str:
        """Return the prefix of a scheme's paths in RECORD."""
        if self.places[scheme] == self.home:
            return ""
        directory = self.places[scheme]
        if scheme == "headers":
            directory = os.path.join(directory, self.checked.name)
        return os.path.relpath(directory, self.home).replace(os.sep, "/") + "/"

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
        """Write one file.

        Args:
            scheme: Its scheme: purelib, platlib, scripts, headers or data.
            path: Its path in the scheme, with slashes.
            stream: Its content.
            executable: Whether it becomes executable.
            source: Its name in the wheel; empty for generated files.
            expected: Its row in the wheel's RECORD; None for generated files.

        Returns:
            Its row in the new RECORD.

        Raises:
            WheelRefusedError: The content does not match its row, or another entry has the same path.
        """
        inner, target = self._inner(scheme, path), self._target(scheme, path, source)
        full = os.path.join(self.path, *inner.split("/"))
        directory = os.path.dirname(full)
        if directory not in self._directories:
            os.makedirs(directory, exist_ok=True)
            self._directories.add(directory)
        sha256, other = _hashes(expected)
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

    def write_script(self, path: str, stream: BinaryIO, source: str, expected: Expected) -> Written:
        """Write a script of the wheel. If its first line is `#!python`, that becomes the interpreter.

        Args:
            path: Its name.
            stream: Its content.
            source: Its name in the wheel.
            expected: Its row in the wheel's RECORD.

        Returns:
            Its row in the new RECORD.

        Raises:
            WheelRefusedError: The content does not match its row, or another entry has the same path.
        """
        head = stream.read(CHUNK) if self.launchers else b""
        if head.startswith(b"#!python"):
            content = head + stream.read(_MAX_SCRIPT)
            if len(content) > _MAX_SCRIPT:
                raise refused(self.file_name, source, "is far too large for a Python script")
            sha256, other = _hashes(expected)
            size = copy(io.BytesIO(content), None, [other or sha256], large=False)
            self.compare(source, expected, size, (other or sha256).digest())
            stream, expected = io.BytesIO(first_lines(self.python) + content.partition(b"\n")[2]), None
        elif head:
            stream = Rejoined(head, stream)  # type: ignore[assignment]
        return self.write("scripts", path, stream, executable=True, source=source, expected=expected)

    def _inner(self, scheme: str, path: str) -> str:
        """The path of a file in the part."""
        if self.places[scheme] == self.home:
            return path
        return f"{self._data}/{scheme}/{self.checked.name + '/' if scheme == 'headers' else ''}{path}"

    def _target(self, scheme: str, path: str, source: str) -> str:
        """The final path of a file. Two entries with the same final path are refused."""
        target = os.path.normpath(os.path.join(self.home, self.prefix(scheme), path))
        if target in self._written:
            raise refused(self.file_name, source or path, "would be written twice")
        self._written.add(target)
        return target

    def compare(self, source: str, expected: Expected, size: int, digest: bytes) -> None:
        """Compare a file with its row in the wheel's RECORD.

        Args:
            source: Its name in the wheel.
            expected: Its row; None if there is none.
            size: Its size in bytes.
            digest: Its hash, by the algorithm of the row.

        Raises:
            WheelRefusedError: They differ.
        """
        if expected and expected[1] and (expected[2] not in (None, size) or expected[1] != encoded(digest)):
            raise refused(self.file_name, source, "does not match its RECORD")


def _hashes(expected: Expected) -> tuple[hashlib._Hash, hashlib._Hash | None]:
    """The SHA-256 for a file, and the hash of its row in the wheel's RECORD if that is another one."""
    if not expected:
        return lean_hash.sha256(), None  # a small generated file
    import hashlib  # loads OpenSSL

    return hashlib.sha256(), hashlib.new(expected[0]) if expected[0] not in ("sha256", "") else None


def write_order(path: str) -> tuple[bool, int]:
    """Return the sort key for writing: sources first, top-level ones before others, as they are compiled meanwhile.

    Args:
        path: The path of a file, with slashes.
    """
    return not path.endswith(".py"), path.count("/")


def _line(row: Written) -> str:
    path, hashed, size = row
    if "," in path or '"' in path:
        doubled = path.replace('"', '""')
        path = f'"{doubled}"'
    return f"{path},{hashed},{size}\n"
