"""What follows a request here: a restart, if the caller consents, and reminders at the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from liveinstall._model import Result


def follow(result: Result, restart: str) -> Result:
    """Do what `restart` (never, ask, auto) allows, when something waits that this request has staged."""
    if not result.staged or result.dry_run or restart == "never":
        return result
    from liveinstall._frontends.restart.restart import follow_consent

    return follow_consent(result, restart)


def staged() -> None:
    """Something waits now: remind at the prompt, if there is one."""
    from liveinstall._frontends.prompt import begin

    begin()
