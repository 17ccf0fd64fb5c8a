"""Runs in a child process: `python -I -S _compile_child.py` compiles, for its final place, what stdin announces.

A line: kind, part, home and path in the part, separated by tabs. Kinds: `must` is compiled in any case; `seed` is
compiled, and then what it imports at its top level, as far as that is announced too; `more` is only announced.
At the end of stdin only what must be is still compiled. A failure is none: the import will say it.
"""

import os
import queue
import re
import sys
import threading
from py_compile import compile as compile_file

_IMPORT = re.compile(r"^(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)|import[ \t]+([^\n]+))", re.MULTILINE)


class Compiler:
    """What is announced, what is wanted, and what was compiled; paths are relative to their part."""

    def __init__(self):
        self.places = {}  # path -> (part, home)
        self.wanted = {}  # path -> whether it must be; in the order of wanting
        self.done = set()

    def announce(self, kind, part, home, path):
        self.places[path] = (part, home)
        if kind != "more":
            self.wanted[path] = kind == "must"

    def next(self, *, only_must):
        for path, must in self.wanted.items():
            if path in self.places and (must or not only_must):
                return path
        return None

    def compile(self, path):
        must = self.wanted.pop(path)
        self.done.add(path)
        part, home = self.places[path]
        source = os.path.join(part, path)
        try:
            compile_file(source, dfile=os.path.join(home, path), doraise=True, quiet=2)
            if not must:
                with open(source, encoding="utf-8", errors="replace") as stream:
                    self.want(imports(stream.read(), path))
        except Exception:
            pass

    def want(self, modules):
        for module in modules:
            for path in (module + ".py", module + "/__init__.py"):
                if path not in self.done:
                    self.wanted.setdefault(path, False)


def imports(text, path):
    """The modules that a source may import at its top level, as paths without a suffix, parents first."""
    package = path.split("/")[:-1]
    for start, names, plain in _IMPORT.findall(text):
        if plain:
            bases, names = [name.split()[0].split(".") for name in plain.split(",") if name.split()], ""
        else:
            level = len(start) - len(start.lstrip("."))
            base = package[: len(package) - level + 1] if level else []
            bases = [base + [part for part in start.lstrip(".").split(".") if part]]
        for base in bases:
            for length in range(1, len(base) + 1):
                yield "/".join(base[:length])
            for name in re.findall(r"\w+", names):
                yield "/".join([*base, name])


def main():
    lines = queue.SimpleQueue()

    def read():
        for line in sys.stdin:
            lines.put(line.rstrip("\n").split("\t"))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    compiler, ended = Compiler(), False
    while True:
        path = compiler.next(only_must=ended)
        if ended and path is None:
            return
        while not ended and (path is None or not lines.empty()):
            line = lines.get()
            ended = line is None
            if line:
                compiler.announce(*line)
            path = compiler.next(only_must=ended)
        if path is not None:
            compiler.compile(path)


if __name__ == "__main__":
    main()
