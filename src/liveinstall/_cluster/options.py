"""How a cluster request treats the workers."""

from __future__ import annotations

from dataclasses import dataclass

from liveinstall.errors import RequirementError

RESTARTS = ("rolling", "together", "never")


@dataclass(frozen=True)
class Options:
    """How a request treats the workers.

    Attributes:
        restart: "rolling": some at a time; "together": all drain before one is restarted; "never".
        patience: Seconds to wait for a worker to finish its tasks before it is left running. Default: no limit.
        force: Restart such a worker anyway, which ends its tasks.
        max_unavailable: How many workers may be drained or restarting at a time. Default: a tenth, at least one.
        verify: Import the changed packages in a preview, in each environment, before any process uses them.
    """

    restart: str = "rolling"
    patience: float | None = None
    force: bool = False
    max_unavailable: int | None = None
    verify: bool = False


def checked(options: Options) -> Options:
    """Return the options. Raises RequirementError if a value is not one of those that are documented."""
    if options.restart not in RESTARTS:
        raise RequirementError(f"restart={options.restart!r} is not one of {', '.join(RESTARTS)}.", requirement="")
    for name in ("patience", "max_unavailable"):
        value = getattr(options, name)
        least = 0 if name == "patience" else 1
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value < least):
            raise RequirementError(f"{name}={value!r} is not a number of at least {least}.", requirement="")
    return options
