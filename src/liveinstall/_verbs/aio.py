"""Asynchronous forms of the verbs that take long: each runs in a thread, and cancelling the task reverts it."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from liveinstall._system.cancellation import Cancellation
from liveinstall._system.presenter import presenter
from liveinstall._verbs import ensure, install, undo, uninstall

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

P = ParamSpec("P")
R = TypeVar("R")


def _asynchronous(verb: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    @wraps(verb)
    async def run(*arguments: P.args, **options: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        on_event: Any = options.get("on_event")
        if on_event is not None:
            options["on_event"] = partial(loop.call_soon_threadsafe, on_event)
        consent: Any = options.get("restart")
        if consent in ("ask", "auto"):
            options["restart"] = "never"  # a restart replaces the process, so the event loop's thread has to do it
        cancellation, context = Cancellation(), copy_context()
        context.run(cancellation.set)
        work = loop.run_in_executor(None, partial(context.run, verb, *arguments, **options))
        try:
            result = await asyncio.shield(work)
        except asyncio.CancelledError:
            cancellation.cancel()
            await _end(work)
            raise
        return presenter().after_request(result, consent) if consent in ("ask", "auto") else result

    run.__name__ = run.__qualname__ = f"a{verb.__name__}"
    run.__doc__ = f"""Run `{verb.__name__}()` in a thread, for use in event loops; `on_event` is called in the loop.

    Cancelling the task, even by a timeout, stops the request and reverts what it has begun. If the commit has begun,
    the request is completed instead. In either case it has ended when CancelledError is raised.

    Args:
        *arguments: As for `{verb.__name__}()`.
        **options: As for `{verb.__name__}()`.

    Returns:
        What `{verb.__name__}()` returns.

    Raises:
        CancelledError: The task was cancelled.
        LiveInstallError: As for `{verb.__name__}()`.
    """
    return run


async def _end(work: asyncio.Future[Any]) -> None:
    """Wait until `work` has ended, even if the wait itself is cancelled."""
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            continue
    work.exception()  # otherwise asyncio logs that the exception was never retrieved


ainstall = _asynchronous(install.install)
aplan = _asynchronous(install.plan)
aensure = _asynchronous(ensure.ensure)
auninstall = _asynchronous(uninstall.uninstall)
aundo = _asynchronous(undo.undo)
