"""Runs in a throw-away environment: `python homes.py QUESTION ANSWER`, both JSON files.

Question: {"job": "home", "path": where it is made, "store": a directory, "requirements": [...]}, or {"job": "trial",
"rounds": how often, "stage": a requirement that is made to wait first, or nothing; "wheels": where it is from}.
Answer of home: {"cpu": seconds of CPU of the call, "again": of the same for another place, when all is loaded}.
Answer of trial: {"trial": [[CPU, wall], ...], "plain": [...], "control": [...]}: seconds from the call to the first
statement of the program, CPU of both processes; plain and control are the bare interpreter as a child.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

FIRST = "import time; print(time.perf_counter(), time.process_time())"


def home(question: dict[str, Any]) -> dict[str, float]:
    """Measure the creation of a home, and of a second one."""
    from liveinstall import homes

    marks = [time.process_time()]
    for end in ("", "-again"):
        homes.create(question["path"] + end, *question["requirements"], store=question["store"])
        marks.append(time.process_time())
    return {"cpu": marks[1] - marks[0], "again": marks[2] - marks[1]}


def trial(question: dict[str, Any]) -> dict[str, list[list[float]]]:
    """Measure the time to the first statement of a program."""
    import liveinstall

    if question["stage"]:
        done = liveinstall.install(
            question["stage"], when="restart", find_links=question["wheels"], no_index=True, engine="pip"
        )
        if not done.staged:
            raise RuntimeError("no pending changes")

    def plain() -> str:
        return subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True).stdout

    arms: dict[str, Callable[[], str]] = {
        "trial": lambda: liveinstall.trial(FIRST).stdout,
        "plain": plain,
        "control": plain,
    }
    found: dict[str, list[list[float]]] = {name: [] for name in arms}
    for _ in range(question["rounds"] + 1):
        for name, call in arms.items():
            cpu, wall = time.process_time(), time.perf_counter()
            there, used = map(float, call().split())
            found[name].append([time.process_time() - cpu + used, there - wall])
    return {name: times[1:] for name, times in found.items()}  # the first one also loads modules


def main(question_path: str, answer_path: str) -> None:
    """Do one job."""
    with open(question_path, encoding="utf-8") as stream:
        question = json.load(stream)
    answer = {"home": home, "trial": trial}[question["job"]](question)
    with open(answer_path, "w", encoding="utf-8") as stream:
        json.dump(answer, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
