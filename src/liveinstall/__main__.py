"""`python -m liveinstall`."""

import sys

from liveinstall.frontends.cli import main

if __name__ == "__main__":
    sys.exit(main())
