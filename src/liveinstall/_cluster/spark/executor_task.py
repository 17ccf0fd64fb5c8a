"""A step of a request as a task: what Spark's Python workers run on the executors, in the base interpreter."""

from __future__ import annotations

import json
import os
import socket
import time
from functools import partial

from liveinstall._cluster.participants import failure_of
from liveinstall._cluster.spark.release import MODULE
from liveinstall._cluster.step_process import ask_child
from liveinstall.errors import ClusterError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from pyspark import SparkContext
    from pyspark.sql import SparkSession

_ROUNDS = 5  # jobs in which an executor may get a task
_PAUSE = 0.25  # seconds that a task keeps its slot, so that the next task goes to another executor


def on_each_executor(
    context: SparkContext, step: str, *, only: Sequence[str] | None = None, **arguments: Any
) -> dict[str, dict[str, Any]]:
    """Run a step once on each executor.

    An executor that has no free slot in several jobs, or that starts later, is not waited for.

    Args:
        context: The context of the session.
        step: The name of a step.
        only: The addresses of the executors that take the step; the answer of others is empty. Default: all.
        **arguments: Its arguments without the directory, JSON values.

    Returns:
        The answer of each executor by its address: the host, and the directory of its files.

    Raises:
        ClusterError: The executors cannot run the step.
    """
    answers: dict[str, dict[str, Any]] = {}
    for number in range(_ROUNDS):
        count = max(executors(context), 1)
        if len(answers) >= count:
            break
        tasks = max(context.defaultParallelism, 2 * count)
        task = partial(perform, step, only, arguments, _PAUSE * (number + 1))
        try:
            found = context.parallelize(range(tasks), tasks).mapPartitions(task).collect()
        except Exception as error:  # noqa: BLE001  Py4J's and Spark's errors have no class in common
            raise _failure(error) from None
        for address, answer in ((address, json.loads(text)) for address, text in found):
            if answer.get("new") or address not in answers:  # an executor may have run several of the tasks
                answers[address] = answer
    return answers


def executors(context: SparkContext) -> int:
    """Return the number of executors that Spark has now.

    Args:
        context: The context of the session.
    """
    java = context._jsc.sc()  # noqa: SLF001  Python's API does not have it
    return 1 if java.isLocal() else int(java.getExecutorMemoryStatus().size()) - 1  # one of them is the driver


def perform(
    step: str, only: Sequence[str] | None, arguments: dict[str, Any], pause: float, partitions: Iterable[int]
) -> Iterator[tuple[str, str]]:
    """Run a step in a child process of an executor's Python worker, and keep the slot for a moment.

    Args:
        step: Its name.
        only: The addresses of the executors that take it; None for all.
        arguments: Its arguments without the directory, JSON values.
        pause: In seconds.
        partitions: Not used.

    Yields:
        The address of the executor, and the answer as JSON.
    """
    from pyspark import SparkFiles

    list(partitions)
    directory = os.path.abspath(SparkFiles.getRootDirectory())
    address = f"{socket.gethostname()}:{directory}"
    try:
        is_asked = only is None or address in only
        answer = ask_child(MODULE, {"step": step, "directory": directory, **arguments}) if is_asked else {}
    except Exception as error:  # noqa: BLE001  the driver is another process, and must learn of it
        answer = failure_of(error)
    time.sleep(pause)
    yield address, json.dumps(answer)


def check_launcher(spark: SparkSession, setting: str, launcher: str) -> None:
    """Run a query with a launcher in another session, so that a failure does not affect this one.

    Args:
        spark: The session.
        setting: The name of the setting for the interpreter.
        launcher: Its value.

    Raises:
        ClusterError: The executors cannot start it.
    """
    from pyspark.sql.functions import udf

    session = spark.newSession()
    session.conf.set(setting, launcher)
    try:
        session.range(1, numPartitions=1).select(udf(lambda number: number, "long")("id")).collect()
    except Exception as error:  # noqa: BLE001  as above
        failure = _failure(error)
        failure.todo = (
            "Sessions with isolated artifacts, and working directories mounted with noexec, are not supported."
        )
        raise failure from None


def _failure(error: Exception) -> ClusterError:
    lines = str(error).splitlines()
    if any("No module named 'liveinstall'" in line or "No module named '_liveinstall_boot'" in line for line in lines):
        return ClusterError(
            "the executors' Python environment does not have liveinstall.",
            todo="Install liveinstall there, in the same version.",
            outcome=None,
        )
    causes = [line for line in lines if "Cannot run program" in line][:1]
    causes = causes or [line for line in lines if line.startswith("Caused by: ")]
    causes = causes or [line for line in lines if line[:1].strip(" \t.")]  # without Java's stack
    cause = causes[-1].removeprefix("Caused by: ") if causes else repr(error)
    return ClusterError(f"the executors cannot run a task: {cause}.", outcome=None)
