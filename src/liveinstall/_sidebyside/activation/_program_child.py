"""Runs in a child process: activates a registry, then runs a program as Python itself would.

The command line is `python -c "from ... import main; main()" REGISTRY STORE SITE KIND TARGET ...`: REGISTRY is the path
of a file, or empty; KIND is script, module or code.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main() -> None:
    """Run the program. The interpreter starts without the first entry of sys.path; it is added here."""
    path, store, site, kind, target, *arguments = sys.argv[1:]
    if path:
        _activate(path, store, site)
    sys.argv = [target if kind == "script" else "-" + kind[0], *arguments]
    if kind == "script":
        _run_script(target)
    elif kind == "module":
        _put_first(os.getcwd())
        _as_main(target, alter_argv=True)
    else:
        _put_first("")
        exec(compile(target, "<string>", "exec"), _cleared())  # noqa: S102  the program of the user


def _run_script(target: str) -> None:
    from io import open_code
    from marshal import loads
    from pkgutil import get_importer

    if get_importer(target):  # a directory or a zip file
        sys.path.insert(0, target)
        _as_main("__main__", alter_argv=False)
        return
    from importlib.machinery import SourceFileLoader, SourcelessFileLoader
    from importlib.util import MAGIC_NUMBER

    _put_first(os.path.dirname(os.path.realpath(target)))
    with open_code(os.path.abspath(target)) as stream:
        data = stream.read()
    is_compiled = data.startswith(MAGIC_NUMBER)
    code = loads(data[16:]) if is_compiled else compile(data, target, "exec")  # noqa: S302  as Python itself does
    loader = (SourcelessFileLoader if is_compiled else SourceFileLoader)("__main__", target)
    namespace = _cleared()
    namespace.update(__file__=target, __cached__=None, __loader__=loader, __spec__=None, __package__=None)
    exec(code, namespace)  # noqa: S102  the program of the user


def _as_main(module: str, *, alter_argv: bool) -> None:
    """Do as `python -m` does: run in the real `__main__`, which threads and exit handlers may still use later."""
    import runpy

    _cleared()
    runpy._run_module_as_main(module, alter_argv)  # type: ignore[attr-defined]  # noqa: SLF001  python -m calls this


def _cleared() -> dict[str, Any]:
    """The namespace of `__main__`, without the names of the launcher."""
    namespace = vars(sys.modules["__main__"])
    for name in [name for name in namespace if not name.startswith("__")]:
        del namespace[name]
    return namespace


def _put_first(entry: str) -> None:
    if not sys.flags.safe_path:
        sys.path.insert(0, entry)


def _activate(path: str, store: str, site: str) -> None:
    from liveinstall._sidebyside import activate
    from liveinstall._sidebyside.activation import spawned

    active = activate.active()
    if active is None or active.source != path:
        with open(path, "rb") as stream:
            activate.activate(stream.read(), path, os.path.dirname(path), store, [site], "run --with")
    spawned.pass_on()
