"""A wheel for `installer`, as the policy has understood it, so that both understand the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, cast

from installer.sources import WheelFile

from liveinstall.staging.writer import when

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Container, Iterator

    from installer.sources import WheelContentElement

    from liveinstall.staging.policy import Checked
    from liveinstall.staging.unpacked import Tree


class Source(WheelFile):
    """A checked wheel: one spelling of its directories, one reading of WHEEL, and only what is to be written."""

    def __init__(self, archive: zipfile.ZipFile | Tree, checked: Checked, done: Container[str] = ()) -> None:
        """`done`: entries that are there already."""
        super().__init__(cast("zipfile.ZipFile", archive))
        self._checked = checked
        self._done = done

    @property
    def data_dir(self) -> str:
        """Its .data directory, which need not be spelled as the file name is."""
        return self._checked.data

    def read_dist_info(self, filename: str) -> str:
        """The text of a file of the dist-info."""
        if filename == "WHEEL":
            return f"Wheel-Version: 1.0\nRoot-Is-Purelib: {str(self._checked.purelib).lower()}\n"
        return super().read_dist_info(filename)

    def get_contents(self) -> Iterator[WheelContentElement]:
        """Yield what is to be written, sources first: not bytecode, and not what the policy leaves out.

        `installer` would read RECORD once more, and stumble over blank lines in it.
        """
        for info in sorted(self._zipfile.infolist(), key=lambda info: when(info.filename)):
            name = info.filename
            if not (info.is_dir() or name in self._done or self._checked.is_left_out(name)):
                with self._zipfile.open(info) as stream:
                    yield (name, "", ""), cast("BinaryIO", stream), bool(info.external_attr >> 16 & 0o111)
