"""The adapter of the `installer` package, which reads a checked wheel and writes its files, scripts and launchers.

It is imported only if a wheel has to be unpacked or launchers have to be made.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, cast

import installer
from installer.destinations import WheelDestination
from installer.exceptions import InstallerError
from installer.records import RecordEntry
from installer.scripts import InvalidScript, Script
from installer.sources import WheelFile
from installer.utils import Scheme, get_launcher_kind

from liveinstall._staging.launchers import launcher
from liveinstall._staging.policy import refused, unreadable
from liveinstall._staging.writer import write_order

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Container, Iterable, Iterator, Mapping
    from typing import BinaryIO

    from installer.scripts import ScriptSection
    from installer.sources import WheelContentElement

    from liveinstall._staging.policy import Checked
    from liveinstall._staging.unpacked_wheel import UnpackedWheel
    from liveinstall._staging.writer import Writer, Written


def install(archive: zipfile.ZipFile | UnpackedWheel, writer: Writer, metadata: Mapping[str, bytes]) -> None:
    """Write all files that are not linked yet, with the `installer` package.

    Args:
        archive: The wheel.
        writer: Writes into the part.
        metadata: Additional files of the `.dist-info` directory: name -> content.

    Raises:
        WheelRefusedError: A file does not match RECORD.
        OSError: A file cannot be written.
    """
    try:
        installer.install(
            CheckedWheelSource(archive, writer.checked, writer.linked), PartDestination(writer), dict(metadata)
        )
    except (InvalidScript, InstallerError) as error:
        raise refused(writer.file_name, writer.file_name, f"cannot be unpacked ({error})") from None


class PartDestination(WheelDestination):
    """Passes each file to a writer. The entries for `installer` have no hash: the writer has the RECORD rows."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self._written: list[Written] = []
        signed = {f"{writer.checked.dist_info}/{name}" for name in ("RECORD.jws", "RECORD.p7s")}
        self._unlisted = writer.added | signed

    def write_file(
        self, scheme: Scheme, path: str | os.PathLike[str], stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:
        """Write one file of the wheel, or of the additional metadata.

        Args:
            scheme: Its scheme: purelib, platlib, scripts, headers or data.
            path: Its path relative to the scheme's directory.
            stream: Its content.
            is_executable: Whether the wheel marks it as executable.

        Returns:
            An entry that `installer` only passes on.

        Raises:
            WheelRefusedError: The file is damaged, or not in RECORD.
        """
        path, writer, record = os.fspath(path), self.writer, self.writer.checked.record
        source = path if scheme == writer.root and path in record else f"{writer.checked.data}/{scheme}/{path}"
        expected = None if path in writer.added else record.get(source)
        if expected is None and path not in self._unlisted:  # the policy has checked this; checking again costs nothing
            raise refused(writer.file_name, source, "is not in RECORD")
        try:
            if scheme == "scripts":
                written = writer.write_script(path, stream, source, expected)
            else:
                written = writer.write(scheme, path, stream, executable=is_executable, source=source, expected=expected)
        except unreadable() as error:
            raise refused(writer.file_name, source, f"cannot be unpacked ({error})") from None
        return self._add(path, written)

    def write_script(self, name: str, module: str, attr: str, section: ScriptSection) -> RecordEntry:
        """Write the launcher of an entry point, unless launchers are disabled.

        Args:
            name: The name of the command.
            module: The module to import.
            attr: The function in the module.
            section: "console" or "gui".

        Returns:
            An entry that `installer` only passes on.
        """
        if not self.writer.launchers:
            return RecordEntry("", None, None)
        entries = []
        for each in (name, *self._aliases(name)):
            if os.name == "nt":
                file_name, data = Script(each, module, attr, section).generate(self.writer.python, get_launcher_kind())
            else:  # the same as for linked wheels
                file_name, data = each, launcher(self.writer.python, f"{module}:{attr}")
            written = self.writer.write("scripts", file_name, io.BytesIO(data), executable=True)
            entries.append(self._add(file_name, written))
        return entries[0]

    def _aliases(self, name: str) -> tuple[str, ...]:
        """For pip, also pipX.Y: it is not among the entry points of pip's wheel, but every installer writes it."""
        alias = f"pip{sys.version_info[0]}.{sys.version_info[1]}"
        checked = self.writer.checked
        return (alias,) if checked.name == name == "pip" and alias not in dict(checked.commands) else ()

    def _add(self, path: str, written: Written) -> RecordEntry:
        self._written.append(written)
        return RecordEntry(path, None, None)

    def finalize_installation(
        self,
        scheme: Scheme,  # noqa: ARG002
        record_file_path: str,
        records: Iterable[tuple[Scheme, RecordEntry]],  # noqa: ARG002
    ) -> None:
        """Write RECORD.

        Args:
            scheme: Not used: the scheme of the wheel's root.
            record_file_path: The path of RECORD, relative to the root.
            records: Not used: the writer has all rows.
        """
        self.writer.record(record_file_path, [*self._written, (record_file_path, "", "")])


class CheckedWheelSource(WheelFile):
    """A checked wheel as a source for `installer`, restricted to the files that have to be written."""

    def __init__(self, archive: zipfile.ZipFile | UnpackedWheel, checked: Checked, done: Container[str] = ()) -> None:
        """Open a checked wheel.

        Args:
            archive: The wheel.
            checked: The result of its check.
            done: The entries that are written already.
        """
        super().__init__(cast("zipfile.ZipFile", archive))
        self._checked = checked
        self._done = done

    @property
    def data_dir(self) -> str:
        """Its `.data` directory; its spelling may differ from the file name's."""
        return self._checked.data

    def read_dist_info(self, filename: str) -> str:
        """Return the text of a file of the `.dist-info` directory."""
        if filename == "WHEEL":
            return f"Wheel-Version: 1.0\nRoot-Is-Purelib: {str(self._checked.purelib).lower()}\n"
        return super().read_dist_info(filename)

    def get_contents(self) -> Iterator[WheelContentElement]:
        """Yield the files to write, sources first, without bytecode and without files that the policy omits.

        The method of `installer` would read RECORD again, and fail at blank lines in it.
        """
        for info in sorted(self._zipfile.infolist(), key=lambda info: write_order(info.filename)):
            name = info.filename
            if not (info.is_dir() or name in self._done or self._checked.is_left_out(name)):
                with self._zipfile.open(info) as stream:
                    yield (name, "", ""), cast("BinaryIO", stream), bool(info.external_attr >> 16 & 0o111)
