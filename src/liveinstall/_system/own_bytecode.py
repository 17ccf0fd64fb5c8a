"""The bytecode of liveinstall itself, which an installer may not have compiled, as uv by default.

Then the first request compiles the modules that it imports, which takes longer than uv does for a small request.
Meanwhile a child process compiles those that are imported last, on another core.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import cache_from_source
from contextlib import contextmanager, suppress

from liveinstall._system.child_process import Child
from liveinstall._system.interpreter import executable
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
    child = None
    if _is_missing():
        with suppress(OSError, LiveInstallError):
            child = Child([executable(), "-I", "-S", "-c", _COMPILE, *_sources()])
    try:
        yield
    finally:
        if child:  # not killed, which could leave a draft of a file
            with suppress(LiveInstallError):
                child.ask("", timeout=10)


def _is_missing() -> bool:
    """Whether there is no bytecode, and this interpreter would write it there."""
    if sys.dont_write_bytecode or not sys.implementation.cache_tag or sys.flags.optimize or sys.pycache_prefix:
        return False
    return not os.path.exists(cache_from_source(_PROBE)) and os.access(os.path.dirname(_PROBE), os.W_OK)


def _sources() -> list[str]:
    directories = [os.path.join(_PACKAGE, name) for name in _LAST]
    return [os.path.join(each, name) for each in directories for name in os.listdir(each) if name.endswith(".py")]
