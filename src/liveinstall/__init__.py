"""Change a Python environment while it is running, without breaking what is running."""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name; importing typing takes longer than all of this
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from liveinstall.errors import LiveInstallError
    from liveinstall.frontends.magic import give_back_pip, take_over_pip
    from liveinstall.frontends.repl import repl
    from liveinstall.frontends.restart import restart
    from liveinstall.model import Change, Pending, Plan, Result
    from liveinstall.reports import Activation, Check, Finding, Listed, Past, Status, Trial, Versions
    from liveinstall.requiring import require
    from liveinstall.session import install, plan
    from liveinstall.session.asynchronous import aensure, ainstall, aplan, aundo, auninstall
    from liveinstall.session.audit import check, freeze, list  # noqa: A004
    from liveinstall.session.ensuring import ensure
    from liveinstall.session.holding import guard, hold
    from liveinstall.session.parallel import versions
    from liveinstall.session.pending import cancel, finalize, pending, status
    from liveinstall.session.removing import uninstall
    from liveinstall.session.repair import doctor, repair
    from liveinstall.session.trying import trial
    from liveinstall.session.undo import history, prune, undo

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
    "liveinstall.frontends.magic": (
        *("give_back_pip", "take_over_pip"),
        *("load_ipython_extension", "unload_ipython_extension"),  # IPython asks for them
    ),
    "liveinstall.frontends.repl": ("repl",),
    "liveinstall.frontends.restart": ("restart",),
    "liveinstall.model": ("Change", "Pending", "Plan", "Result"),
    "liveinstall.reports": ("Activation", "Check", "Finding", "Listed", "Past", "Status", "Trial", "Versions"),
    "liveinstall.session": ("install", "plan"),
    "liveinstall.session.asynchronous": ("aensure", "ainstall", "aplan", "aundo", "auninstall"),
    "liveinstall.session.audit": ("check", "freeze", "list"),
    "liveinstall.session.ensuring": ("ensure",),
    "liveinstall.session.holding": ("guard", "hold"),
    "liveinstall.session.parallel": ("versions",),
    "liveinstall.session.pending": ("cancel", "finalize", "pending", "status"),
    "liveinstall.session.removing": ("uninstall",),
    "liveinstall.session.repair": ("doctor", "repair"),
    "liveinstall.requiring": ("require",),
    "liveinstall.session.trying": ("trial",),
    "liveinstall.session.undo": ("history", "prune", "undo"),
}


_FILL = ("install", "plan")  # themselves, once their engine is started


def _jupyter_server_extension_points() -> Any:
    """What a Jupyter server asks an extension's package for."""
    from liveinstall.frontends.server import points

    return points()


def fill_hooks() -> None:
    """Load how values and errors show themselves, and what follows a change."""
    from importlib import import_module

    import_module("liveinstall.frontends")


def _is_watched() -> bool:
    """Whether a person may see any value."""
    import sys

    return hasattr(sys, "ps1") or "IPython" in sys.modules


def _fill_late() -> None:
    """Where `require()` is all that a program uses, load the rest only for a value that is shown."""
    from liveinstall.model import Shown

    def show(value: Any) -> str:
        fill_hooks()
        return Shown.show(value)

    if Shown.show is repr:
        Shown.show = show


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: `import liveinstall` itself loads nothing else (PEP 562)."""
    from importlib import import_module

    if name == "homes":
        import_module("liveinstall.frontends")  # how its values show themselves
    if name in ("errors", "events", "homes", "hosts", "owners"):
        return import_module(f"liveinstall.{name}")
    for home, names in _HOMES.items():
        if name in names:
            from liveinstall.collecting import Rarely

            with Rarely():
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
