"""Change a Python environment while it is running, without breaking what is running."""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name; importing typing takes longer than all of this
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from liveinstall._frontends.jupyter.magic import give_back_pip, take_over_pip
    from liveinstall._frontends.prompt import repl
    from liveinstall._frontends.restart.restart import restart
    from liveinstall._model import Change, Pending, Plan, Result
    from liveinstall._verbs.aio import aensure, ainstall, aplan, aundo, auninstall
    from liveinstall._verbs.ensure import ensure
    from liveinstall._verbs.hold import guard, hold
    from liveinstall._verbs.inspection import check, freeze, list  # noqa: A004
    from liveinstall._verbs.install import install, plan
    from liveinstall._verbs.pending import cancel, finalize, pending
    from liveinstall._verbs.repair import doctor, repair
    from liveinstall._verbs.require import require
    from liveinstall._verbs.status import status
    from liveinstall._verbs.trial import trial
    from liveinstall._verbs.undo import history, prune, undo
    from liveinstall._verbs.uninstall import uninstall
    from liveinstall._verbs.versions import versions
    from liveinstall.errors import LiveInstallError
    from liveinstall.results import Activation, Check, Finding, Listed, Past, Status, Trial, Versions

__version__ = "0.1.0"

__all__ = [
    "Activation",
    "Change",
    "Check",
    "Finding",
    "Listed",
    "LiveInstallError",
    "Past",
    "Pending",
    "Plan",
    "Result",
    "Status",
    "Trial",
    "Versions",
    "aensure",
    "ainstall",
    "aplan",
    "aundo",
    "auninstall",
    "cancel",
    "check",
    "doctor",
    "ensure",
    "errors",
    "events",
    "finalize",
    "freeze",
    "give_back_pip",
    "guard",
    "history",
    "hold",
    "homes",
    "hosts",
    "install",
    "list",
    "owners",
    "pending",
    "plan",
    "prune",
    "repair",
    "repl",
    "require",
    "restart",
    "status",
    "take_over_pip",
    "trial",
    "undo",
    "uninstall",
    "versions",
]

_HOMES = {
    "liveinstall.errors": ("LiveInstallError",),
    "liveinstall._frontends.jupyter.magic": (
        *("give_back_pip", "take_over_pip"),
        *("load_ipython_extension", "unload_ipython_extension"),  # IPython asks for them
    ),
    "liveinstall._frontends.prompt": ("repl",),
    "liveinstall._frontends.restart.restart": ("restart",),
    "liveinstall._model": ("Change", "Pending", "Plan", "Result"),
    "liveinstall.results": ("Activation", "Check", "Finding", "Listed", "Past", "Status", "Trial", "Versions"),
    "liveinstall._verbs.install": ("install", "plan"),
    "liveinstall._verbs.aio": ("aensure", "ainstall", "aplan", "aundo", "auninstall"),
    "liveinstall._verbs.inspection": ("check", "freeze", "list"),
    "liveinstall._verbs.ensure": ("ensure",),
    "liveinstall._verbs.hold": ("guard", "hold"),
    "liveinstall._sidebyside.require": ("versions",),
    "liveinstall._verbs.pending": ("cancel", "finalize", "pending", "status"),
    "liveinstall._verbs.uninstall": ("uninstall",),
    "liveinstall._verbs.repair": ("doctor", "repair"),
    "liveinstall._verbs.require": ("require",),
    "liveinstall._verbs.trial": ("trial",),
    "liveinstall._verbs.undo": ("history", "prune", "undo"),
}


_FILL = ("install", "plan")  # themselves, once their engine is started


def _jupyter_server_extension_points() -> Any:
    """What a Jupyter server asks an extension's package for."""
    from liveinstall._frontends.jupyter.server import points

    return points()


def fill_hooks() -> None:
    """Load how values and errors show themselves, and what follows a change."""
    from importlib import import_module

    import_module("liveinstall._frontends.presenter")


def _is_watched() -> bool:
    """Whether a person may see any value."""
    import sys

    return hasattr(sys, "ps1") or "IPython" in sys.modules


def _fill_late() -> None:
    """Where `require()` is all that a program uses, load the rest only for a value that is shown."""
    from liveinstall._model import Shown

    def show(value: Any) -> str:
        fill_hooks()
        return Shown.show(value)

    if Shown.show is repr:
        Shown.show = show


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: `import liveinstall` itself loads nothing else (PEP 562)."""
    from importlib import import_module

    if name == "homes":
        import_module("liveinstall._frontends.presenter")  # how its values show themselves
    if name in ("errors", "events", "homes", "hosts", "owners"):
        return import_module(f"liveinstall.{name}")
    for home, names in _HOMES.items():
        if name in names:
            from liveinstall._system.gc_throttle import throttled_gc

            with throttled_gc():
                if name == "require" and not _is_watched():
                    _fill_late()
                elif name not in _FILL:
                    fill_hooks()
                value = getattr(import_module(home), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> Iterable[str]:
    return sorted([*globals(), *__all__])
