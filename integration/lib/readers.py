"""The setup of a reader of the documentation: an index with the packages of the pages, and a directory of files."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from integration.lib.wheels import write_wheel

INSTALLED = ("numpy-1.26.4", "pandas-2.2.2", "pytest-9.0.0")  # installed besides liveinstall
_BACKEND = """\
import base64, hashlib, pathlib, tomllib, zipfile


def build_wheel(directory, settings=None, metadata=None, line=None):
    project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
    name, version = project["name"], project["version"]
    info = f"{name}-{version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    files.update({f"{name}.pth": line + "\\n"} if line else {f"{name}.py": f"VERSION = {version!r}\\n"})
    rows = [f"{path},sha256={_hash(text)},{len(text)}\\n" for path, text in files.items()]
    files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\\n"])
    wheel = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory, wheel), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


def build_editable(directory, settings=None, metadata=None):
    return build_wheel(directory, line=str(pathlib.Path.cwd()))


def _hash(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
"""
_PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "{name}"
version = "1.0"
[dependency-groups]
test = ["attrs"]
docs = ["attrs"]
"""
_LOCK = """\
lock-version = "1.0"
created-by = "test"
extras = ["fast"]
dependency-groups = ["dev"]
[[packages]]
name = "rich"
version = "14.0.0"
[[packages.wheels]]
name = "rich-14.0.0-py3-none-any.whl"
path = "wheels/rich-14.0.0-py3-none-any.whl"
[packages.wheels.hashes]
sha256 = "{hash}"
"""


def write_offered(directory: Path) -> None:
    """The wheels of an index: small ones, with the names, versions and requirements that pages speak of."""
    for version in ("1.26.4", "2.2.6", "2.4.6"):
        main = f"__version__ = VERSION = {version!r}\n\n\ndef main():\n    print(VERSION)\n"
        write_wheel(directory, "numpy", version, files={"numpy/__init__.py": main}, scripts=["f2py"])
    write_wheel(directory, "pandas", "1.5.3", headers=["Requires-Dist: numpy<2"])
    write_wheel(directory, "pandas", "2.1.4", headers=["Requires-Dist: numpy<2"])
    series = "class Series(list):\n    def sum(self):\n        return sum(self)\n"
    for version in ("2.2.2", "2.3.3"):
        files = {"pandas/__init__.py": series}
        write_wheel(directory, "pandas", version, headers=["Requires-Dist: numpy>=1.26"], files=files)
    for version in ("12.6.0", "13.9.4", "14.0.0"):
        write_wheel(directory, "rich", version)
    for name in ("scikit_image", "scikit_learn"):
        write_wheel(directory, name, "1.0", headers=["Requires-Dist: numpy"])
    write_wheel(directory, "requests", "2.32.5", headers=["Provides-Extra: socks"])
    write_wheel(directory, "httpx", "0.28.1", headers=["Provides-Extra: http2"])
    write_wheel(directory, "pyzmq", "26.2.0", files={"zmq/__init__.py": "__version__ = '26.2.0'\n"})
    write_wheel(directory, "typer", "0.11.1", files={"typer/core.py": "x = 1\n"})
    write_wheel(directory, "typer_slim", "0.12.0", files={"typer/__init__.py": "", "typer/core.py": "x = 1\n"})
    write_wheel(directory, "attrs", "25.4.0")
    write_wheel(directory, "attrs", "24.3.0")
    write_wheel(directory, "my_host", "5.0")
    write_wheel(directory, "my_app", "1.0")
    write_wheel(directory, "pytest", "9.0.0", files={"pytest/__main__.py": "print('1 passed')\n"})


def write_directory(directory: Path, offered: Path) -> None:
    """The files for the examples, in place of a reader's own."""
    for name, text in {
        "my_code.py": "def main():\n    print('my code runs')\n",
        "script.py": "import sys\n\nprint('the script runs', sys.argv[1:])\n",
        "check_figures.py": "import pandas\n",
        "tool.py": "# /// script\n# dependencies = ['rich']\n# ///\n",
        "requirements.txt": "rich>=13\n",
        "limits.txt": "rich<15\n",
        "vendored/vendored_module.py": "x = 1\n",
        "tests/test_nothing.py": "",
        "pyproject.toml": _PROJECT.format(name="here"),
        "backend.py": _BACKEND,
        "project/pyproject.toml": _PROJECT.format(name="project"),
        "project/backend.py": _BACKEND,
        "../other/pyproject.toml": _PROJECT.format(name="other"),
    }.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")
    wheels = directory / "wheels"
    wheels.mkdir()
    rich = shutil.copy(offered / "rich-14.0.0-py3-none-any.whl", wheels)
    digest = hashlib.sha256(Path(rich).read_bytes()).hexdigest()
    (directory / "pylock.toml").write_text(_LOCK.format(hash=digest), encoding="utf-8")
    write_wheel(directory, "x", "1.0", headers=["Provides-Extra: extra"])
    shutil.make_archive(str(directory / "y-1.0"), "gztar", *_source(directory / "sources", "y"))


def _source(directory: Path, name: str) -> tuple[Path, str]:
    """The unpacked source distribution of a project."""
    project = directory / f"{name}-1.0"
    project.mkdir(parents=True)
    (project / "pyproject.toml").write_text(_PROJECT.format(name=name), encoding="utf-8")
    (project / "backend.py").write_text(_BACKEND, encoding="utf-8")
    (project / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    return directory, project.name
