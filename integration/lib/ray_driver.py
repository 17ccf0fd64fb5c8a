"""The driver of `test_ray.py`: does everything on one node, and prints what it found as JSON.

Arguments: the directory for Ray, the directory of wheels, and the file with the example of the documentation. If that
is empty, it only kills Ray's agent while it makes a home.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ray_cluster import descendants, disk_usage, listening_elsewhere, node

PATIENCE = 120  # seconds


class Uses:
    """An actor whose environment is the subject."""

    def versions(self) -> list[str]:
        import payload

        return [payload.VERSION, sys.executable]

    def late(self) -> str:
        from payload import late

        return late.VERSION

    def children(self) -> list[Any]:
        """What children of every kind import."""
        import multiprocessing

        import payload
        import payload.children

        found: list[Any] = [payload.VERSION]
        for method in multiprocessing.get_all_start_methods():
            context = multiprocessing.get_context(method)
            queue = context.SimpleQueue()
            child = context.Process(target=payload.children.put, args=(queue,))
            child.start()
            found.append(queue.get())
            child.join()
        code = "import payload, ray; print(payload.VERSION, ray.__version__)"
        found.append(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        return found


def main(directory: str, wheels: str, example: str) -> None:
    """Do everything, and print it."""
    store = os.path.join(directory, "store")
    sources = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels, "UV_NO_INDEX": "1", "UV_FIND_LINKS": wheels}
    cache = {"RAY_RUNTIME_ENV_LIVEINSTALL_CACHE_SIZE_GB": "0"}  # what is not used is deleted at once
    with node(os.path.join(directory, "r"), LIVEINSTALL_STORE=store, **sources, **cache) as ray:
        if not example:
            _kill_the_agent(ray, store)
            return
        facts = _Scenarios(ray, store).run()
        variables = {**os.environ, "RAY_ADDRESS": ray.get_runtime_context().gcs_address}
        done = subprocess.run([sys.executable, example], env=variables, capture_output=True, text=True, check=False)
        facts["example"] = done.stdout or done.stderr
    print("FACTS", json.dumps(facts))


def _kill_the_agent(ray: Any, store: str) -> None:
    """Kill the process that makes a home while it fills the store. The node dies with it, and perhaps this driver."""
    (agent,) = (pid for pid in descendants() if _is_agent(pid))
    actor = ray.remote(Uses).options(runtime_env={"liveinstall": ["payload==1.0"]}).remote()
    end = time.monotonic() + PATIENCE
    while not os.path.isdir(store) and time.monotonic() < end:
        time.sleep(0.001)
    os.kill(int(agent), signal.SIGKILL)
    print("KILLED", os.path.isdir(store), flush=True)
    del actor  # until now it was needed


def _is_agent(pid: str) -> bool:
    with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as stream:
        return stream.read().startswith("ray::RuntimeEnvAgent")


class _Scenarios:
    def __init__(self, ray: Any, store: str) -> None:
        self.ray = ray
        self.store = store

    def run(self) -> dict[str, Any]:
        """Each scenario, in an order in which none disturbs the next."""
        facts: dict[str, Any] = {}
        self.ray.get(self.ray.remote(lambda: 1).remote())
        facts["listening"] = listening_elsewhere()
        facts |= self._environments()
        seconds = {
            "without packages": {"env_vars": {"A": "1"}},
            "with a home from the store": {"liveinstall": ["payload"]},
        }
        facts["seconds"] = {title: self._time(environment) for title, environment in seconds.items()}
        facts["errors"] = {name: self._error(field) for name, field in _WRONG.items()}
        return facts

    def _environments(self) -> dict[str, Any]:
        first = self._actor(["payload==1.0"])
        versions, python = self.ray.get(first.versions.remote())
        homes = str(Path(python).parents[2])
        before = disk_usage(homes, self.store)
        second = self._actor(["payload==2.0"])
        newer = self.ray.get(second.versions.remote())
        used = disk_usage(homes, self.store) - before
        twins = [self._actor(["payload==3.0"], A=str(number)) for number in range(2)]
        found = {
            "first": versions,
            "second": newer[0],
            "used": used,
            "twins": self.ray.get([twin.versions.remote() for twin in twins]),
            "children": self.ray.get(second.children.remote()),
            "late": self.ray.get(first.late.remote()),
            "homes": len(os.listdir(homes)),
            "store": sorted(os.listdir(self.store)),
        }
        for actor in (first, second, *twins):
            self.ray.kill(actor)
        return found | {"left": self._left(homes)}

    def _actor(self, field: Any, **variables: str) -> Any:
        return self.ray.remote(Uses).options(runtime_env={"liveinstall": field, "env_vars": variables}).remote()

    def _time(self, environment: dict[str, Any]) -> float:
        begin = time.monotonic()
        self.ray.get(self.ray.remote(lambda: 1).options(runtime_env=environment).remote(), timeout=PATIENCE)
        return round(time.monotonic() - begin, 2)

    def _error(self, field: Any) -> str:
        task = self.ray.remote(lambda: 1).options(runtime_env={"liveinstall": field})
        try:
            self.ray.get(task.remote(), timeout=PATIENCE)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""

    def _left(self, homes: str) -> list[str]:
        """What is left of the homes when nobody uses them."""
        end = time.monotonic() + PATIENCE
        while os.listdir(homes) and time.monotonic() < end:
            time.sleep(0.2)
        return os.listdir(homes)


_WRONG: dict[str, Any] = {
    "unknown": ["absent-of-test"],
    "ray": ["ray==0.1"],
    "field": 3,
    "option": {"packages": ["payload"], "nonsense": 1},
}

if __name__ == "__main__":
    main(*sys.argv[1:])
