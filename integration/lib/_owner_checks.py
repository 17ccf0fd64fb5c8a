"""Checks of one distribution in a child process, with its source; prints one line of JSON.

Without places it comes from the environment itself, which is what the others are compared with. Each check answers with
what it found: the same from everywhere, or there is a difference to explain.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.metadata
import importlib.resources
import importlib.util
import inspect
import io
import json
import linecache
import os
import pickle
import pkgutil
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any

_MOST = 120  # modules, of each distribution


def activate(places: list[str]) -> None:
    """Import from these places from now on."""
    if places:
        from liveinstall import owners

        owners.activate(*places)


class Checks:
    """The checks of one distribution with these top-level names."""

    def __init__(self, question: dict[str, Any]) -> None:
        self.question = question
        self.name = question["name"]
        self.tops = question["tops"]
        self.modules: list[str] = []

    def imports(self) -> Any:
        """Every module that can be imported: name -> the type of its error, or empty."""
        found = {}
        for name in self.question["modules"][:_MOST]:
            try:
                importlib.import_module(name)
                found[name] = ""
                self.modules.append(name)
            except BaseException as error:
                found[name] = type(error).__name__
        return found

    def metadata(self) -> Any:
        """Version, requirements, and missing files."""
        found = importlib.metadata.distribution(self.name)
        files = [path for path in found.files or () if ".." not in path.parts and path.suffix != ".pyc"]
        files = [path for path in files if ".data" not in path.parts[0] and path.name not in _INSTALLERS]
        lost = [str(path) for path in files[:300] if not path.locate().is_file()]
        about = found.metadata
        names = [one.metadata["Name"] for one in importlib.metadata.distributions(name=self.name)]
        return [found.version, found.requires, about["Summary"], lost, len(files), names[:1], about["License"]]

    def entry_points(self) -> Any:
        """Each entry point of its groups, and the outcome of loading it."""
        found = []
        for point in sorted(importlib.metadata.distribution(self.name).entry_points)[:20]:
            seen = importlib.metadata.entry_points(group=point.group, name=point.name)
            found.append([point.group, point.name, len(seen), _outcome(point.load)])
        return found

    def resources(self) -> Any:
        """The files in its packages, and the content of some."""
        found: dict[str, Any] = {}
        for top in self.tops:
            with contextlib.suppress(ModuleNotFoundError, TypeError):
                names = {item.name: item for item in importlib.resources.files(top).iterdir()}
                data = [item for name, item in sorted(names.items()) if item.is_file() and ".so" not in name]
                kept = {item.name: hashlib.sha256(item.read_bytes()).hexdigest()[:8] for item in data[:15]}
                found[top] = [sorted(set(names) - {"__pycache__"}), kept]
        return found

    def getsource(self) -> Any:
        """The source of some modules."""
        return {name: _outcome(lambda name=name: _digest(inspect.getsource(sys.modules[name]))) for name in self.few()}

    def traceback(self) -> Any:
        """The line that a traceback shows for the first function of some modules."""
        found = {}
        for name in self.few():
            module = sys.modules[name]
            code = next((v.__code__ for v in _own(module, inspect.isfunction)), None)
            if code is not None:
                linecache.checkcache()
                linecache.lazycache(code.co_filename, vars(module))
                frame = traceback.FrameSummary(code.co_filename, code.co_firstlineno, code.co_name)
                found[name] = frame.line
        return found

    def pickle(self) -> Any:
        """Whether classes are restored as themselves."""
        found = {}
        for name in self.few():
            kinds = _own(sys.modules[name], inspect.isclass)
            found[name] = [_outcome(lambda k=kind: pickle.loads(pickle.dumps(k)) is k) for kind in kinds[:5]]
        return found

    def reload(self) -> Any:
        """The outcome of reloading some of its modules."""
        return {
            name: _outcome(lambda name=name: importlib.reload(sys.modules[name]) and "") for name in self.few()[-3:]
        }

    def main(self) -> Any:
        """The code that `-m` would run."""
        return {top: _outcome(lambda top=top: _main_of(top)) for top in self.tops}

    def iter_modules(self) -> Any:
        """Its modules as pkgutil lists them, at the top level and below."""
        top = {found.name for found in pkgutil.iter_modules()}
        below = {}
        for name in self.tops:
            path = getattr(sys.modules.get(name), "__path__", None)
            below[name] = sorted(f"{m.name} {m.ispkg}" for m in pkgutil.iter_modules(path)) if path else []
        return [sorted(set(self.tops) & top), below]

    def spawn(self) -> Any:
        """The imports of a spawned child, and the source of its version."""
        import multiprocessing

        names = [name for name in self.tops if name in sys.modules][:3]
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return [pool.apply_async(importlib.metadata.version, [self.name]).get(60), pool.apply(_import_all, [names])]

    def subinterpreter(self) -> Any:
        """The imports of a subinterpreter; most extension modules refuse."""
        import _xxsubinterpreters as interpreters

        if any(name.endswith(".so") for name in self.question["files"]):
            return "not tried: it has extension modules, which may end the process"
        made = interpreters.create()
        try:
            code = f"import sys; sys.path[:] = {sys.path!r}\n"
            if self.question["places"]:
                code += f"from liveinstall import owners; owners.activate(*{self.question['places']!r})\n"
            for top in [name for name in self.tops if name in sys.modules][:2]:
                code += f"import {top}\n"
            return _outcome(lambda: interpreters.run_string(made, code))
        finally:
            interpreters.destroy(made)

    def libraries(self) -> Any:
        """Its mapped shared libraries, by name."""
        names = {os.path.basename(path) for path in self.question["files"] if ".so" in os.path.basename(path)}
        with open("/proc/self/maps", encoding="utf-8") as stream:
            mapped = {os.path.basename(line.split()[-1]) for line in stream if ".so" in line}
        return sorted(names & mapped)

    def listing(self) -> Any:
        """The directory of `__file__`, as packages list it."""
        found = {}
        for top in self.tops:
            file = getattr(sys.modules.get(top), "__file__", None)
            if file and getattr(sys.modules[top], "__path__", None):
                found[top] = _outcome(
                    lambda file=file: sorted(set(os.listdir(os.path.dirname(file))) - {"__pycache__"})
                )
        return found

    def few(self) -> list[str]:
        """Some of its modules, of all parts."""
        return self.modules[:: max(1, len(self.modules) // 8)]


_INSTALLERS = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json")
CHECKS = (
    *("imports", "metadata", "entry_points", "resources", "getsource", "traceback", "pickle", "reload", "main"),
    *("iter_modules", "spawn", "subinterpreter", "libraries", "listing"),
)


def _own(module: Any, is_kind: Callable[[Any], bool]) -> list[Any]:
    """The objects of a kind that a module defines; lazy objects cannot be inspected before they are configured."""
    found = []
    for value in list(vars(module).values()):
        with contextlib.suppress(Exception):
            if is_kind(value) and value.__module__ == module.__name__:
                found.append(value)
    return found


def _main_of(top: str) -> str:
    spec = importlib.util.find_spec(f"{top}.__main__")
    return "none" if spec is None else f"line {spec.loader.get_code(spec.name).co_firstlineno}"


def _import_all(names: list[str]) -> list[str]:
    return [importlib.import_module(name).__name__ for name in names]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _outcome(act: Callable[[], Any]) -> Any:
    """Its return value, if JSON supports it, or the type of its error."""
    try:
        value = act()
    except BaseException as error:
        return f"{type(error).__name__}"
    return value if isinstance(value, (str, int, list)) else ""


def main() -> None:
    """Answer the request in the file of that name."""
    warnings.simplefilter("ignore")
    with open(sys.argv[1], encoding="utf-8") as stream:
        question = json.load(stream)
    answer: dict[str, Any] = {}
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    sys.stdout = io.StringIO()
    try:
        activate(question["places"])
    except Exception as error:
        answer["refused"] = str(error)
    else:
        checks = Checks(question)
        for name in question["checks"]:
            try:
                answer[name] = getattr(checks, name)()
            except BaseException as error:
                answer[name] = f"failed: {type(error).__name__}: {error}"[:300]
    print(json.dumps(answer, default=str), file=out, flush=True)
    os._exit(0)  # threads that a module has started do not count


if __name__ == "__main__":
    main()
