"""The client's side: plan with the settings of the client, send the wheels, and watch the request."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from liveinstall._cluster.child import environment_of
from liveinstall._cluster.dask.plugin import LiveInstall
from liveinstall._cluster.options import Options, checked
from liveinstall._cluster.outcome import Outcome
from liveinstall._cluster.request_progress import ClusterStory
from liveinstall._cluster.transfer import read_piece
from liveinstall._cluster.wheel_lock import is_public, pack
from liveinstall._cluster.wheel_lock import lock as make_lock
from liveinstall._environment.installed import installed
from liveinstall._model import ProgressState
from liveinstall._system.package import __version__
from liveinstall._system.presenter import presenter
from liveinstall.errors import ClusterError, RequirementError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed import Client

    from liveinstall._cluster.values import Environment, Lock

_POLL = 0.1
_NOT_MATCHED = frozenset({"pip", "setuptools", "wheel", "liveinstall"})


class DaskCluster:
    """Changes the environments of a Dask cluster. `liveinstall.cluster.of(client)` makes it."""

    def __init__(self, client: Client) -> None:
        """Take the client.

        Args:
            client: A connected client of `distributed`, not an asynchronous one.

        Raises:
            ClusterError: The client is asynchronous or not connected.
        """
        self._client = cast("Any", client)
        if getattr(client, "asynchronous", False):
            raise ClusterError("the client is asynchronous.", todo="Use a synchronous client.", outcome=None)
        if client.status != "running":
            raise ClusterError(f"the client is {client.status}.", todo="Connect it to a scheduler.", outcome=None)
        try:
            if not self._client.run_on_scheduler(_is_ready):
                self._client.register_plugin(LiveInstall())
            theirs = self._ask("hello")["liveinstall"]
        except (ImportError, AttributeError, KeyError) as error:
            raise ClusterError(
                f"the scheduler's environment cannot load this liveinstall: {error}.",
                todo=f"Install liveinstall {__version__} there.",
                outcome=None,
            ) from None
        except OSError as error:
            raise _unreachable(error) from None
        if theirs != __version__:
            raise ClusterError(
                f"the scheduler has liveinstall {theirs}, and this process {__version__}.",
                todo="Install the same version in both environments.",
                outcome=None,
            )

    def install(
        self,
        *requirements: str,
        restart: str = "rolling",
        patience: float | None = None,
        force: bool = False,
        max_unavailable: int | None = None,
        verify: bool = False,
        quiet: bool | None = None,
        **options: Any,
    ) -> Outcome:
        """Install or upgrade on the whole cluster, and wait until the request is complete.

        The request is planned in this process, with its package index settings, for all environments together. The
        wheels are sent once to each environment. Until all have the change, no process uses it. Then workers that have
        loaded an old version are drained and restarted; new packages need no restart. The request continues if this
        process exits.

        Args:
            *requirements: As for `liveinstall.install()`.
            restart: "rolling": one worker at a time on each host; "together": all drain before one is restarted;
                "never".
            patience: Seconds to wait for a worker to finish its tasks before it is left running. Default: no limit.
            force: Restart such a worker anyway; its tasks run again elsewhere.
            max_unavailable: How many workers may be drained or restarting at a time. Default: a tenth, at least one.
            verify: Import the changed packages in a preview, in each environment, before any process uses them.
            quiet: As for `liveinstall.install()`: True displays no progress, False displays it in scripts, too.
            **options: Options of `liveinstall.cluster.lock()`.

        Returns:
            A row for each environment.

        Raises:
            ClusterError: An environment could not be prepared, or the scheduler cannot be reached.
            LockError: The environments have different kinds of Python or platforms.
            LiveInstallError: Any other failure. In every case all environments are unchanged.
        """
        treatment = checked(Options(restart, patience, force, max_unavailable, verify))
        with _display(quiet) as show:
            show(ProgressState("Looking at the environments"))
            environments = self._look()
            show(ProgressState("Resolving", ", ".join(map(str, requirements))))
            lock = make_lock(*requirements, over=environments, **options)
            show(ProgressState("Sending the wheels to the scheduler", f"{lock.size / 1e6:.1f} MB"))
            self._send(lock)
            return self._watch(self._ask("request", lock=lock.text, treatment=asdict(treatment))["number"], show)

    def match(self, *, driver: bool = True, **options: Any) -> Outcome:
        """Give all environments the versions of this process's environment.

        Versions that no index has (local versions, editable installations) are not matched.

        Args:
            driver: Must be True: the versions are those of this process's environment.
            **options: As for `install()`.

        Returns:
            As `install()`.

        Raises:
            LiveInstallError: As for `install()`.
        """
        if not driver:
            raise RequirementError("match(driver=False) is not supported.", requirement="")
        environments = self._look()
        pins = [
            f"{each.name}=={each.version}"
            for each in installed().values()
            if each.name not in _NOT_MATCHED
            and is_public(each.version)
            and any(other.installed.get(each.name) != each.version for other in environments)
        ]
        return self.install(*pins, **options) if pins else self.status()

    def undo(
        self,
        *,
        restart: str = "rolling",
        patience: float | None = None,
        force: bool = False,
        max_unavailable: int | None = None,
        quiet: bool | None = None,
    ) -> Outcome:
        """Undo the last request everywhere, offline, and restart the workers that use its versions.

        Args:
            restart: As for `install()`.
            patience: As for `install()`.
            force: As for `install()`.
            max_unavailable: As for `install()`.
            quiet: As for `install()`.

        Returns:
            As `install()`.

        Raises:
            ClusterError: There is nothing to undo, or the scheduler cannot be reached.
        """
        treatment = checked(Options(restart, patience, force, max_unavailable))
        with _display(quiet) as show:
            return self._watch(self._ask("undo", treatment=asdict(treatment))["number"], show)

    def status(self) -> Outcome:
        """Return the progress of the current or last request."""
        return Outcome.from_json(self._ask("outcome")["outcome"])

    def _look(self) -> list[Environment]:
        return [environment_of(each) for each in self._ask("look")["environments"]]

    def _send(self, lock: Lock) -> None:
        """Send the wheels that the scheduler's cache lacks to it, in pieces."""
        lacking = set(self._ask("missing", lock=lock.text)["missing"])
        pack(lock)  # checks them
        for wheel in lock.wheels:
            offset = 0
            while wheel.sha256 in lacking:
                piece = read_piece(wheel.sha256, wheel.file, offset)
                self._ask("arrive", lock=lock.text, sha256=wheel.sha256, piece=piece)
                offset += len(piece)
                if not piece:
                    break

    def _watch(self, number: int, show: Callable[[ProgressState], None]) -> Outcome:
        """Wait for the end of a request, and display its progress."""
        story, seen = ClusterStory(), 0
        while True:
            answer = self._ask("progress", number=number, since=seen)
            seen = answer["number"]
            if answer["finished"]:
                outcome = Outcome.from_json(self._ask("outcome", number=number)["outcome"])
                show(story.end(outcome))
                if outcome.phase == "failed":
                    raise ClusterError(outcome.error, outcome=outcome)
                return outcome
            show(story.hear(answer["phase"], answer["environments"]))
            time.sleep(_POLL)

    def _ask(self, step: str, **arguments: Any) -> Any:
        try:
            answer = self._client.sync(self._answer, step, arguments)
        except OSError as error:
            raise _unreachable(error) from None
        if answer.get("error"):
            raise ClusterError(answer["what"], todo=answer["todo"], outcome=None)
        return answer

    async def _answer(self, step: str, arguments: dict[str, Any]) -> Any:
        """Wait for the scheduler's answer; OSError if the connection is lost, which Dask's call may not notice."""
        call = asyncio.ensure_future(self._client.scheduler.liveinstall(step=step, arguments=arguments))
        while not (await asyncio.wait({call}, timeout=1))[0]:
            if self._client.status != "running":
                call.cancel()
                raise OSError("the connection was lost")
        return call.result()


@contextmanager
def _display(quiet: bool | None) -> Iterator[Callable[[ProgressState], None]]:
    """Display progress in the current front end, if it displays any."""
    display = presenter().progress(quiet)
    try:
        yield display or (lambda _state: None)
    finally:
        if display:
            display.close()


def _unreachable(error: OSError) -> ClusterError:
    return ClusterError(
        f"the scheduler cannot be reached: {error or type(error).__name__}.",
        todo="Connect a client to a running scheduler, and see status().",
        unchanged="A request that was decided continues in the scheduler; any other has changed nothing.",
        outcome=None,
    )


def _is_ready(dask_scheduler: Any) -> bool:
    return "liveinstall" in dask_scheduler.extensions
