"""Detection of the front end that this process runs in. Inspects loaded modules only, and imports nothing."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import Any


class FrontEnd(StrEnum):
    """The front ends, which differ in what they can display and in how they are restarted."""

    SCRIPT = "script"  # not interactive
    REPL = "repl"
    INSPECT = "inspect"  # python -i: the script runs again after a restart
    PTPYTHON = "ptpython"
    IPYTHON = "ipython"
    IDLE = "idle"
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
        return self not in (FrontEnd.SCRIPT, FrontEnd.RUNNER)


_KERNELS = {
    *(FrontEnd.NOTEBOOK, FrontEnd.VSCODE, FrontEnd.COLAB, FrontEnd.DATABRICKS),
    *(FrontEnd.RUNNER, FrontEnd.CONSOLE, FrontEnd.KERNEL),
}


def ipython() -> Any:
    """Return the IPython shell of this process, or None."""
    module = sys.modules.get("IPython")
    get = getattr(module, "get_ipython", None)
    return get() if get else None


def detect() -> FrontEnd:
    """Detect the front end that this process runs in."""
    shell = ipython()
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return _kernel_front_end(shell, kernel)
    if shell is not None:
        return FrontEnd.IPYTHON
    main = sys.modules.get("__main__")
    if hasattr(main, "get_ptpython"):
        return FrontEnd.PTPYTHON
    if "idlelib.run" in sys.modules:
        return FrontEnd.IDLE
    if opens_prompt():
        return FrontEnd.INSPECT if getattr(main, "__file__", None) else FrontEnd.REPL
    return FrontEnd.REPL if hasattr(sys, "ps1") else FrontEnd.SCRIPT


def opens_prompt() -> bool:
    """Return whether Python was told to open a prompt after the program: by `-i`, or by PYTHONINSPECT.

    At that prompt `sys.flags.inspect` is 0 from 3.14 on; `sys.flags.interactive` stays.
    """
    return bool(sys.flags.inspect or sys.flags.interactive or os.environ.get("PYTHONINSPECT"))


def _kernel_front_end(shell: Any, kernel: Any) -> FrontEnd:
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
