"""The Python that a home is for: this one, or what this virtual environment was made from; and links to its library."""

from __future__ import annotations

import os
import sys
import sysconfig
from dataclasses import dataclass
from typing import TYPE_CHECKING

from liveinstall._homes.links import listed
from liveinstall._system.interpreter import base_executable
from liveinstall.errors import HomeError

if TYPE_CHECKING:
    from liveinstall._homes.links import LinkTree

# Not of the library: what is installed beside it, and who may do so.
_LEFT_OUT = {"site-packages", "dist-packages", "EXTERNALLY-MANAGED", "__pycache__"}
PACKAGES = "site-packages"
DEBIAN = "dist-packages"  # what its interpreters look for unless they are a virtual environment's


@dataclass(frozen=True)
class Base:
    """`python` is its executable, `version` exact, `library` its standard library; `name` is "python3.11"."""

    python: str
    version: str
    library: str
    name: str

    @classmethod
    def here(cls, path: str) -> Base:
        """The base of the running interpreter, for a home at `path`; HomeError where none can be made of it."""
        python = base_executable()
        library = sysconfig.get_path("stdlib")
        if os.name == "nt":
            raise HomeError("a home needs symbolic links, which Windows gives to administrators only.", path=path)
        if sysconfig.get_config_var("PYTHONFRAMEWORK"):
            raise HomeError("a home of a macOS framework build does not work: it finds its library itself.", path=path)
        if not os.path.isfile(python) or not os.path.isfile(os.path.join(library, "os.py")):
            raise HomeError("this Python has no executable or no library on the disk to link to.", path=path)
        return cls(python, version(), library, os.path.basename(library))

    @property
    def packages(self) -> str:
        """Where a home has its site-packages."""
        return f"lib/{self.name}/{PACKAGES}"

    def tree(self) -> LinkTree:
        """A home without packages, for both who may choose the executable and who can only say PYTHONHOME.

        Each child of the library is a link of its own: with one for all of it, Python would find the way back.
        """
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


# No other interpreter looks there. A virtual environment's of Debian has site-packages on its path already.
_DEBIANS = """\
import os, site, sys; p = os.path.join(os.path.dirname(sitedir), 'site-packages'); p in sys.path or site.addsitedir(p)
"""


def version() -> str:
    """The exact version of the running Python: 3.11.7, 3.13.0rc1, 3.12.1+."""
    return sys.version.split()[0]
