"""Detection of the front end that this process runs in. Inspects loaded modules only, and imports nothing."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class FrontEnd(StrEnum):
    """The front ends, which differ in what they can display and in how they are restarted."""

    SCRIPT = "script"  # not interactive
    REPL = "repl"
    INSPECT = "inspect"  # python -i: the script runs again after a restart
    PTPYTHON = "ptpython"
    IPYTHON = "ipython"
    IDLE = "idle"
    BPYTHON = "bpython"
    MARIMO = "marimo"  # its editor: a notebook with its own kernel
    MARIMO_APP = "marimo run"  # without a user at the keyboard
    MARIMO_EXPORT = "marimo export"  # runs the cells once, and ends
    STREAMLIT = "streamlit"
    SPYDER = "spyder"
    NOTEBOOK = "notebook"  # JupyterLab, Notebook 7
    VSCODE = "vscode"
    COLAB = "colab"
    DATABRICKS = "databricks"
    RUNNER = "runner"  # nbclient, nbconvert --execute, papermill
    CONSOLE = "console"  # jupyter console, and other front ends of a kernel that send no metadata
    KERNEL = "kernel"  # some other front end of an IPython kernel

    @property
    def is_kernel(self) -> bool:
        """Whether cells are run by an IPython kernel."""
        return self in _KERNELS

    @property
    def is_interactive(self) -> bool:
        """Whether a user reads the output and types the input."""
        return self not in _UNATTENDED


_KERNELS = {
    *(FrontEnd.SPYDER, FrontEnd.NOTEBOOK, FrontEnd.VSCODE, FrontEnd.COLAB, FrontEnd.DATABRICKS),
    *(FrontEnd.RUNNER, FrontEnd.CONSOLE, FrontEnd.KERNEL),
}

_UNATTENDED = {
    *(FrontEnd.SCRIPT, FrontEnd.RUNNER, FrontEnd.STREAMLIT),
    *(FrontEnd.MARIMO_APP, FrontEnd.MARIMO_EXPORT),
}

# How a user restarts Python where liveinstall.restart() cannot.
BY_HAND = {
    FrontEnd.SCRIPT: "Start the program again.",
    FrontEnd.IDLE: "Choose Shell > Restart Shell, or press Ctrl+F6.",
    FrontEnd.BPYTHON: "Press Ctrl-D and start bpython again.",
    FrontEnd.MARIMO: 'Choose "Restart kernel" in the menu of the notebook.',
    FrontEnd.MARIMO_APP: "Start marimo again: its server runs all sessions of the app in one process.",
    FrontEnd.MARIMO_EXPORT: "Export the notebook again.",
    FrontEnd.STREAMLIT: "Stop the server with Ctrl-C and start it again: a rerun of the script is not enough.",
    FrontEnd.SPYDER: "Choose Consoles > Restart kernel, or press Ctrl+period.",
    FrontEnd.VSCODE: 'Press "Restart" above the notebook.',
    FrontEnd.COLAB: 'Choose Runtime > Restart session, or press the button "Restart session".',
    FrontEnd.DATABRICKS: "Run dbutils.library.restartPython() in a cell.",
    FrontEnd.RUNNER: "Run the notebook again: the program that runs it would wait for this kernel forever.",
    FrontEnd.CONSOLE: "Restart the kernel in its front end, or press Ctrl-D and start the console again.",
    FrontEnd.KERNEL: "Restart the kernel in its front end.",
    FrontEnd.NOTEBOOK: "Choose Kernel > Restart Kernel.",
}

# Where neither a kernel of IPython runs the code nor liveinstall.restart() works.
WITHOUT_RESTART = (
    *(FrontEnd.MARIMO, FrontEnd.MARIMO_APP, FrontEnd.MARIMO_EXPORT),
    *(FrontEnd.STREAMLIT, FrontEnd.BPYTHON, FrontEnd.IDLE),
)


def ipython() -> Any:
    """Return the IPython shell of this process, or None."""
    module = sys.modules.get("IPython")
    get = getattr(module, "get_ipython", None)
    return get() if get else None


_assumed: ContextVar[FrontEnd | None] = ContextVar("liveinstall_front_end", default=None)


@contextmanager
def assume(front_end: FrontEnd) -> Iterator[None]:
    """Make `detect()` return a front end: messages of widgets do not identify their front end."""
    token = _assumed.set(front_end)
    try:
        yield
    finally:
        _assumed.reset(token)


def detect() -> FrontEnd:
    """Detect the front end that this process runs in."""
    assumed = _assumed.get()
    if assumed is not None:
        return assumed
    shell = ipython()
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return _kernel_front_end(shell, kernel)
    if shell is not None:
        return FrontEnd.IPYTHON
    inside = _inside_application()
    if inside is not None:
        return inside
    main = sys.modules.get("__main__")
    if hasattr(main, "get_ptpython"):
        return FrontEnd.PTPYTHON
    if "idlelib.run" in sys.modules:
        return FrontEnd.IDLE
    if opens_prompt():
        return FrontEnd.INSPECT if getattr(main, "__file__", None) else FrontEnd.REPL
    return FrontEnd.REPL if hasattr(sys, "ps1") else FrontEnd.SCRIPT


def _inside_application() -> FrontEnd | None:
    """The front end that runs this code without IPython; None if there is none."""
    if _answer("marimo", "running_in_notebook"):
        return _in_marimo(_answer("marimo", "app_meta"))
    if _answer("streamlit.runtime", "exists"):
        return FrontEnd.STREAMLIT
    return FrontEnd.BPYTHON if "bpython.curtsies" in sys.modules or "bpython.cli" in sys.modules else None


def _in_marimo(meta: Any) -> FrontEnd | None:
    """Its editor, an app, or an export, which has the mode of the editor, but runs no cell for a page."""
    mode = getattr(meta, "mode", "")
    if mode != "edit":
        return None if mode == "script" else FrontEnd.MARIMO_APP
    return FrontEnd.MARIMO if getattr(meta, "request", None) is not None else FrontEnd.MARIMO_EXPORT


def _answer(module: str, function: str) -> Any:
    """The return value of a function of a loaded module; None if the module is not loaded or the function fails."""
    try:
        return getattr(sys.modules[module], function)()
    except Exception:  # noqa: BLE001  another version of a program that is not ours
        return None


def opens_prompt() -> bool:
    """Return whether Python was started with a prompt after the program: by `-i`, or by PYTHONINSPECT.

    At that prompt `sys.flags.inspect` is 0 from 3.14 on; `sys.flags.interactive` stays.
    """
    return bool(sys.flags.inspect or sys.flags.interactive or os.environ.get("PYTHONINSPECT"))


def _kernel_front_end(shell: Any, kernel: Any) -> FrontEnd:
    if type(kernel).__name__ == "SpyderKernel":
        return FrontEnd.SPYDER
    if "google.colab" in sys.modules:
        return FrontEnd.COLAB
    if "DATABRICKS_RUNTIME_VERSION" in os.environ:
        return FrontEnd.DATABRICKS
    if "__vsc_ipynb_file__" in shell.user_ns:
        return FrontEnd.VSCODE
    metadata = (shell.parent_header or {}).get("metadata", {}) if hasattr(shell, "parent_header") else {}
    if "cellId" in metadata:
        return FrontEnd.NOTEBOOK
    if not getattr(kernel, "_allow_stdin", True):
        return FrontEnd.RUNNER
    return FrontEnd.CONSOLE if not metadata else FrontEnd.KERNEL
