"""One run of uv, which installs links into a temporary directory. It can be started before the request is parsed.

Importing the modules that a request needs takes as long as uv takes for a small one. So uv is started early with the
most probable arguments; the result is used only if the parsed request has exactly the same arguments.
"""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import suppress

from _liveinstall_boot import patient
from _liveinstall_boot.holds import VARIABLE as HOLD
from liveinstall._engines.base import ARCHIVES
from liveinstall._engines.credentials import without_uv_credentials
from liveinstall._engines.uv.arguments import source_options
from liveinstall._engines.uv.view import glance, show
from liveinstall._requirements.sources import Sources
from liveinstall._system.caller import search_path
from liveinstall._system.child_process import Child
from liveinstall._system.interpreter import executable
from liveinstall._system.lean_packaging import leading_name
from liveinstall._system.privacy import keeps_apart, reached
from liveinstall._system.removal import own_directory, remove_opened
from liveinstall._system.temporary import TemporaryDirectory, new_directory
from liveinstall.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from liveinstall._engines.base import View

_MEMORY = "/dev/shm"  # noqa: S108  Linux: a file system in memory, writable by all users
_PREFIX = "liveinstall-uv-"
_OLD = 60  # seconds, after which an unlocked directory counts as abandoned
QUIET = ("--no-progress", "--color=never")
_PLAIN = r"(?a)[A-Za-z0-9][\w.-]*(\[[\w.,-]+\])?([<>=!~]=[0-9][\w.*]*)?"
# Options that do not affect uv. If any other option is given, except sources of packages, uv is not started early.
_WITHOUT_EFFECT = ("when", "timeout", "on_event", "dry_run", "verify", "overlap", "conflicts")


class Run:
    """A running `uv pip install`, with its child process `child` and the directory of the links `target`.

    The links are made in memory if possible: on a disk thousands of them take longer than all the rest. The
    directories of killed processes are removed by the next run.

    Args:
        uv: The path of the uv executable.
        arguments: The arguments of `uv pip install`.
        view: The environment to resolve for.
        variables: The environment variables of uv.
        spare: The absolute path of the directory to use if the links cannot be made in memory, and for other files.

    Raises:
        EngineError: uv cannot be started.
        OSError: A directory cannot be created.
    """

    def __init__(self, uv: str, arguments: Sequence[str], view: View, variables: Mapping[str, str], spare: str) -> None:
        self._inputs = _inputs(uv, arguments, view, variables)
        in_memory = os.name != "nt" and _is_usable(_MEMORY)
        self._removal: Child | None = None
        try:
            if in_memory:
                _sweep(_MEMORY)
            self._create_target(_MEMORY if in_memory else spare, view, lock=in_memory)
        except OSError:
            if not in_memory:
                raise
            self._create_target(spare, view, lock=False)  # the file system in memory is full
        try:
            options = [f"--target={self.target}", f"--python={executable()}", f"--link-mode={link_mode(spare)}"]
            without_secrets, more = without_uv_credentials(arguments, variables, spare)
            command = [uv, "pip", "install", *QUIET, *options, "--no-compile-bytecode", *without_secrets]
            self.child = Child(command, env={**variables, **more})
        except BaseException:
            self.finish()
            raise

    def _create_target(self, directory: str, view: View, *, lock: bool) -> None:
        """Create the target directory with the metadata of the installed distributions."""
        self.target = new_directory(directory, _PREFIX)
        self._handle: int | None = None
        try:
            if lock:
                self._handle = os.open(self.target, os.O_RDONLY)
                _lock(self._handle)
            show(view, self.target)
        except BaseException:
            self.finish()
            raise

    def is_for(self, uv: str, arguments: Sequence[str], view: View, variables: Mapping[str, str]) -> bool:
        """Whether it was started with exactly these inputs.

        Args:
            uv: The path of the uv executable.
            arguments: The arguments of `uv pip install`.
            view: The environment to resolve for.
            variables: The environment variables of uv.
        """
        return self._inputs == _inputs(uv, arguments, view, variables)

    def stop(self) -> None:
        """Stop uv, and start to remove the links, in a child process, which is faster for thousands of them."""
        self.child.stop()
        with suppress(EngineError):
            self._removal = self._removal or Child(["rm", "-rf", "--", self.target])

    def finish(self) -> None:
        """Wait until all links are removed."""
        if self._removal:
            self._removal.stop()
        TemporaryDirectory(self.target).cleanup()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _inputs(uv: str, arguments: Sequence[str], view: View, variables: Mapping[str, str]) -> tuple[object, ...]:
    """All inputs of a run. A hold that was taken since does not matter while no changes are pending."""
    stamps = []
    for info in view.here:
        with suppress(OSError):  # the same version may have been installed again, from another source
            stamps.append(os.stat(info).st_mtime_ns)
    relevant = {name: value for name, value in variables.items() if name != HOLD or view.parts or view.hidden}
    return uv, list(arguments), view, relevant, stamps


