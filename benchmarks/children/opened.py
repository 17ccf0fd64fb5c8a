"""Runs as `python -S opened.py LOG`: does what a start does, and writes the paths that it opens or lists, one a line.

Where there is no strace. An audit hook sees files that are opened and imported, not those that are only asked for.
"""

import os
import sys
from typing import Any


def main(log: str) -> None:
    seen: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"open", "os.listdir", "os.scandir"} and isinstance(arguments[0], str):
            seen.append(os.path.abspath(arguments[0]))

    sys.addaudithook(hook)
    import site

    site.main()
    with open(log, "w", encoding="utf-8") as stream:
        stream.write("\n".join(seen))


if __name__ == "__main__":
    main(sys.argv[1])
