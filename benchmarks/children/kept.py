"""Runs in a throw-away environment: `python kept.py QUESTION ANSWER`, both JSON files.

Question: {"tool": liveinstall or pickle; "job": "keep", to make a variable and write it, or "restore"; "kind": array
or frame; "bytes": its size; "path": the file, for all but liveinstall's keep}.
Answer: {"seconds": of the job alone; "path": the file; "mib": peak memory of the process during the job;
"children_mib": of its largest child}.
"""

import json
import os
import pickle
import sys
import time
from typing import Any

from memory import peak, peak_of_children

VARIABLES = globals()  # what is kept is a variable of this program


def make(kind: str, size: int) -> Any:
    """Make the variable."""
    import numpy as np

    numbers = np.random.default_rng(1).random(size // 8)
    if kind == "array":
        return numbers
    import pandas as pd

    return pd.DataFrame(numbers.reshape(-1, 8), columns=list("abcdefgh"))


def keep(question: dict[str, Any]) -> str:
    """Write the variable as the tool does before a restart; liveinstall also loads it in a preview."""
    if question["tool"] == "pickle":
        with open(question["path"], "wb") as stream:
            pickle.dump(VARIABLES["value"], stream, protocol=5)
        return str(question["path"])
    from liveinstall._frontends.detect import FrontEnd
    from liveinstall._frontends.restart.keep import prepare

    prepared = prepare(["value"], FrontEnd.REPL, is_pending=False, show=lambda _: None)
    if prepared.lost:
        raise RuntimeError(prepared.warning)
    return prepared.path


def restore(question: dict[str, Any]) -> None:
    """Load the variable, as the tool does after a restart."""
    if question["tool"] == "pickle":
        with open(question["path"], "rb") as stream:
            VARIABLES["value"] = pickle.load(stream)
        os.unlink(question["path"])
        return
    from liveinstall._frontends.restart.recovery import restore as restore_variables

    told = restore_variables(question["path"])
    if "value" not in VARIABLES:
        raise RuntimeError(told)


def forget_peak() -> None:
    """What making the variable took does not count."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as stream:
        stream.write("5")


def main(question_path: str, answer_path: str) -> None:
    """Do one job."""
    with open(question_path, encoding="utf-8") as stream:
        question = json.load(stream)
    answer: dict[str, Any] = {"path": question.get("path", "")}
    if question["job"] == "keep":
        VARIABLES["value"] = make(question["kind"], question["bytes"])
    forget_peak()
    begin = time.perf_counter()
    if question["job"] == "keep":
        answer["path"] = keep(question)
    else:
        restore(question)
    answer["seconds"] = time.perf_counter() - begin
    answer["mib"] = peak()
    answer["children_mib"] = peak_of_children()
    with open(answer_path, "w", encoding="utf-8") as stream:
        json.dump(answer, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
