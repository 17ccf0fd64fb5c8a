"""The former name of `liveinstall.results`, up to version 0.1.0, for old pickles and programs."""

from liveinstall._model import Candidate, Distribution, Retired
from liveinstall.results import (
    AllPending,
    Change,
    Holder,
    Pending,
    Plan,
    Result,
    Rows,
    Target,
    Timing,
)
from liveinstall.results import Origin as Source

__all__ = [
    "AllPending",
    "Candidate",
    "Change",
    "Distribution",
    "Holder",
    "Pending",
    "Plan",
    "Result",
    "Retired",
    "Rows",
    "Source",
    "Target",
    "Timing",
]
