"""Kills, errors, power losses and crowds, counted: makes docs/reliability.md."""

import sys

from integration.lib.environments import ROOT

sys.path.insert(0, str(ROOT / "tests"))  # the small wheels and the fake engine of the unit tests
