"""The prebuilt extension of JupyterLab: the files in the wheel, and that they match."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import liveinstall

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "jupyter" / "labextension"


def test_the_wheel_puts_it_where_jupyterlab_looks():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared["jupyter/labextension"] == "share/jupyter/labextensions/liveinstall"


def test_its_version_is_that_of_the_package_and_no_browser_keeps_files_of_another_one():
    about = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
    assert (about["name"], about["version"]) == ("liveinstall", liveinstall.__version__)
    build = about["jupyterlab"]["_build"]
    assert build == {"load": f"static/remoteEntry.js?v={liveinstall.__version__}", "extension": "./extension"}
    assert json.loads((FOLDER / "install.json").read_text(encoding="utf-8"))["packageName"] == "liveinstall"


def test_the_container_loads_each_of_the_other_files():
    static = FOLDER / "static"
    text = (static / "remoteEntry.js").read_text(encoding="utf-8")
    assert set(re.findall(r"ours\('(.*?)'\)", text)) == {path.name for path in static.iterdir()} - {"remoteEntry.js"}


def test_text_of_the_server_is_never_set_as_html():
    for path in (FOLDER / "static").glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search("innerHTML|outerHTML|insertAdjacentHTML|document.write|eval\\(", text), path.name


def test_its_files_are_short():
    for path in FOLDER.rglob("*.*"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) < 400 and max(map(len, lines)) <= 120, path.name
