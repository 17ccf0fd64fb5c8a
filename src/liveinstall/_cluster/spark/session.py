"""The driver's side: plan, send the files, have the homes made, and choose the interpreter of the next query."""

from __future__ import annotations

import json
import os

from pyspark import SparkFiles

from liveinstall._cluster.child import environment_of
from liveinstall._cluster.outcome import EnvironmentRow, Outcome
from liveinstall._cluster.participants import words
from liveinstall._cluster.spark.executor_home import KEPT
from liveinstall._cluster.spark.executor_task import check_launcher, on_each_executor
from liveinstall._cluster.spark.release import Release
from liveinstall._cluster.spark.release_paths import home_path
from liveinstall._cluster.steps import find_wheels
from liveinstall._cluster.wheel_lock import lock as make_lock
from liveinstall._cluster.wheel_lock import pack
from liveinstall.errors import ClusterError, LockError, RequirementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    from liveinstall._cluster.values import Lock

_SETTING = "spark.sql.execution.pyspark.python"
_HISTORY = "spark.liveinstall.history"  # JSON: the former values of the setting, None if it was not set


def use(spark: SparkSession, *requirements: str, **options: Any) -> Outcome:
    """Give the next queries of a session packages in addition to, or instead of, those of the executors' environment.

    The request is planned once, in this process, for the environments of all executors. Spark sends the wheels to each
    executor, where they become a home over its environment. Then the session's interpreter is changed for all queries
    that start from now on. Running queries, other sessions and the environments do not change.

    Args:
        spark: A session with a SparkContext; Spark Connect is not supported.
        *requirements: As for `liveinstall.install()`: everything that the session needs. The packages of a former call
            are not kept.
        **options: Options of `liveinstall.cluster.lock()`.

    Returns:
        A row for each executor. One that starts later makes its home before its first task.

    Raises:
        RequirementError: A requirement is invalid, or `spark` is not a supported session.
        LockError: The executors have another kind of Python or platform, or Spark itself would change.
        ClusterError: An executor cannot make the home; `outcome` names the reason for each.
        LiveInstallError: Any other failure. In every case the session uses the same interpreter as before.
    """
    context = _context(spark)
    described = on_each_executor(context, "look")
    _check(_rows(described, ""), requirements)
    different = {json.dumps(each, sort_keys=True): each for each in described.values()}
    lock = make_lock(*requirements, over=[environment_of(each) for each in different.values()], **options)
    _check_changes(lock)
    if not lock.wheels:
        _set(spark, None)
        return Outcome(_rows(described, ""), requirements, "done", decided=True)
    release = Release(lock, context.pythonExec)
    root = SparkFiles.getRootDirectory()
    _send(context, release, root)
    answers = on_each_executor(context, "make", digest=release.digest)
    rows = _rows(answers, release.digest)
    launcher = os.path.join(root if _is_local(context) else ".", release.launcher)
    try:
        _check(rows, requirements)
        check_launcher(spark, _SETTING, launcher)
    except ClusterError:
        new = [address for address, answer in answers.items() if answer.get("new")]
        if new:
            on_each_executor(context, "drop", only=new, digest=release.digest)
        raise
    _set(spark, launcher)
    return Outcome(rows, requirements, "done", decided=True, sent=lock.size * len(rows))


def undo(spark: SparkSession) -> None:
    """Give the next queries of a session the interpreter that it had before the last `use()`, at once and offline.

    The homes remain on the executors until these exit, because running queries may use them.

    Args:
        spark: The session.

    Raises:
        RequirementError: `spark` is not a supported session.
        ClusterError: There is nothing to undo.
    """
    _context(spark)
    *earlier, last = _history(spark) or [""]
    if last == "":
        raise ClusterError("there is nothing to undo in this session.", outcome=None)
    _choose(spark, last)
    spark.conf.set(_HISTORY, json.dumps(earlier))


def _context(spark: Any) -> SparkContext:
    """The context of a session. Raises RequirementError."""
    module = type(spark).__module__
    if module.startswith("pyspark.sql.connect"):
        raise RequirementError(
            "this is a session of Spark Connect, which is not supported.",
            todo="Create the session in the driver, or see the page about Spark in the documentation.",
            requirement="",
        )
    if not module.startswith("pyspark.sql"):
        raise RequirementError(f"{type(spark).__name__} is not a pyspark.sql.SparkSession.", requirement="")
    if os.name == "nt":
        raise RequirementError("Spark is not supported on Windows.", requirement="")
    context: SparkContext = spark.sparkContext
    return context


def _is_local(context: SparkContext) -> bool:
    return bool(context._jsc.sc().isLocal())  # noqa: SLF001  Python's API does not have it


def _check_changes(lock: Lock) -> None:
    """Refuse a change of Spark itself. Raises LockError."""
    for wheel in lock.wheels:
        if wheel.name in KEPT:
            raise LockError(
                f"the request changes {wheel.name} to version {wheel.version}, which a running session cannot do.",
                todo="Change it in the environments, and start the application again.",
                name=wheel.name,
            )


def _rows(answers: Mapping[str, Mapping[str, Any]], digest: str) -> tuple[EnvironmentRow, ...]:
    """A row for each executor, from the answers of a step."""
    rows = []
    for address, answer in sorted(answers.items()):
        host, _, directory = address.partition(":")
        error = f"{host}: {answer['what']}" if answer.get("error") else ""
        state = "failed" if error else "applied" if digest else "current"
        site = home_path(directory, digest) if digest else str(answer.get("site", directory))
        changes = tuple(words(*change) for change in answer.get("changes", ()))
        rows.append(EnvironmentRow(digest, site, (address,), state, changes, error=error))
    return tuple(rows)


def _check(rows: tuple[EnvironmentRow, ...], requests: tuple[str, ...]) -> None:
    """Raise ClusterError if a step failed on an executor."""
    failed = [row for row in rows if row.error]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        outcome = Outcome(rows, requests, "failed", error=failed[0].error)
        raise ClusterError(f"{failed[0].error}{more}", outcome=outcome)


def _send(context: SparkContext, release: Release, root: str) -> None:
    """Let Spark send the files of a release to every executor, also to those that start later.

    The files stay where Spark reads them: the wheels in the user's cache, the others with Spark's own files.
    """
    directory = os.path.join(root, "liveinstall-sent")
    os.makedirs(directory, exist_ok=True)
    known = {os.path.basename(path) for path in context.listFiles}
    for path in (*pack(release.lock).files, *release.write(directory)):
        if os.path.basename(path) not in known:
            context.addFile(path)
    try:
        find_wheels(release.lock, [os.path.join(root, wheel.file) for wheel in release.lock.wheels])
    except LockError as error:
        raise LockError(
            f"Spark has another file with the name of a wheel, and does not replace it: {error.what}",
            todo="Give the build another version, or start the application again.",
            name=error.name,
        ) from None


def _set(spark: SparkSession, value: str | None) -> None:
    spark.conf.set(_HISTORY, json.dumps([*_history(spark), spark.conf.get(_SETTING, None)]))
    _choose(spark, value)


def _choose(spark: SparkSession, value: str | None) -> None:
    if value is None:
        spark.conf.unset(_SETTING)
    else:
        spark.conf.set(_SETTING, value)


def _history(spark: SparkSession) -> list[str | None]:
    found: list[str | None] = json.loads(spark.conf.get(_HISTORY, "[]") or "[]")
    return found
