"""The bytecode of liveinstall itself, which an installer may not have compiled, as uv by default.

Then the first request compiles the modules that it imports, which takes longer than uv does for a small request.
Meanwhile a child process compiles those that are imported last, on another core. All is kept in one file of the user's
cache. In other environments the modules are imported from it, without writing a `.pyc` for each: that takes longer than
the import. The hash of a module's source decides whether its code is valid, as in a checked `.pyc` (PEP 552).
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader, cache_from_source, spec_from_file_location
from _imp import _fix_co_filename, source_hash  # type: ignore[attr-defined]  # as for a .pyc that was moved
from contextlib import contextmanager, suppress
from marshal import dumps, loads

from liveinstall._system.package import DIRECTORY, __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _frozen_importlib import ModuleSpec
    from collections.abc import Iterator, Sequence
    from types import CodeType

    from liveinstall._system.child_process import Child

    Modules = dict[str, tuple[bool, bytes, bytes]]  # name -> is it a package, the hash of its source, its code

_PACKAGE = os.path.dirname(os.path.dirname(__file__))
_BOOT = "_liveinstall_boot"  # all of it is copied into each environment
_LAST = ("_environment", "_transactions", "_planning", "_requirements", "_changes", "_staging")  # as they are imported
_PROBE = os.path.join(_PACKAGE, "_changes", "execution.py")
_DIRECTORY, _KEY = "bytecode", f"own-1-{__version__}-{sys.implementation.cache_tag}-{MAGIC_NUMBER.hex()}"
_COMPILE = """
import sys
from _frozen_importlib_external import SourceFileLoader
for path in sys.argv[1:]:
    try:
        SourceFileLoader("m", path).get_code("m")
    except Exception:
        pass
"""


class _KnownLoader(SourceFileLoader):
    """The usual loader, except that it has the code of the first import."""

    known: CodeType | None = None

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code; when it is asked for again, that of the file."""
        code, self.known = self.known, None
        return code or super().get_code(fullname)


class _KnownModules:
    """The finder of our modules whose bytecode is in the user's cache and was compiled from the same source."""

    def __init__(self, modules: Modules) -> None:
        self.modules = modules

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        """Find a module, see `importlib.abc.MetaPathFinder`."""
        entry = self.modules.get(name)  # another thread may remove it
        if entry is None:
            return None
        stem = os.path.join(path[0] if path else DIRECTORY, name.rpartition(".")[2])
        is_package = entry[0]
        loader = _KnownLoader(name, os.path.join(stem, "__init__.py") if is_package else f"{stem}.py")
        loader.known = self.code(name, loader.path)
        if not loader.known:
            return None
        inside = [stem] if is_package else None
        return spec_from_file_location(name, loader.path, loader=loader, submodule_search_locations=inside)

    def code(self, name: str, source: str) -> CodeType | None:
        """Return the known code of a module, as if it had been compiled from this file; None if that differs."""
        entry = self.modules.get(name)
        if entry is None:
            return None
        _, expected, content = entry
        with suppress(OSError), open(source, "rb", 0) as stream:
            if _hash(stream.read()) == expected:
                code: CodeType = loads(content)  # noqa: S302  only this user can have written it
                _fix_co_filename(code, source)
                return code
        self.modules.pop(name, None)  # so it is replaced at the end of the request
        return None


_known: _KnownModules | None = None  # from the first request of this process on


def find_known() -> None:
    """Import our modules from the user's cache until the request ends, if they have no bytecode here."""
    global _known  # noqa: PLW0603  one for each process
    if _known is None:
        _known = _KnownModules({})
        if _is_missing():
            _known.modules = _read()
            sys.meta_path.insert(0, _known)


def code_of(name: str, source: str) -> CodeType | None:
    """Return the code of one of our modules, from the user's cache, its bytecode or its source.

    Args:
        name: Its name.
        source: The path of its file.

    Raises:
        ImportError: There is no such file.
    """
    known = _known.code(name, source) if _known else None
    return known or SourceFileLoader(name, source).get_code(name)


@contextmanager
def compiling() -> Iterator[None]:
    """Compile what is imported last during the block, if neither bytecode nor the cache has it; then fill the cache.

    Failures are ignored.
    """
    find_known()
    known = _known
    if known is None or known not in sys.meta_path:
        yield
        return
    child = None if known.modules else _compiling_child()
    try:
        yield
    finally:
        with suppress(ValueError):  # another thread's request has ended earlier
            sys.meta_path.remove(known)
        with suppress(Exception):  # what only saves time does not make a request fail
            if child:
                child.ask("", timeout=10)  # not killed, which could leave a draft of a file
            _keep(known.modules)
        known.modules = {}


def _is_missing() -> bool:
    """Whether there is no bytecode, and this interpreter would write it there."""
    if sys.dont_write_bytecode or not sys.implementation.cache_tag or sys.flags.optimize or sys.pycache_prefix:
        return False
    return not os.path.exists(cache_from_source(_PROBE)) and os.access(os.path.dirname(_PROBE), os.W_OK)


def _compiling_child() -> Child | None:
    from liveinstall._system.child_process import Child
    from liveinstall._system.interpreter import executable

    directories = [os.path.join(_PACKAGE, name) for name in _LAST]
    sources = [os.path.join(each, name) for each in directories for name in os.listdir(each) if name.endswith(".py")]
    with suppress(Exception):
        return Child([executable(), "-I", "-S", "-c", _COMPILE, *sources])
    return None


def _read() -> Modules:
    from liveinstall._system.private_cache import PrivateCache

    content = PrivateCache(_DIRECTORY).read(_KEY)
    return loads(content) if content else {}  # noqa: S302  only this user can have written it


def _keep(known: Modules) -> None:
    """Add the modules that this process has imported, and those that it has copied."""
    more = {name: _entry(name, path) for name, path in _files().items() if name not in known}
    if more:
        from liveinstall._system.private_cache import PrivateCache

        PrivateCache(_DIRECTORY).write(_KEY, dumps({**_read(), **more}))


def _files() -> dict[str, str]:
    """The files of our modules that are loaded, and of the boot package, by module."""
    names = [name for name in sys.modules if name.startswith(("liveinstall.", f"{_BOOT}."))]
    found = {name: path for name in names if (path := getattr(sys.modules[name], "__file__", None))}
    boot = os.path.join(DIRECTORY, _BOOT)
    copied = {f"{_BOOT}.{name[:-3]}": os.path.join(boot, name) for name in os.listdir(boot) if name.endswith(".py")}
    copied[_BOOT] = copied.pop(f"{_BOOT}.__init__")
    return {**copied, **found}


def _entry(name: str, path: str) -> tuple[bool, bytes, bytes]:
    loader = SourceFileLoader(name, path)
    return loader.is_package(name), _hash(loader.get_data(path)), dumps(loader.get_code(name))


def _hash(source: bytes) -> bytes:
    return source_hash(len(source), source)
