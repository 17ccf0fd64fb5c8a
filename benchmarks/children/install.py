"""Runs in a throw-away environment: `python install.py QUESTION ANSWER`, both JSON files.

Question: {"tool": liveinstall, pip or uv; "requirements": [...]; "preload": [modules imported before]; "imports":
[modules imported after]; "wheels": the only source of wheels, absent for the configured index; "when" and "engine":
liveinstall's; "uv": that program}.
Answer: {"call", "import": seconds; "phases": liveinstall's own seconds by phase; "staged": [names that wait];
"loading": seconds to load liveinstall; "engine": seconds in its engine; "self_mib", "children_mib": peak memory of the
call}.
The clock starts before liveinstall is imported, for it is a part of the call.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from typing import Any

from memory import peak, peak_of_children


def _liveinstall(question: dict[str, Any], answer: dict[str, Any]) -> None:
    begin = time.perf_counter()
    import liveinstall

    call = getattr(liveinstall, question.get("call", "install"))
    answer["loading"] = time.perf_counter() - begin
    engine = question.get("engine", "pip")
    os.environ["UV"] = question["uv"]
    module = importlib.import_module(f"liveinstall._engines.{engine}.engine")
    kind = getattr(module, f"{engine.capitalize()}Engine")
    resolve = kind.resolve

    def timed(*arguments: Any, **options: Any) -> Any:
        begin = time.perf_counter()
        try:
            return resolve(*arguments, **options)
        finally:
            answer["engine"] = time.perf_counter() - begin

    kind.resolve = timed
    options = {"no_index": True, "find_links": [question["wheels"]]} if "wheels" in question else {}
    result = call(*question["requirements"], when=question.get("when", "auto"), engine=engine, **options)
    answer["phases"] = getattr(result, "seconds", {})
    answer["staged"] = [change.name for change in getattr(result, "staged", ())]


def _other(question: dict[str, Any]) -> None:
    commands = {
        "pip": [sys.executable, "-m", "pip", "install"],
        "uv": [question["uv"], "pip", "install", "--python", sys.executable],
    }
    source = ["--no-index", "--find-links", question["wheels"]] if "wheels" in question else []
    command = [*commands[question["tool"]], *source, *question["requirements"]]
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    importlib.invalidate_caches()


def main(question_path: str, answer_path: str) -> None:
    with open(question_path, encoding="utf-8") as stream:
        question = json.load(stream)
    for module in question.get("preload", ()):
        importlib.import_module(module)
    answer: dict[str, Any] = {}
    begin = time.perf_counter()
    if question["tool"] == "liveinstall":
        _liveinstall(question, answer)
    else:
        _other(question)
    between = time.perf_counter()
    peaks = peak(), peak_of_children()  # without what is imported afterwards
    for module in question.get("imports", ()):
        importlib.import_module(module)
    answer |= {"call": between - begin, "import": time.perf_counter() - between}
    answer["self_mib"], answer["children_mib"] = peaks
    with open(answer_path, "w", encoding="utf-8") as stream:
        json.dump(answer, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
