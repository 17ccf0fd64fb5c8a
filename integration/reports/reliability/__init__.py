"""Kills, errors, power losses and concurrency, counted: writes docs/reliability.md."""

import sys

from integration.lib.environments import ROOT

sys.path.insert(0, str(ROOT / "tests"))  # the small wheels and the fake engine of the unit tests
