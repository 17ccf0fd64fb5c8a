"""Finding the adapter for a client of an engine."""

from __future__ import annotations

from liveinstall.errors import RequirementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from liveinstall._cluster.dask.client import DaskCluster


def of(client: Any) -> DaskCluster:
    """Return the object that changes the environments of a cluster.

    Args:
        client: A connected `distributed.Client`.

    Returns:
        An object with `install()`, `match()`, `status()` and `undo()`.

    Raises:
        RequirementError: It is not a client of a supported engine.
        ClusterError: The client is not connected.
    """
    modules = {each.__module__.partition(".")[0] for each in type(client).__mro__}
    if "distributed" in modules:
        from liveinstall._cluster.dask.client import DaskCluster

        return DaskCluster(client)
    raise RequirementError(
        f"{type(client).__name__} is not a client of a supported engine.",
        todo="Supported: distributed.Client (Dask). For Spark, use liveinstall.cluster.spark.use().",
        requirement="",
    )
