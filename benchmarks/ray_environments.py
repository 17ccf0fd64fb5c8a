"""Ray's runtime environments: the field `liveinstall`, and Ray's own `uv` and `pip`, in one run on one node.

    python -m benchmarks.ray_environments WHEELS

in an environment with liveinstall, ray, virtualenv, uv and pip. WHEELS is a directory with numpy 1.26.4 and 2.2.6; no
index is used.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from integration.lib.ray_cluster import disk_usage, node

_VERSIONS = ("1.26.4", "2.2.6")
_REPEATED = 3  # new workers for an environment that exists


def main(wheels: str) -> None:
    """Measure, and print a table."""
    directory = tempfile.mkdtemp(prefix="ray-")
    store = os.path.join(directory, "store")
    try:
        with node(os.path.join(directory, "r"), LIVEINSTALL_STORE=store) as ray:
            resources = Path(ray._private.worker._global_node.get_runtime_env_dir_path())  # noqa: SLF001
            measure = _Measurement(ray, (str(resources), store))
            measure.worker({})  # the first task of a node is slower
            print("| runtime environment | first | second | new worker in the first | disk for the second |")
            print("|---|---:|---:|---:|---:|")
            plain = measure.again({})
            print(f"| none | - | - | {plain:.1f} s | - |")
            for title, field in _fields(os.path.abspath(wheels)).items():
                first, _ = measure.environment(field(_VERSIONS[0]))
                second, disk = measure.environment(field(_VERSIONS[1]))
                again = measure.again(field(_VERSIONS[0]))
                print(f"| {title} | {first:.1f} s | {second:.1f} s | {again:.1f} s | {disk / 1e6:.0f} MB |", flush=True)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _fields(wheels: str) -> dict[str, Any]:
    """The runtime environment with a version of numpy, by each of the three ways."""
    local = ["--no-index", "--find-links", wheels]
    return {
        "`liveinstall`": lambda version: {
            "liveinstall": {"packages": [f"numpy=={version}"], "no_index": True, "find_links": [wheels]}
        },
        "`uv`": lambda version: {"uv": {"packages": [f"numpy=={version}"], "uv_pip_install_options": local}},
        "`pip`": lambda version: {"pip": {"packages": [f"numpy=={version}"], "pip_install_options": local}},
    }


class _Measurement:
    def __init__(self, ray: Any, directories: tuple[str, ...]) -> None:
        self._ray = ray
        self._directories = directories
        self._count = 0

    def worker(self, environment: dict[str, Any]) -> float:
        """The seconds until the first task of a new worker has ended."""
        self._count += 1
        fields = {**environment, "env_vars": {"COUNT": str(self._count)}}  # never a worker that is there
        task = self._ray.remote(_version).options(runtime_env=fields)
        begin = time.perf_counter()
        found = self._ray.get(task.remote(bool(environment)), timeout=600)
        seconds = time.perf_counter() - begin
        if environment and found not in str(environment):
            raise RuntimeError(f"{found} was used for {environment}")
        return seconds

    def environment(self, environment: dict[str, Any]) -> tuple[float, int]:
        """The seconds for a new environment with its first worker, and its bytes on disk."""
        before = disk_usage(*self._directories)
        seconds = self.worker(environment)
        return seconds, disk_usage(*self._directories) - before

    def again(self, environment: dict[str, Any]) -> float:
        """The same in an environment that exists: the best of several."""
        return min(self.worker(environment) for _ in range(_REPEATED))


def _version(is_wanted: bool) -> str:
    if not is_wanted:
        return ""
    import numpy as np

    return str(np.__version__)


if __name__ == "__main__":
    main(*sys.argv[1:])
