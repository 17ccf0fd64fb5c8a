"""A start of Python in a separate process, which can be killed or get an error before one of its file changes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

KILLED = 9
# Of the points of a kill or an error: where each takes a new interpreter, only every seventh, unless all are asked for.
EVERY = 1 if hasattr(os, "fork") or os.environ.get("LIVEINSTALL_ALL_CASES") == "1" else 7
# Events that change files; os.replace is audited as os.rename, os.unlink as os.remove.
CHANGES = {
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.remove",
    "os.chmod",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.utime",
}


def is_change(event: str, arguments: tuple) -> bool:
    return event in CHANGES or (event == "open" and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))


class Counter:
    """Counts file changes; before number `at` it kills this process, raises `error`, or calls it."""

    def __init__(self, at: int, error: object) -> None:
        self.at, self.error, self.counted = at, error, 0

    def __call__(self, event: str, arguments: tuple) -> None:
        if is_change(event, arguments):
            self.counted += 1
            if self.counted - 1 == self.at:
                if self.error is None:
                    os._exit(KILLED)
                if isinstance(self.error, OSError):
                    raise self.error
                self.error()


def main(site: str, at: int, code: int) -> None:
    """Do what a start does with a companion; print the number of file changes."""
    import _liveinstall_boot as boot
    from _liveinstall_boot.layout import COMPANIONS

    counter = Counter(at, OSError(code, os.strerror(code)) if code else None)
    sys.addaudithook(counter)
    if any(name.endswith(COMPANIONS) for name in os.listdir(site)):
        boot.finalize(site)
    total, counter.at = counter.counted, -1
    print(total)


if __name__ == "__main__":
    here = Path(__file__).parents[2]
    sys.path[:0] = [str(here / "src"), str(here / "tests")]
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
