"""The extension that 0.1.0 gives a kernel that it restarts, perhaps into this version."""

from liveinstall._frontends.restart.kernel_report import load_ipython_extension

__all__ = ["load_ipython_extension"]
