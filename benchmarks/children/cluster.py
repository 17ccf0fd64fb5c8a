"""Runs in a throw-away environment, the client's: `python cluster.py QUESTION ANSWER`, both JSON files.

Question: {"tool": "liveinstall" or "PipInstall"; "scheduler", "hosts": interpreters of their own environments;
"workers": on each host; "tasks": their number; "seconds": of each; "url": a page of links, the only source of wheels;
"folder": for logs and caches}.
Answer: {"seconds": from the request until all workers have the new version; "failed": tasks that raised an exception;
"again": how often a task began again}.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

NEW = "2.2.6"


def task(number: int, log: str, seconds: float) -> str:
    """Work for some time with numpy; load more of it at the end."""
    numpy = import_module("numpy")
    with open(log, "a", encoding="utf-8") as stream:
        stream.write(f"{number}\n")
    time.sleep(seconds)
    for late in ("f2py", "polynomial", "testing"):
        import_module(f"numpy.{late}")
    return str(numpy.__version__)


def version() -> str:
    """Return numpy's version, as the worker has loaded it."""
    return str(import_module("numpy").__version__)


def _start(question: dict[str, Any], processes: list[subprocess.Popen[bytes]]) -> str:
    folder = Path(question["folder"])
    address_file = folder / "scheduler.json"

    def run(name: str, python: str, module: str, *options: str) -> None:
        caches = {
            "XDG_CACHE_HOME": str(folder / f"cache-{name}"),
            "PIP_CACHE_DIR": str(folder / f"cache-{name}" / "pip"),
        }
        with open(folder / f"{name}.log", "wb") as log:
            command = [python, "-m", f"distributed.cli.{module}", "--scheduler-file", str(address_file), *options]
            more = {"env": {**os.environ, **caches}, "start_new_session": True}
            processes.append(subprocess.Popen(command, stdout=log, stderr=log, **more))

    run("scheduler", question["scheduler"], "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    for number, python in enumerate(question["hosts"]):
        fixed = ("--host", "127.0.0.1", "--nthreads", "1", "--nworkers", str(question["workers"]), "--no-dashboard")
        run(f"host{number}", python, "dask_worker", *fixed, "--local-directory", str(folder / f"files{number}"))
    return str(address_file)


def _measure(question: dict[str, Any], client: Any) -> dict[str, Any]:
    count = len(question["hosts"]) * question["workers"]
    client.wait_for_workers(count, timeout=300)
    client.run(version)
    log = os.path.join(question["folder"], "began")
    arguments = {"log": log, "seconds": question["seconds"], "pure": False}
    tasks = client.map(task, range(question["tasks"]), **arguments)
    time.sleep(question["seconds"] / 2)
    begin = time.monotonic()
    if question["tool"] == "liveinstall":
        import liveinstall

        options = {"find_links": [question["url"]], "no_index": True, "max_unavailable": len(question["hosts"])}
        liveinstall.cluster.of(client).install(f"numpy=={NEW}", **options)
    else:
        from distributed import PipInstall

        options = ["--find-links", question["url"], "--no-index"]
        client.register_plugin(PipInstall([f"numpy=={NEW}"], pip_options=options, restart_workers=True))
    while True:
        with suppress(OSError, KeyError, ImportError, AttributeError):
            found = client.run(version, on_error="ignore")
            if len(found) == count and set(found.values()) == {NEW}:
                break
        time.sleep(0.1)
    seconds = time.monotonic() - begin
    from distributed import wait

    wait(tasks, timeout=600)
    began = Path(log).read_text(encoding="utf-8").split()
    failed = sum(each.status != "finished" for each in tasks)
    return {"seconds": seconds, "failed": failed, "again": len(began) - len(set(began))}


def main() -> None:
    """Start a cluster, measure, and end it."""
    question = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    processes: list[subprocess.Popen[bytes]] = []
    try:
        file = _start(question, processes)
        from distributed import Client

        while not os.path.exists(file):
            time.sleep(0.1)
        with Client(scheduler_file=file, timeout=120) as client:
            answer = _measure(question, client)
    finally:
        for process in processes:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
