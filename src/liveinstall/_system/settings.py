"""`LIVEINSTALL_DISABLE`: who deploys an environment can forbid its changes, for every process that has the variable.

So does a trial (`LIVEINSTALL_TRIAL`): it is thrown away, and its files are links to the real ones.
"""

from __future__ import annotations

import os

from _liveinstall_boot.trial import VARIABLE as TRIAL
from liveinstall.errors import DisabledError

VARIABLE = "LIVEINSTALL_DISABLE"
_NO = ("", "0", "false", "no", "off")
_YES = ("1", "true", "yes", "on")


def check_permitted() -> None:
    """Raise DisabledError where one is set. Any text but a plain yes or no is told as the reason."""
    if os.environ.get(TRIAL):
        raise DisabledError("this is a trial, which changes nothing.", todo="Make the change outside of the trial.")
    value = os.environ.get(VARIABLE, "").strip()
    if value.lower() in _NO:
        return
    reason = "" if value.lower() in _YES else f": {value.rstrip('.')}"
    raise DisabledError(
        f"changes of this environment are switched off by {VARIABLE}{reason}.",
        todo="Ask whoever has set it, or use an environment of your own.",
    )
