"""The trial of the restart in the background: what running code has imported, imported after the pending changes.

A thread makes the preview, and one child process of low priority imports in it. It takes no lock of the environment. It
is stopped before this process changes the environment or is replaced, and the child exits when this process has ended.
"""

from __future__ import annotations

import atexit
import time
from contextlib import contextmanager, suppress
from contextvars import Context
from threading import Event, Lock, Thread

from liveinstall._environment.installed import in_directory, installed_without_parts, record_of
from liveinstall._environment.loaded import loaded
from liveinstall._environment.target import find_targets
from liveinstall._homes.import_check import Verified, import_names, verify
from liveinstall._planning.graph import Node, edges
from liveinstall._system import background
from liveinstall._system.cancellation import Cancellation
from liveinstall._transactions import published
from liveinstall.errors import DamagedError, LiveInstallError, VerificationError
from liveinstall.results import ImportTrial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from liveinstall._model import Distribution
    from liveinstall._transactions.published import Transaction
    from liveinstall.results import Target

_DELAY = 0.3  # seconds for the request that has staged the changes to end first
_PATIENCE = 5.0  # seconds for a stopped trial to remove its preview


class _State:
    lock = Lock()
    work: _Work | None = None
    listeners: tuple[Callable[[ImportTrial | None], None], ...] = ()


def listen(listener: Callable[[ImportTrial | None], None]) -> Callable[[], None]:
    """Call a function, in the thread of the trial, when a trial begins and when it has ended.

    Args:
        listener: Called with the trial; with None if it has found nothing, or was stopped. Exceptions are ignored.

    Returns:
        A function that removes the listener.
    """
    _State.listeners = (*_State.listeners, listener)

    def stop() -> None:
        _State.listeners = tuple(each for each in _State.listeners if each is not listener)

    return stop


def latest() -> ImportTrial | None:
    """Return the trial of the changes that are pending now; None if this process has not tried them."""
    work = _State.work
    return work.trial if work and work.trial and work.stamp == _stamp() else None


def begin() -> None:
    """Begin a trial of the pending changes, in place of one that is running. It is stopped at exit."""
    stop()
    with _State.lock:
        _State.work = work = _Work()
    background.register(stop)
    atexit.unregister(stop)
    atexit.register(stop)
    work.thread.start()


def stop() -> None:
    """Stop the trial that is running, if there is one, and wait until its child process has ended."""
    with _State.lock:
        work = _State.work
    if work is not None and work.thread.is_alive():
        work.cancellation.cancel()
        work.thread.join(_PATIENCE)


@contextmanager
def paused() -> Iterator[None]:
    """Stop a running trial for a block that may change the environment; begin again if changes are still pending."""
    work = _State.work
    was_running = work is not None and work.thread.is_alive()
    stop()
    try:
        yield
    finally:
        if was_running and _State.work is work and _stamp():
            begin()


class _Work:
    """One trial, with its thread."""

    def __init__(self) -> None:
        self.stamp = _stamp()
        self.cancellation = Cancellation()
        self.trial: ImportTrial | None = None
        # In an empty context: the request that has staged the changes may be cancelled without an effect on this.
        self.thread = Thread(target=Context().run, args=(self._run,), daemon=True, name="liveinstall-trial")

    def _run(self) -> None:
        self.cancellation.set()
        stopped = Event()
        self.cancellation.add(stopped.set)
        if stopped.wait(_DELAY):
            return
        with suppress(LiveInstallError, OSError):  # no preview is possible here, or the environment has changed since
            self._try()
        if self.trial is None or self.trial.is_running:
            self._tell(None)

    def _try(self) -> None:
        found = [(target, item) for target in find_targets() for item in _pending(target)]
        if len(found) != 1:
            return
        target, item = found[0]
        wanted = _affected(target, item)
        if not wanted:
            return
        begin, failures = time.monotonic(), {}
        modules = tuple(sorted({module for each in wanted for module in each.modules}))
        self._tell(ImportTrial(item.transaction_id, modules))
        try:
            verify(target, [], item.record, wanted, in_background=True)
        except VerificationError as error:
            failures = {module: _last_line(text) for module, text in error.failures.items()}
            if not failures:
                raise
        seconds = time.monotonic() - begin
        if self.stamp == _stamp() and not self.cancellation.is_cancelled:
            self._tell(ImportTrial(item.transaction_id, modules, failures, is_running=False, seconds=seconds))

    def _tell(self, trial: ImportTrial | None) -> None:
        self.trial = trial
        for listener in _State.listeners:
            with suppress(Exception):
                listener(trial)


def _last_line(traceback: str) -> str:
    return traceback.strip().rpartition("\n")[2]


def _pending(target: Target) -> list[Transaction]:
    return [item for item in published.read_all(target.site) if item.state == "pending"]


def _stamp() -> list[tuple[object, ...]]:
    """What distinguishes the pending changes of this moment from others: later requests may be merged into them."""
    items = [item for target in find_targets() for item in _pending(target)]
    return [
        (item.transaction_id, change.name, change.new_version, change.part)
        for item in items
        for change in item.record.changes
    ]


def _affected(target: Target, item: Transaction) -> list[Verified]:
    """The modules of the changed distributions, and of their dependents that are loaded or would break."""
    here = installed_without_parts()
    changed = {change.name for change in item.record.changes}
    staged = {each.name: each for each in _staged(target, item)}
    after = {name: each for name, each in here.items() if name not in changed} | staged
    state = {name: Node(each.version, each.requires) for name, each in after.items()}
    in_use = loaded(here.values()).keys()
    if not in_use & _with_dependents(changed, state):
        return []
    dependents = _with_dependents(changed, state) & in_use
    broken = {edge.requirer for edge in edges(state, on=changed) if not edge.is_satisfied(state)}
    names = [name for name in sorted(dependents | broken | staged.keys()) if name in after]
    return [Verified(name, _modules(after, name), _modules(here, name)) for name in names]


def _staged(target: Target, item: Transaction) -> Iterator[Distribution]:
    for change in item.record.changes:
        if change.part:
            yield from in_directory(f"{target.site}/{change.part}")


def _with_dependents(names: Iterable[str], state: Mapping[str, Node]) -> set[str]:
    found = set(names)
    new = set(found)
    while new:
        new = {edge.requirer for edge in edges(state, on=new)} - found
        found |= new
    return found


def _modules(distributions: Mapping[str, Distribution], name: str) -> tuple[str, ...]:
    try:
        return import_names(record_of(distributions[name])[0]) if name in distributions else ()
    except DamagedError:
        return ()
