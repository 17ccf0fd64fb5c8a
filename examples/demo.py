"""The main use on a real package, step by step. It changes the environment that runs it: use a separate one.

python -m venv .demo && .demo/bin/python -m pip install . && .demo/bin/python examples/demo.py
"""

from __future__ import annotations

import subprocess
import sys

PACKAGE = "pygments"  # pure Python, so that each Python can have two versions; it imports its 250 lexers late
VERSION = f"import {PACKAGE}; print({PACKAGE}.__version__)"


def say(text: str) -> None:
    """Print one step."""
    print(f"\n--- {text}", flush=True)


def import_late() -> None:
    """Use a module that this process has not imported yet."""
    import pygments
    from pygments.lexers import get_lexer_by_name

    lexer = get_lexer_by_name("toml")
    print("pygments", pygments.__version__, "imports a lexer late:", type(lexer).__module__)


def main() -> None:
    """Install, upgrade while a process is running, restart."""
    import liveinstall
    from liveinstall.hosts import start_again

    (newest,) = liveinstall.plan(PACKAGE, upgrade=True, reinstall=True).changes
    older = f"{PACKAGE}<{newest.new_version}"
    say(f'a fresh package: liveinstall.install("{older}"), importable on the next line')
    print(liveinstall.install(older))
    import pygments

    print("pygments", pygments.__version__, "is imported and running")

    say(f'an upgrade while it runs: liveinstall.install("{PACKAGE}", upgrade=True)')
    print(liveinstall.install(PACKAGE, upgrade=True))

    say("this process keeps the old version, even for modules that it had not imported yet")
    import_late()
    child = subprocess.run([sys.executable, "-c", VERSION], capture_output=True, text=True, check=True)
    print("a child process imports pygments", child.stdout.strip())

    say("restart: the next start of Python applies the upgrade")
    start_again([sys.executable, __file__, "restarted"])


def restarted() -> None:
    """Report the version in the new process."""
    import_late()
    import liveinstall

    print(liveinstall.status())


if __name__ == "__main__":
    if sys.prefix == sys.base_prefix:
        sys.exit("Run this in a separate virtual environment: it installs Pygments twice.")
    restarted() if "restarted" in sys.argv else main()
