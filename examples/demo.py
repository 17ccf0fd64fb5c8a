"""The main job on real packages, told as it happens. It changes the environment that runs it: use one of its own.

python -m venv .demo && .demo/bin/python -m pip install . && .demo/bin/python examples/demo.py
"""

from __future__ import annotations

import os
import subprocess
import sys

VERSION = "import numpy; print(numpy.__version__)"


def say(text: str) -> None:
    """Print one step."""
    print(f"\n--- {text}", flush=True)


def main() -> None:
    """Install, upgrade under a live process, restart."""
    import liveinstall

    say('a fresh package: liveinstall.install("numpy<2"), importable on the next line')
    print(liveinstall.install("numpy<2"))
    import numpy as np

    print("numpy", np.__version__, "is imported and running")

    say('an upgrade under it: liveinstall.install("numpy>=2")')
    print(liveinstall.install("numpy>=2"))

    say("this process goes on with the old version, also for what it had not imported yet")
    from numpy.polynomial import chebyshev

    print("numpy", np.__version__, "imports numpy.polynomial late:", chebyshev.chebval(2.0, [1, 2, 3]))
    child = subprocess.run([sys.executable, "-c", VERSION], capture_output=True, text=True, check=True)
    print("a child process sees numpy", child.stdout.strip())

    say("restart: the next start of Python swaps the new version in")
    os.execv(sys.executable, [sys.executable, __file__, "restarted"])


def restarted() -> None:
    """What the new process sees."""
    import numpy as np
    from numpy.polynomial import chebyshev

    print("numpy", np.__version__, "imports numpy.polynomial late:", chebyshev.chebval(2.0, [1, 2, 3]))
    import liveinstall

    print(liveinstall.status())


if __name__ == "__main__":
    if sys.prefix == sys.base_prefix:
        sys.exit("Run this in a virtual environment of its own: it installs numpy twice.")
    restarted() if "restarted" in sys.argv else main()
