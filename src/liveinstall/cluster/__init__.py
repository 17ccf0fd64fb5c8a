"""One change for many environments: planned once, prepared everywhere, and used by new processes from one moment on.

The functions are independent of any engine for distributed computing.
"""

from __future__ import annotations

from liveinstall._system.lazy_names import lazy_getattr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from liveinstall._cluster.engines import of
    from liveinstall._cluster.environment import look
    from liveinstall._cluster.outcome import EnvironmentRow, Outcome
    from liveinstall._cluster.steps import arm, drop, prepare
    from liveinstall._cluster.values import Environment, Lock, LockedWheel, Pack, Prepared
    from liveinstall._cluster.wheel_lock import lock, pack

__all__ = [
    "Environment",
    "EnvironmentRow",
    "Lock",
    "LockedWheel",
    "Outcome",
    "Pack",
    "Prepared",
    "arm",
    "drop",
    "lock",
    "look",
    "of",
    "pack",
    "prepare",
]

__getattr__ = lazy_getattr(
    __name__,
    {
        **dict.fromkeys(("arm", "drop", "prepare"), "liveinstall._cluster.steps"),
        **dict.fromkeys(("lock", "pack"), "liveinstall._cluster.wheel_lock"),
        **dict.fromkeys(("Outcome", "EnvironmentRow"), "liveinstall._cluster.outcome"),
        "of": "liveinstall._cluster.engines",
        "look": "liveinstall._cluster.environment",
        **dict.fromkeys(("Environment", "Lock", "LockedWheel", "Pack", "Prepared"), "liveinstall._cluster.values"),
    },
)