def link_mode(directory: str) -> str:
    """How uv is to install: by symbolic links, or by copies where this account may not make links (on Windows).

    Args:
        directory: The absolute path of a directory of this process.
    """
    if os.name != "nt":
        return "symlink"
    link = os.path.join(directory, "link")
    try:
        os.symlink(directory, link, target_is_directory=True)
        patient.rmdir(link)
    except OSError:
        return "copy"
    return "symlink"


def _lock(handle: int) -> None:
    import fcntl  # available if there is a file system in memory

    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_usable(memory: str) -> bool:
    """Whether this user can create directories there that no other user can replace."""
    status = reached(memory)
    return status is not None and keeps_apart(status) and os.access(memory, os.W_OK)


def _sweep(memory: str) -> None:
    """Remove the directories of killed processes: this user's, old and not locked."""
    # Any user can create entries with such names: links, FIFOs, directories. Only this user's directories are opened,
    # and no other user can replace them there.
    for name in os.listdir(memory):
        if not name.startswith(_PREFIX):
            continue
        path = os.path.join(memory, name)
        with suppress(OSError), own_directory(path) as handle:
            if handle is not None and time.time() - os.fstat(handle).st_mtime >= _OLD:
                _lock(handle)
                remove_opened(path, handle)


def early(
    uv: str,
    requirements: Sequence[Any],
    options: Mapping[str, Any],
    variables: Mapping[str, str],
    spare: str,
    *,
    more: Sequence[str] = (),
) -> Run | None:
    """Start a run with the probable arguments.

    Args:
        uv: The uv executable.
        requirements: The requirements as the caller gave them, unchecked.
        options: The options of `install()`, unchecked.
        variables: The environment variables.
        spare: The directory to use if the links cannot be made in memory.
        more: Further arguments, which come first.

    Returns:
        The run; None if the arguments cannot be derived without parsing the request.
    """
    sources = {name: value for name, value in options.items() if value and name not in _WITHOUT_EFFECT}
    is_usual = options.get("deps", True) is True and sources.pop("prefer", "newest") == "newest"
    is_usual = is_usual and options.get("when", "auto") in ("auto", "now", "restart") and sys.prefix != sys.base_prefix
    is_plain = requirements and all(map(_is_plain, requirements))
    if (
        not is_plain
        or not is_usual
        or set(sources) - {"deps", "no_index", "index_url", "extra_index_urls", "find_links"}
        or not _are_valid(sources)
    ):
        return None
    sources.pop("deps", None)
    arguments = [*more, *source_options(Sources(**sources)), "--", *requirements]
    with suppress(EngineError, OSError, ValueError, TypeError):  # reported when the real request is resolved
        view = glance(search_path())
        return Run(uv, arguments, view, variables, spare) if view else None
    return None


def _is_plain(text: Any) -> bool:
    """Whether a requirement is a name with optional extras and version, not a file or URL."""
    if not isinstance(text, str) or text.lower().endswith(ARCHIVES):
        return False
    return bool(text) and (leading_name(text) == text or bool(re.fullmatch(_PLAIN, text)))


def _are_valid(sources: Mapping[str, Any]) -> bool:
    """Whether the options for sources have valid types and do not contradict each other."""
    links = sources.get("find_links", ())
    has_links = isinstance(links, (list, tuple)) and all(isinstance(link, str) for link in links)
    has_index = isinstance(sources.get("index_url", ""), str) and "extra_index_urls" not in sources
    is_contradictory = "no_index" in sources and (sources["no_index"] is not True or "index_url" in sources)
    return has_links and has_index and not is_contradictory
