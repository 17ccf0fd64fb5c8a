"""`python -m liveinstall`."""
# PYTHON_ARGCOMPLETE_OK: shells that complete for every Python program look for this.

import sys

from liveinstall._frontends.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
