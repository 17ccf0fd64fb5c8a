"""Runs in a child process: activate a registry, then run a program as Python itself would.

`python -c "from liveinstall.parallel.launching import main; main()" REGISTRY STORE SITE KIND TARGET ...`: REGISTRY is a
file, or empty; KIND is script, module or code.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """See the module."""
    path, store, site, kind, target, *arguments = sys.argv[1:]
    if path:
        _activate(path, store, site)
    import runpy  # only now, because what follows belongs to the program

    sys.argv = [target if kind == "script" else "-" + kind[0], *arguments]
    sys.path[:1] = [os.path.dirname(os.path.realpath(target)) if kind == "script" else os.getcwd()]
    if kind == "script":
        runpy.run_path(target, run_name="__main__")
    elif kind == "module":
        runpy.run_module(target, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = ""
        import __main__

        for name in [name for name in vars(__main__) if not name.startswith("__")]:
            delattr(__main__, name)
        exec(compile(target, "<string>", "exec"), vars(__main__))  # noqa: S102  that is what was asked for


def _activate(path: str, store: str, site: str) -> None:
    from liveinstall.parallel import activating, children

    active = activating.active()
    if active is None or active.source != path:
        with open(path, "rb") as stream:
            activating.activate(stream.read(), path, os.path.dirname(path), store, [site], "run --with")
    children.pass_on()
