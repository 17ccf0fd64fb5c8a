"""The command line: `python -m liveinstall`."""
# PYTHON_ARGCOMPLETE_OK: a marker for argcomplete's global completion.

import os
import sys

# `python -m` adds the working directory to the path, but its files are not installed: so remove it, as pip does.
if __name__ == "__main__" and not sys.flags.safe_path and sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

from liveinstall._frontends.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
