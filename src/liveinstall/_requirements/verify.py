"""`verify=`, and `LIVEINSTALL_VERIFY`: whether what comes in must prove that it can be imported."""

from __future__ import annotations

import os
from typing import Any

from liveinstall._requirements.requirement import wrong

VARIABLE = "LIVEINSTALL_VERIFY"
_NO = ("", "0", "false", "no", "off")


def wants_verification(asked: Any) -> bool:
    """What was asked for; without it (None), whether the variable is set to anything but a plain no."""
    if asked is None:
        return os.environ.get(VARIABLE, "").strip().lower() not in _NO
    if not isinstance(asked, bool):
        raise wrong(f"verify={asked!r} is neither True nor False.", "verify")
    return asked
