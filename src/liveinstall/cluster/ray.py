"""Ray: `runtime_env={"liveinstall": ["numpy>=2"]}`. Requires the extra `liveinstall[ray]`."""

from liveinstall._cluster.ray.environment_plugin import Plugin

__all__ = ["Plugin"]
