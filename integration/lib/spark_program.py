"""A Spark session with two executors in processes of their own, and code that runs in its driver."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from integration.lib.environments import user_variables

# Short programs: no time for the second compiler, little memory for each of the three Java processes.
_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def why_not() -> str:
    """Why Spark cannot be run here; empty if it can."""
    if os.name == "nt":
        return "SKIPPED: Spark is refused on Windows"
    if importlib.util.find_spec("pyspark") is None:
        return "SKIPPED: Spark, because PySpark (450 MB) is not installed; nox -s spark installs it"
    if shutil.which("java") is None:
        return "SKIPPED: Spark, because Java is not installed"
    return ""


def run_driver(code: str, folder: Path, **values: Any) -> dict[str, Any]:
    """Run code in a driver with `spark`, `seen()` and `tell()`.

    Args:
        code: The code.
        folder: A directory for its files.
        **values: Variables for the code, JSON values.

    Returns:
        What it has told.
    """
    home = _spark_home(folder)
    program = folder / "driver.py"
    begin = "".join(f"{name} = json.loads({json.dumps(value)!r})\n" for name, value in values.items())
    program.write_text(_BEGIN + begin + code + "\nspark.stop()\n", encoding="utf-8")
    # Its mounts are in a namespace of their own, and vanish with it.
    own_mounts = (
        ["unshare", "--mount"] if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("unshare") else []
    )
    variables = {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder / "local"),
        "PYSPARK_PYTHON": sys.executable,
        "JDK_JAVA_OPTIONS": _JAVA,
        "XDG_CACHE_HOME": str(folder / "cache"),
        "MAY_MOUNT": "yes" if own_mounts else "",
    }
    command = [*own_mounts, sys.executable, "-W", "ignore", str(program)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=1500, env=user_variables(**variables), cwd=folder
    )
    assert done.returncode == 0, done.stdout + done.stderr[-8000:]
    print(done.stdout, file=sys.stderr)
    facts: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        if line.startswith("TOLD "):
            facts |= json.loads(line.removeprefix("TOLD "))
    return facts


def _spark_home(folder: Path) -> Path:
    """A directory like PySpark's, so that the executors' directories are not in the installed package."""
    spec = importlib.util.find_spec("pyspark")
    assert spec and spec.submodule_search_locations
    home = folder / "spark"
    home.mkdir()
    for path in Path(spec.submodule_search_locations[0]).iterdir():
        if path.name in ("bin", "jars", "python", "sbin"):
            (home / path.name).symlink_to(path)
    return home


_BEGIN = '''\
import json, os, signal, subprocess, sys, threading, time

from pyspark.sql import SparkSession
from pyspark.sql.functions import udf

builder = SparkSession.builder.master("local-cluster[2,2,1024]")
for name, value in {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.executor.memory": "512m",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("OFF")
SETTING = "spark.sql.execution.pyspark.python"


def tell(**facts):
    print("TOLD " + json.dumps(facts), flush=True)


def look(_number=0):
    """What a Python worker of an executor sees: the versions of alpha, and the number of the executor."""
    import os, time
    try:
        import alpha
        import alpha.late
        found = f"{alpha.VERSION} {alpha.late.VERSION}"
    except ImportError:
        found = "none"
    time.sleep(0.2)  # so that the other executor gets a task, too
    return f"{os.path.basename(os.getcwd())}: {found}"


def seen(session=spark, count=4):
    """What the tasks of one query see, each once, by executor."""
    rows = session.range(count, numPartitions=count).select(udf(look, "string")("id")).collect()
    return sorted({row[0] for row in rows})


def workers():
    """The processes of the executors, by number."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            place = os.readlink(f"/proc/{name}/cwd")
            words = open(f"/proc/{name}/cmdline").read().split("\\0")
        except OSError:
            continue
        if place.startswith(os.environ["SPARK_HOME"]) and any(word.endswith("ExecutorBackend") for word in words):
            found[os.path.basename(place)] = int(name), place
    return found


'''
