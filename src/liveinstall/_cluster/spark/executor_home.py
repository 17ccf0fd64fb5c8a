"""The home of a release on an executor, made in a child process of the base interpreter.

The launcher of a release starts `python -m liveinstall._cluster.spark.executor_home DIRECTORY DIGEST`. Without
arguments the request is JSON at standard input, `{"step": ..., ...}`, and the answer is the last line of standard
output, also JSON.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import asdict

from _liveinstall_boot.files import remove_tree
from liveinstall import homes
from liveinstall._cluster.environment import describe
from liveinstall._cluster.lock_engine import LockEngine
from liveinstall._cluster.spark.release_paths import FOLDER, home_path, lock_path
from liveinstall._cluster.step_process import answer_request
from liveinstall._cluster.steps import check_kind, find_wheels
from liveinstall._cluster.values import Lock
from liveinstall._engines.base import View
from liveinstall._environment.installed import installed
from liveinstall._homes.record import NAME
from liveinstall._sidebyside.store.store import Store
from liveinstall._system.lock import lock_file
from liveinstall.errors import HomeError, LockError
from liveinstall.events import ignore_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

_WAIT = 600.0  # seconds: another process of the executor makes the same home
_STORE, _GUARD = "store", "lock"
KEPT = ("pyspark", "py4j")  # Spark's own, which the executors load from the installation of Spark


def make(directory: str, digest: str) -> dict[str, Any]:
    """Make the home of a release from the files that Spark has brought, unless it exists.

    Args:
        directory: The directory of the executor's files, absolute.
        digest: The name of the release.

    Returns:
        The changes relative to the base environment, and whether the home was made now.

    Raises:
        LockError: A file is missing or damaged, or the lock is not for this Python and platform.
        LiveInstallError: Any other failure. In every case nothing is left behind.
    """
    lock = _read_lock(directory, digest)
    home = home_path(directory, digest)
    with _guarded(directory):
        is_new = not os.path.isfile(os.path.join(home, NAME))
        if is_new:
            try:
                _make(directory, home, lock)
            except BaseException:
                _sweep(directory)
                raise
    here = installed()
    old = {wheel.name: here[wheel.name].version for wheel in lock.wheels if wheel.name in here}
    return {"new": is_new, "changes": [[wheel.name, old.get(wheel.name), wheel.version] for wheel in lock.wheels]}


def _read_lock(directory: str, digest: str) -> Lock:
    try:
        with open(lock_path(directory, digest), encoding="utf-8") as stream:
            lock = Lock.parse(stream.read())
    except OSError as error:
        raise LockError(f"the lock of {digest} is missing: {error}.", name="") from None
    if not lock.digest.startswith(digest):
        raise LockError(f"the lock of {digest} is damaged.", name="")
    check_kind(lock)
    return lock


@contextmanager
def _guarded(directory: str) -> Iterator[None]:
    """Let one process of an executor at a time make or remove homes."""
    folder = os.path.join(directory, FOLDER)
    try:
        os.makedirs(folder, exist_ok=True)
        held = lock_file(os.path.join(folder, _GUARD), _WAIT)
    except OSError as error:
        raise HomeError(f"{folder} cannot be used: {error}.", path=folder) from None
    try:
        yield
    finally:
        held.release()


def _make(directory: str, home: str, lock: Lock) -> None:
    """Fill the store with exactly the wheels of the lock, from which the home is then made."""
    found = find_wheels(lock, (os.path.join(directory, wheel.file) for wheel in lock.wheels))
    store = Store.at(os.path.join(directory, FOLDER, _STORE))
    with LockEngine(lock, found) as engine:
        store.add_all(engine.resolve(None, View(), "", fetch=False, tell=ignore_event))
    keep = [name for name in KEPT if name in installed()]
    homes.create(home, *lock.pins, store=store.path, over=sys.prefix, keep=keep, quiet=True)


def drop(directory: str, digest: str) -> dict[str, Any]:
    """Remove the home of a release, and the store with the last home.

    Args:
        directory: The directory of the executor's files, absolute.
        digest: The name of the release.
    """
    with _guarded(directory):
        remove_tree(home_path(directory, digest))
        _sweep(directory)
    return {}


def _sweep(directory: str) -> None:
    """Remove the store, unless there is a home."""
    folder = os.path.join(directory, FOLDER)
    if set(os.listdir(folder)) <= {_STORE, _GUARD}:
        remove_tree(os.path.join(folder, _STORE))


def look(directory: str) -> dict[str, Any]:  # noqa: ARG001  all steps have it
    """Describe the base environment for the plan.

    Args:
        directory: Not used.
    """
    return asdict(describe())


_STEPS: Mapping[str, Callable[..., dict[str, Any]]] = {"look": look, "make": make, "drop": drop}


def main(arguments: list[str]) -> int:
    """Execute the step of a task, or make a home for a launcher."""
    os.environ.update(PIP_NO_INDEX="1", UV_OFFLINE="1")  # an executor has everything that it needs
    if arguments:
        make(*arguments)
        return 0
    return answer_request(_STEPS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
