"""Dask: `client.register_plugin(LiveInstall("numpy>=2"))`. Requires the extra `liveinstall[dask]`."""

from liveinstall._cluster.dask.client import DaskCluster
from liveinstall._cluster.dask.plugin import LiveInstall

__all__ = ["DaskCluster", "LiveInstall"]
