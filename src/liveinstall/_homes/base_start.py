"""Start-up of an interpreter of a home over a base environment: this file is copied into the home.

It must work without liveinstall, and in any later state of the base environment.
"""

import os
import site
import sys
from contextlib import suppress


def begin(base: str, sites: list[str], scripts: str) -> None:
    """Add the packages of the base environment after those of the home; the home's `.pth` line calls this.

    Args:
        base: The directory of the base environment.
        sites: Its site-packages directories; their `.pth` files are processed.
        scripts: The directory of the home's executables: without the base, an interpreter there exits.
    """
    if not all(map(os.path.isdir, sites)):
        message = "liveinstall: the base environment " + base + " of this home is missing: create the home again.\n"
        with suppress(Exception):  # there may be no stderr
            sys.stderr.write(message)
            sys.stderr.flush()
        if os.path.realpath(os.path.dirname(sys.executable or "/")) == os.path.realpath(scripts):
            os._exit(1)
    for directory in sites:
        if directory not in sys.path:
            site.addsitedir(directory)


def run_script(scripts: str) -> None:
    """Run the script of the base environment that has the name of the running one, with this interpreter.

    Args:
        scripts: The directory of the scripts of the base environment.
    """
    path = os.path.join(scripts, os.path.basename(sys.argv[0]))
    with open(path, "rb") as stream:
        code = compile(stream.read(), path, "exec")
    names = vars(sys.modules["__main__"])
    names["__file__"] = path  # children of multiprocessing import it from there
    exec(code, names)  # noqa: S102  a script that a user would run by its name
