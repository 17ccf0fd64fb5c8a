"""The `LIVEINSTALL_*` environment variables, with the same values for yes and no everywhere.

The variables that the start-up code reads are defined there: `LIVEINSTALL_HOLD` and `LIVEINSTALL_TRIAL` in the boot
package, `LIVEINSTALL_REGISTRY`, `LIVEINSTALL_STORE` and `LIVEINSTALL_CACHE` in `_sidebyside/layout.py`.
"""

from __future__ import annotations

import os

DISABLE = "LIVEINSTALL_DISABLE"  # set by the deployer of an environment to forbid changes in a process
PYTHON = "LIVEINSTALL_PYTHON"  # the interpreter of a program that embeds Python
OFFLINE = "LIVEINSTALL_OFFLINE"  # no index and no network
VERIFY = "LIVEINSTALL_VERIFY"  # the default of the option `verify=`
CONFLICTS = "LIVEINSTALL_CONFLICTS"  # the default of the option `conflicts=`
REMINDERS = "LIVEINSTALL_REPL"  # whether reminders in interactive sessions are started automatically
KEEP_LIMIT = "LIVEINSTALL_KEEP_LIMIT"  # the default of the option `limit=` of `restart()`
NO_CACHE = "LIVEINSTALL_NO_CACHE"  # whether no results of checks and no bytecode are kept in the user's cache
PREVIEW = "LIVEINSTALL_PREVIEW"  # whether the restart is tried in the background in interactive sessions
RESTARTED = "LIVEINSTALL_RESTARTED"  # set by a restarting kernel for its successor: what to report, and where
_NO = ("0", "false", "no", "off")
_YES = ("1", "true", "yes", "on")


def is_on(name: str, *, default: bool = False) -> bool:
    """Whether a variable is switched on.

    Args:
        name: One of the variables above.
        default: The value if it is unset or empty.

    Returns:
        False for 0, false, no and off in any case; True for any other text.
    """
    text = os.environ.get(name, "").strip().lower()
    return text not in _NO if text else default


def text_of(name: str) -> str:
    """Return the text of a variable; empty if it is unset.

    Args:
        name: One of the variables above.
    """
    return os.environ.get(name, "").strip()


def check_permitted() -> None:
    """Check that changes are allowed: not disabled by the deployment, and not in a preview, which consists of links.

    Raises:
        DisabledError: Changes are disabled. A value of the variable other than a plain yes is reported as the reason.
    """
    from _liveinstall_boot.layout import TRIAL_VARIABLE
    from liveinstall.errors import DisabledError

    if os.environ.get(TRIAL_VARIABLE):
        raise DisabledError(
            "this is a trial, in which no changes are possible.", todo="Make the change outside of the trial."
        )
    if not is_on(DISABLE):
        return
    value = os.environ[DISABLE].strip()
    reason = "" if value.lower() in _YES else f": {value.rstrip('.')}"
    raise DisabledError(
        f"changes of this environment are disabled by {DISABLE}{reason}.",
        todo="Ask your administrator, or use an environment of your own.",
    )
