"""Functions that run in a few threads. `concurrent.futures` would load `logging` and `traceback`, which takes 5 ms."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Event, Thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any


class Job:
    """One function and its result."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._ended = Event()
        self._values: list[Any] = []
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Call the function in this thread."""
        try:
            self._values.append(self._function())
        except BaseException as error:  # noqa: BLE001  raised again where the result is asked for
            self._failure = error
        finally:
            self._ended.set()

    def failure(self) -> BaseException | None:
        """Wait for the end, and return the exception, if there is one."""
        self._ended.wait()
        return self._failure

    def values(self) -> list[Any]:
        """Return the value as a list, without waiting; empty if the function has not ended well."""
        return list(self._values)


@contextmanager
def in_threads(functions: Iterable[Callable[[], Any]], threads: int) -> Iterator[list[Job]]:
    """Call functions in their order, in several threads.

    Args:
        functions: The functions.
        threads: The number of threads.

    Returns:
        A context manager. It returns the jobs; on exit all have ended or, after an exception in the block, those that
        had begun.
    """
    jobs = [Job(function) for function in functions]
    remaining = jobs[::-1]

    def work() -> None:
        while remaining:
            try:
                job = remaining.pop()  # atomic
            except IndexError:
                return
            job.run()

    started: list[Thread] = []
    try:
        for _ in range(min(threads, len(jobs))):
            thread = Thread(target=work)
            thread.start()
            started.append(thread)
        yield jobs
    except BaseException:
        remaining.clear()
        raise
    finally:
        for thread in started:
            thread.join()
