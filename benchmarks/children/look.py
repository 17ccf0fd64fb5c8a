"""Runs in a throw-away environment: `python look.py QUESTION ANSWER`, both JSON files.

Question: {"call": a public function; "arguments": [...]}. Answer: {"loading", "first", "again": seconds}.
"""

import itertools
import json
import sys
import time

import liveinstall


def main(question_path: str, answer_path: str) -> None:
    """Load the function, call it, and call it again."""
    with open(question_path, encoding="utf-8") as stream:
        question = json.load(stream)
    marks = [time.perf_counter()]
    call = getattr(liveinstall, question["call"])
    marks.append(time.perf_counter())
    for _ in range(2):
        call(*question["arguments"])
        marks.append(time.perf_counter())
    loading, first, again = (later - earlier for earlier, later in itertools.pairwise(marks))
    with open(answer_path, "w", encoding="utf-8") as stream:
        json.dump({"loading": loading, "first": first, "again": again}, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
