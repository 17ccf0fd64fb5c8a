"""The published wheel: the two packages, the extensions of Jupyter, and its metadata."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from integration.lib.environments import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_wheel_has_exactly_the_sources_and_its_metadata(wheel: Path) -> None:
    sources = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src").rglob("*")
        if path.suffix in (".py", ".pyi", ".js", ".css") or path.name == "py.typed"
    }
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = f"{wheel.name.rsplit('-', 3)[0]}.dist-info"
    data = f"{info.removesuffix('.dist-info')}.data/data"
    lab = ROOT / "jupyter" / "labextension"
    shared = {
        f"{data}/etc/jupyter/jupyter_server_config.d/liveinstall.json",
        *(
            f"{data}/share/jupyter/labextensions/liveinstall/{path.relative_to(lab)}"
            for path in lab.rglob("*")
            if path.is_file()
        ),
    }
    assert {name for name in names if not name.startswith(info)} == {*sources, *shared}
    about = ("METADATA", "WHEEL", "RECORD", "licenses/LICENSE", "entry_points.txt")
    assert {f"{info}/{name}" for name in about} == names - {*sources, *shared}
