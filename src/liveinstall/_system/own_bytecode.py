"""The bytecode of liveinstall itself, which an installer may not have compiled, as uv by default.

Then the first request compiles the modules that it imports, which takes longer than uv does for a small request.
Meanwhile a child process compiles those that are imported last, on another core. The result is kept in the user's cache
for other environments with the same liveinstall.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import cache_from_source
from contextlib import contextmanager, suppress

from _liveinstall_boot.file_access import read_bytes
from liveinstall._system.child_process import Child
from liveinstall._system.interpreter import executable
from liveinstall._system.package import DIRECTORY, __version__
from liveinstall.errors import LiveInstallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = os.path.dirname(os.path.dirname(__file__))
_LAST = ("_environment", "_transactions", "_planning", "_requirements", "_changes", "_staging")  # as they are imported
_PROBE = os.path.join(_PACKAGE, "_changes", "execution.py")
_COMPILE = """
import sys
from _frozen_importlib_external import SourceFileLoader
for path in sys.argv[1:]:
    try:
        SourceFileLoader("m", path).get_code("m")
    except Exception:
        pass
"""


@contextmanager
def compiling() -> Iterator[None]:
    """Compile what is imported last during the block, if it has no bytecode. Failures are ignored."""
    if not _is_missing():
        yield
        return
    from liveinstall._system.bytecode_cache import BytecodeCache

    cache, record, child = BytecodeCache(), _record(), None
    if not (record and cache.restore(DIRECTORY, DIRECTORY, record)):
        with suppress(OSError, LiveInstallError):
            child = Child([executable(), "-I", "-S", "-c", _COMPILE, *_sources()])
    try:
        yield
    finally:
        if child:  # not killed, which could leave a draft of a file
            with suppress(LiveInstallError):
                child.ask("", timeout=10)
        cache.keep(is_complete=False)


def _is_missing() -> bool:
    """Whether there is no bytecode, and this interpreter would write it there."""
    if sys.dont_write_bytecode or not sys.implementation.cache_tag or sys.flags.optimize or sys.pycache_prefix:
        return False
    return not os.path.exists(cache_from_source(_PROBE)) and os.access(os.path.dirname(_PROBE), os.W_OK)


def _record() -> dict[str, tuple[str, str, int | None]]:
    """The sources in our own RECORD; none if this is a source tree."""
    found: dict[str, tuple[str, str, int | None]] = {}
    with suppress(OSError):
        record = read_bytes(os.path.join(DIRECTORY, f"liveinstall-{__version__}.dist-info", "RECORD"))
        for path, hashed, *_ in (f"{line},".split(",") for line in record.decode().splitlines()):
            if path.endswith(".py") and not path.startswith("."):
                found[path] = ("sha256", hashed.rpartition("=")[2], None)
    return found


def _sources() -> list[str]:
    directories = [os.path.join(_PACKAGE, name) for name in _LAST]
    return [os.path.join(each, name) for each in directories for name in os.listdir(each) if name.endswith(".py")]
