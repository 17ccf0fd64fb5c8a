"""Objects that a restart cannot keep, because they exist only in this process, with the reason for each kind."""

from __future__ import annotations

import io
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

_FILE = "an open file; keep its path, and open it again"
_CONNECTION = "an open connection; connect again"
_LOCK = "a lock of this process"
_TASK = "a task of the running event loop"
# Classes by name, so that no module is imported for them. Subclasses are of the same kind.
_KINDS = {
    "_io._IOBase": _FILE,
    "mmap.mmap": "a mapped file; keep its path, and map it again",
    "zipfile.ZipFile": _FILE,
    "tarfile.TarFile": _FILE,
    "h5py._hl.base.HLObject": _FILE,
    "socket.socket": _CONNECTION,
    "_socket.socket": _CONNECTION,
    "sqlite3.Connection": _CONNECTION,
    "sqlite3.Cursor": _CONNECTION,
    "psycopg2.extensions.connection": _CONNECTION,
    "_duckdb.DuckDBPyConnection": _CONNECTION,
    "duckdb.duckdb.DuckDBPyConnection": _CONNECTION,
    "sqlalchemy.engine.base.Connection": _CONNECTION,
    "http.client.HTTPConnection": _CONNECTION,
    "multiprocessing.connection._ConnectionBase": _CONNECTION,
    "ssl.SSLContext": "a context of the TLS library; create it again",
    "threading.Thread": "a thread; threads end with this process",
    "concurrent.futures.thread.ThreadPoolExecutor": "a pool of threads, which end with this process",
    "concurrent.futures.process.ProcessPoolExecutor": "a pool of processes; create it again",
    "multiprocessing.pool.Pool": "a pool of processes; create it again",
    "multiprocessing.process.BaseProcess": "a process; only this Python can wait for it",
    "subprocess.Popen": "a process; only this Python can wait for it",
    "_thread.lock": _LOCK,
    "_thread.RLock": _LOCK,
    "threading.Condition": _LOCK,
    "threading.Semaphore": _LOCK,
    "threading.Event": _LOCK,
    "threading.Barrier": _LOCK,
    "_queue.SimpleQueue": _LOCK,
    "queue.Queue": "a queue, which has locks of this process",
    "builtins.generator": "a generator: its position in the code cannot be saved; list(...) keeps its remaining items",
    "builtins.async_generator": "a generator: its position in the code cannot be saved",
    "builtins.coroutine": "a coroutine: its position in the code cannot be saved",
    "builtins.frame": "a frame of running code",
    "builtins.traceback": "a traceback, which has frames of running code",
    "_asyncio.Future": _TASK,
    "asyncio.futures.Future": _TASK,
    "asyncio.events.AbstractEventLoop": "an event loop of this process",
    "builtins.memoryview": "a view of memory; keep the object that it shows",
    "weakref.ReferenceType": "a weak reference",
    "_contextvars.ContextVar": "a context variable of this process",
    "_contextvars.Context": "a context of this process",
    "numba.cuda.cudadrv.devicearray.DeviceNDArrayBase": "memory of the GPU; keep its copy_to_host()",
    "pycuda._driver.DeviceAllocation": "memory of the GPU; copy it to an array",
    "_cffi_backend._CDataBase": "memory of a C library",
    "_ctypes._Pointer": "a pointer into the memory of this process",
    "_tkinter.tkapp": "a window of this process",
}
# Objects that another version of their distribution loads, and that do not work there.
_OF_ONE_VERSION = {
    "matplotlib.artist.Artist": (
        "matplotlib",
        "a figure or a part of one, which only works with the Matplotlib that made it; plot it again",
    ),
    "pandas.core.groupby.groupby.BaseGroupBy": (
        "pandas",
        "a grouping, which only works with the pandas that made it; group its frame again",
    ),
}
_IN_MEMORY = (io.BytesIO, io.StringIO)


def why_not(value: Any, changed: Collection[str] = ()) -> str:
    """Return a description of an object that exists only in this process; empty for all others.

    Args:
        value: The object. No code of it runs.
        changed: The distributions that the restart changes.
    """
    if isinstance(value, _IN_MEMORY):
        return ""
    for each in type(value).__mro__:
        name = f"{each.__module__}.{each.__qualname__}"
        if name in _KINDS:
            return _KINDS[name]
        distribution, kind = _OF_ONE_VERSION.get(name, ("", ""))
        if distribution in changed:
            return kind
    if type(value) is type(sys) and value.__name__ not in sys.modules:
        return f"the module {value.__name__}, which cannot be imported"
    return ""
