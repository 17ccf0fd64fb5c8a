"""Restart a kernel through its Jupyter server, where a process cannot be replaced in place (on Windows).

The server describes itself in a file of the user's runtime directory, as for `jupyter server list`. It is asked to
restart the kernel, as the menu of JupyterLab does. The new kernel gets no environment variable or argument from the old
one: the report is in a start-up file of the IPython profile, which removes itself.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from contextlib import suppress
from importlib import import_module

from _liveinstall_boot import patient
from _liveinstall_boot.file_access import read_bytes
from liveinstall._system.lean_dataclasses import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 5  # seconds for an answer
_LONG = 60  # seconds for the end of this process, before which the server does not answer
_PAUSE = 60  # seconds between two looks for a server
_OLD = 86_400  # seconds after which a start-up file was left behind: its kernel was never started
_PREFIX = "liveinstall-restart-"
_STARTUP = """\
# Written by liveinstall.restart(): the kernel with this id continues, and this file is removed.
if any({id!r} in word for word in __import__("sys").argv):
    __import__("importlib").import_module("liveinstall._frontends.restart.kernel_report").continue_restart(
        {path!r}, {report!r}
    )
"""


class Kernel(NamedTuple):
    """A kernel of a Jupyter server.

    Attributes:
        id: Its id.
        url: The URL of the server, with a slash at the end.
        token: The token of the server.
    """

    id: str
    url: str
    token: str


_found: list[Kernel] = []  # the server stays the same as long as this process
_looks: list[float] = []  # when no server was found: a dead one delays each look, on Windows by two seconds


def kernel_of_server() -> Kernel | None:
    """Return this process's kernel, if a Jupyter server of this user runs it and accepts its token."""
    if not _found and not (_looks and time.monotonic() - _looks[-1] < _PAUSE):
        _found.extend(_look())
        _looks[:] = [time.monotonic()]
    return _found[0] if _found else None


def restart(kernel: Kernel, startup: str, report: str) -> None:
    """Ask the server to restart this kernel, which usually ends this process before the answer.

    Args:
        kernel: The kernel.
        startup: The directory of start-up files of its IPython profile.
        report: What the new kernel reports, as JSON.

    Raises:
        OSError: The server refused, or cannot be reached; or the report cannot be written. The kernel continues.
    """
    _sweep(startup)
    path = os.path.join(startup, f"{_PREFIX}{kernel.id}.py")
    with open(path, "w", encoding="utf-8", opener=_private) as stream:
        stream.write(_STARTUP.format(id=kernel.id, path=path, report=report))
    try:
        _send(kernel, "/restart", "POST", _LONG)
    except BaseException:
        patient.unlink(path)
        raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sweep(startup: str) -> None:
    """Remove the files of kernels that were never started again."""
    for name in os.listdir(startup):
        path = os.path.join(startup, name)
        with suppress(OSError):
            if name.startswith(_PREFIX) and time.time() - os.stat(path).st_mtime > _OLD:
                patient.unlink(path)


def _look() -> Iterator[Kernel]:
    with suppress(Exception):  # versions of Jupyter that are not known here
        file = os.path.basename(import_module("ipykernel").get_connection_file())
        kernel_id = file.removeprefix("kernel-").removesuffix(".json")
        for url, token in _servers():
            kernel = Kernel(kernel_id, url, token)
            with suppress(OSError, ValueError):
                _send(kernel)
                yield kernel


def _servers() -> Iterator[tuple[str, str]]:
    """The URL and the token of each server in the runtime directory, the newest first."""
    directory = import_module("jupyter_core.paths").jupyter_runtime_dir()
    with os.scandir(directory) as entries:
        files = [one for one in entries if one.name.startswith("jpserver-") and one.name.endswith(".json")]
    for file in sorted(files, key=lambda one: one.stat().st_mtime, reverse=True):
        with suppress(OSError, ValueError, KeyError, TypeError):
            server = json.loads(read_bytes(file.path))
            if server["url"].startswith(("http://", "https://")) and server["token"]:
                yield server["url"].rstrip("/") + "/", str(server["token"])


def _send(kernel: Kernel, action: str = "", method: str = "GET", patience: float = _PATIENCE) -> None:
    """Send a request about the kernel; an OSError for any answer that is not a success."""
    address = f"{kernel.url}api/kernels/{kernel.id}{action}"
    request = urllib.request.Request(address, method=method)  # noqa: S310  of the server's own file, see `_servers`
    request.add_header("Authorization", f"token {kernel.token}")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(request, timeout=patience).close()
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError(f"The Jupyter server refused the request: {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise OSError(f"The Jupyter server cannot be reached: {error.reason}") from None
    except http.client.HTTPException as error:
        raise OSError(f"This is not the Jupyter server: {error!r}") from None
