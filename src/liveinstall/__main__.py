"""`python -m liveinstall`."""
# PYTHON_ARGCOMPLETE_OK: shells that complete for every Python program look for this.

import os
import sys

# What lies in the working directory is not installed, although `python -m` puts that on the path; pip does the same.
if __name__ == "__main__" and not sys.flags.safe_path and sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

from liveinstall._frontends.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
