"""`LIVEINSTALL_DISABLE`: who deploys an environment can forbid its changes, for every process that has the variable."""

from __future__ import annotations

import os

from liveinstall.errors import DisabledError

VARIABLE = "LIVEINSTALL_DISABLE"
_NO = ("", "0", "false", "no", "off")
_YES = ("1", "true", "yes", "on")


def check_permitted() -> None:
    """Raise DisabledError where the variable is set. Any text but a plain yes or no is told as the reason."""
    value = os.environ.get(VARIABLE, "").strip()
    if value.lower() in _NO:
        return
    reason = "" if value.lower() in _YES else f": {value.rstrip('.')}"
    raise DisabledError(
        f"changes of this environment are switched off by {VARIABLE}{reason}.",
        todo="Ask whoever has set it, or use an environment of your own.",
    )
