"""Change a Python environment while it is in use, without breaking the running processes."""

# Neither this module nor one that starts of Python load imports `__future__` or `typing`: each is a file to load, which
# takes longer than this whole module. Type checkers recognize the name TYPE_CHECKING.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The module in this package that defines each public name; a public module is listed by its own name. The types are in
# the stub, `__init__.pyi`.
_LAZY = {
    "Activation": "reports",
    "Change": "results",
    "Check": "reports",
    "Finding": "reports",
    "Listed": "reports",
    "LiveInstallError": "errors",
    "Past": "reports",
    "Pending": "results",
    "Plan": "results",
    "Result": "results",
    "Status": "reports",
    "Trial": "reports",
    "Versions": "reports",
    "aensure": "_verbs.aio",
    "ainstall": "_verbs.aio",
    "aplan": "_verbs.aio",
    "aundo": "_verbs.aio",
    "auninstall": "_verbs.aio",
    "cancel": "_verbs.pending",
    "check": "_verbs.inspection",
    "cluster": "cluster",
    "doctor": "_verbs.repair",
    "ensure": "_verbs.ensure",
    "errors": "errors",
    "events": "events",
    "finalize": "_verbs.pending",
    "freeze": "_verbs.inspection",
    "give_back_pip": "_frontends.jupyter.magic",
    "guard": "_verbs.hold",
    "history": "_verbs.undo",
    "hold": "_verbs.hold",
    "homes": "homes",
    "hosts": "hosts",
    "install": "_verbs.install",
    "list": "_verbs.inspection",
    "owners": "owners",
    "pending": "_verbs.pending",
    "plan": "_verbs.install",
    "prune": "_verbs.undo",
    "recover": "_frontends.restart.recovery",
    "registries": "registries",
    "repair": "_verbs.repair",
    "repl": "_frontends.prompt",
    "require": "_verbs.require",
    "restart": "_frontends.restart.restart",
    "results": "results",
    "status": "_verbs.status",
    "take_over_pip": "_frontends.jupyter.magic",
    "trial": "_verbs.trial",
    "undo": "_verbs.undo",
    "uninstall": "_verbs.uninstall",
    "versions": "_verbs.versions",
}
# Names that other programs use: IPython loads extensions by them, and many tools read `__version__`.
_FOR_PROGRAMS = {
    "__version__": "_system.package",
    "load_ipython_extension": "_frontends.jupyter.magic",
    "unload_ipython_extension": "_frontends.jupyter.magic",
}

# `from liveinstall import *` does not replace a builtin: `list` is only available as `liveinstall.list`.
__all__ = sorted(_LAZY.keys() - {"list"})  # noqa: PLE0605  a list of strings


def _jupyter_server_extension_points() -> "Any":
    """Return the extension points of this package, for a Jupyter server."""
    from liveinstall._frontends.jupyter.server import points

    return points()


def __getattr__(name: str) -> "Any":
    """Load a public name when it is first used: `import liveinstall` itself loads nothing else (PEP 562)."""
    module = _LAZY.get(name) or _FOR_PROGRAMS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name == "install":
        from liveinstall._system.own_bytecode import find_known

        find_known()
    loaded = import_module(f"{__name__}.{module}")
    value = globals()[name] = loaded if module == name else getattr(loaded, name)
    _adapt_to_front_end()
    return value


def _adapt_to_front_end() -> None:
    """Explain errors from now on at the prompt of Python or ptpython, and show values as text in Streamlit."""
    import sys

    if (hasattr(sys, "ps1") or "ptpython.repl" in sys.modules) and "IPython" not in sys.modules:
        from liveinstall._frontends.import_hints import watch

        watch()
    if "streamlit.delta_generator" in sys.modules:
        from liveinstall._frontends.streamlit_values import show_values

        show_values()


def __dir__() -> list[str]:
    """List the public names, whether loaded or not; private submodules that are loaded are omitted."""
    return sorted({*_LAZY, *_FOR_PROGRAMS, *(name for name in globals() if name.startswith("__"))})
