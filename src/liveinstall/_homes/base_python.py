"""The base Python of a home (the running one, or that of this virtual environment), and links to its library."""

from __future__ import annotations

import errno
import os
import sys
import sysconfig
from dataclasses import dataclass

from liveinstall._homes.links import listed
from liveinstall._system.interpreter import base_executable
from liveinstall.errors import HomeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from liveinstall._homes.links import LinkTree

# Entries of the library directory that are not of the library: installed packages, and the marker of PEP 668.
_LEFT_OUT = {"site-packages", "dist-packages", "EXTERNALLY-MANAGED", "__pycache__"}
PACKAGES = "site-packages"
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
DEBIAN = "dist-packages"  # used by Debian's interpreters outside of virtual environments


@dataclass(frozen=True)
class Base:
    """A base Python: its executable `python`, exact `version`, standard `library`, and `name`, such as "python3.11"."""

    python: str
    version: str
    library: str
    name: str

    @classmethod
    def here(cls, path: str) -> Base:
        """The base Python of the running interpreter.

        Args:
            path: The path of the home, for the error.

        Raises:
            HomeError: A home cannot be made of this Python.
        """
        python = base_executable()
        library = sysconfig.get_path("stdlib")
        if sysconfig.get_config_var("PYTHONFRAMEWORK"):
            raise HomeError(
                "homes (linked environments) are not supported for macOS framework builds of Python.", path=path
            )
        if not os.path.isfile(python) or not os.path.isfile(os.path.join(library, "os.py")):
            raise HomeError(
                "the executable or the standard library of this Python is not on disk, so it cannot be linked.",
                path=path,
            )
        return cls(python, version(), library, os.path.basename(library))

    @property
    def packages(self) -> str:
        """The path of site-packages in a home."""
        return f"Lib/{PACKAGES}" if os.name == "nt" else f"lib/{self.name}/{PACKAGES}"

    def tree(self) -> LinkTree:
        """The tree of a home without packages, usable by its own executable and by PYTHONHOME.

        Each entry of the library is linked separately: through one link Python would resolve the base's own directory.
        On Windows, without symbolic links, it is a virtual environment, which PYTHONHOME cannot name.
        """
        if os.name == "nt":
            return {SCRIPTS: launchers(), "Lib": {PACKAGES: {}}}
        entries = listed(self.library)
        library: LinkTree = {name: os.path.join(self.library, name) for name in entries if name not in _LEFT_OUT}
        platform = os.path.join(sys.base_exec_prefix, sys.platlibdir, self.name, "lib-dynload")
        if os.path.isdir(platform):
            library["lib-dynload"] = platform
        library |= {PACKAGES: {}, DEBIAN: {"site-packages.pth": _DEBIANS.encode("ascii")}}
        tree: LinkTree = {"bin": self._executables(), "lib": {self.name: library}}
        if sys.platlibdir != "lib":
            tree[sys.platlibdir] = "lib"
        include = sysconfig.get_path("include", vars={"installed_base": sys.base_prefix})
        if os.path.isdir(include):
            tree["include"] = {os.path.basename(include): include}
        return tree

    def _executables(self) -> LinkTree:
        return {"python": self.python, "python3": "python", self.name: "python"}


# Other interpreters do not use it. Those of Debian's virtual environments have site-packages on sys.path already.
_DEBIANS = """\
import os, site, sys; p = os.path.join(os.path.dirname(sitedir), 'site-packages'); p in sys.path or site.addsitedir(p)
"""


def python_of(place: str) -> str:
    """The interpreter of a home."""
    return os.path.join(place, SCRIPTS, "python.exe" if os.name == "nt" else "python")


def launchers() -> LinkTree:
    """Copies of the programs by which virtual environments start the base Python on Windows."""
    directory = os.path.join(sys.base_prefix, "Lib", "venv", "scripts", "nt")
    found: LinkTree = {}
    for name, sources in {
        "python.exe": ("venvlauncher.exe", "venvlaunchert.exe", "python.exe"),  # the last until 3.12
        "pythonw.exe": ("venvwlauncher.exe", "venvwlaunchert.exe", "pythonw.exe"),
    }.items():
        for path in (os.path.join(directory, source) for source in sources):
            if os.path.isfile(path):
                with open(path, "rb") as stream:
                    found.setdefault(name, stream.read())
    if "python.exe" not in found:
        raise FileNotFoundError(errno.ENOENT, "this Python has no launcher for virtual environments", directory)
    return found


def version() -> str:
    """The exact version of the running Python: 3.11.7, 3.13.0rc1, 3.12.1+."""
    return sys.version.split()[0]
