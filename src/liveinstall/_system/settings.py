"""The `LIVEINSTALL_*` environment variables, with one meaning of yes and no.

What a starting interpreter reads is defined where a start can read it: `LIVEINSTALL_HOLD` and `LIVEINSTALL_TRIAL` in
the boot package, `LIVEINSTALL_REGISTRY`, `LIVEINSTALL_STORE` and `LIVEINSTALL_CACHE` in `_sidebyside/layout.py`.
"""

from __future__ import annotations

import os

from _liveinstall_boot.trial import VARIABLE as TRIAL
from liveinstall.errors import DisabledError

DISABLE = "LIVEINSTALL_DISABLE"  # whoever deploys an environment can forbid changes in every process that has it set
PYTHON = "LIVEINSTALL_PYTHON"  # the interpreter of a program that embeds Python
OFFLINE = "LIVEINSTALL_OFFLINE"  # no index and no network
VERIFY = "LIVEINSTALL_VERIFY"  # what `verify=` of a request defaults to
REMINDERS = "LIVEINSTALL_REPL"  # whether reminders at the prompt begin by themselves
RESTARTED = "LIVEINSTALL_RESTARTED"  # from a restarted kernel to its successor: what to report, and where
_NO = ("0", "false", "no", "off")
_YES = ("1", "true", "yes", "on")


def is_on(name: str, *, default: bool = False) -> bool:
    """Whether a variable is switched on.

    Args:
        name: One of the variables above.
        default: The answer where it is unset or empty.

    Returns:
        False for 0, false, no and off in any case; True for any other text.
    """
    text = os.environ.get(name, "").strip().lower()
    return text not in _NO if text else default


def check_permitted() -> None:
    """Refuse changes where the deployment forbids them, and in a trial, whose files are links to the real ones.

    Raises:
        DisabledError: Changes are disabled; any text of the variable but a plain yes is given as the reason.
    """
    if os.environ.get(TRIAL):
        raise DisabledError("this is a trial, which changes nothing.", todo="Make the change outside of the trial.")
    if not is_on(DISABLE):
        return
    value = os.environ[DISABLE].strip()
    reason = "" if value.lower() in _YES else f": {value.rstrip('.')}"
    raise DisabledError(
        f"changes of this environment are switched off by {DISABLE}{reason}.",
        todo="Ask whoever has set it, or use an environment of your own.",
    )
