"""A child process, `python -I -S _compile_child.py SHARE SHARES`, that compiles the sources announced on its stdin.

A line has the kind, the part, the site directory and the path in the part, separated by tabs; the site directory is the
final location, for which the source is compiled. Kinds: `must` is compiled; `seed` is compiled, together with the
announced modules that it imports at its top level; `more` is only announced. Modules that a package imports within
functions are likely to be needed, and are compiled while there is nothing else to do. All SHARES children get the same
lines and follow the same imports, and each compiles its share, so they need not communicate. After a line `end` the
wanted modules are still compiled, but not the likely ones. The end of stdin means that the result is no longer needed,
or that the parent has died: the child exits at once, because the files may be removed. Failures are ignored: the import
will report them.
"""

import collections
import os
import queue
import re
import sys
import threading
import zlib
from importlib.util import cache_from_source
from py_compile import compile as compile_file

_IMPORT = re.compile(r"\s+(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+(\([^)]{0,20000}\)|[^\n]*)|import[ \t]+([^\n]+))")
_TRY = re.compile(r"\ntry:[^\n]*\n(?:(?:[ \t][^\n]*)?\n)+")
# The beginnings of import lines: searching for a string is a hundred times as fast as for a regular expression.
_TOP_LEVEL = ("\nfrom ", "\nimport ")
_IN_TRY = ("\n    from ", "\n    import ")  # in a top-level `try`, not deeper


class Compiler:
    """The announced, wanted and likely modules, and the queues of those to compile, by paths relative to the part.

    Args:
        share: The number of this child process, from 0.
        shares: The number of child processes.
    """

    def __init__(self, share=0, shares=1):
        self.share, self.shares = share, shares
        self.locations = {}  # path -> {part: site directory}; several parts of a store may have the same path
        self.wanted = {}  # path -> whether its imports are followed
        self.likely = set()
        self.ready = collections.deque()  # wanted and announced
        self.spare = collections.deque()  # likely and announced
        self.compiled = set()

    def announce(self, kind, part, home, path):
        """Process one line of stdin.

        Args:
            kind: must, seed or more.
            part: The absolute path of the part.
            home: The final site directory.
            path: The path of the source, relative to the part.
        """
        self.locations.setdefault(path, {})[part] = home
        if kind != "more":
            self.wanted[path] = kind == "seed"
        if path in self.wanted:
            self.ready.append(path)
        elif path in self.likely:
            self.spare.append(path)

    def want(self, module):
        """Compile a module, a path without a suffix, as soon as it is announced."""
        for path in (module + ".py", module + "/__init__.py"):
            if path not in self.wanted:
                self.wanted[path] = True
                if path in self.locations:
                    self.ready.append(path)

    def expect(self, module):
        """Compile a module, a path without a suffix, while there is nothing else to do."""
        for path in (module + ".py", module + "/__init__.py"):
            if path not in self.wanted and path not in self.likely:
                self.likely.add(path)
                if path in self.locations:
                    self.spare.append(path)

    def compile_next(self):
        """Compile the next module if it is in the share of this process, and follow its imports in any case."""
        path = (self.ready or self.spare).popleft()
        is_own = zlib.crc32(path.encode("utf-8", "surrogateescape")) % self.shares == self.share
        for part, site_dir in self.locations[path].items():
            source = os.path.join(part, path)
            try:
                if self.wanted.get(path, True):
                    with open(source, encoding="utf-8", errors="replace") as stream:
                        self.follow(stream.read(), path)
                if is_own and source not in self.compiled:
                    self.compiled.add(source)
                    if os.path.exists(cache_from_source(source, optimization="")):
                        continue  # it was known
                    compile_file(source, dfile=os.path.normpath(os.path.join(site_dir, path)), doraise=True, quiet=2)
            except Exception:
                pass

    def follow(self, text, path):
        """Mark the modules that a source imports as wanted or likely.

        Args:
            text: The source.
            path: Its path, relative to the part.
        """
        add = self.want if path in self.wanted else self.expect
        text = f"\n{text}"
        for module in imports(text, path, _TOP_LEVEL):
            add(module)
        for block in matches(_TRY, text, ("\ntry:",)):
            for module in imports(block[0], path, _IN_TRY):
                add(module)
        if path in self.wanted and is_top(path):
            for module in imports(text, path, (" from ", " import ")):
                self.expect(module)


def is_top(path):
    """Return whether a path is a top-level module or the `__init__` of a top-level package."""
    package, _, module = path.rpartition("/")
    return not package or ("/" not in package and module == "__init__.py")


def matches(pattern, text, starts):
    """Iterate over the matches of a pattern at certain beginnings of lines.

    Args:
        pattern: The compiled regular expression.
        text: The text.
        starts: The strings that a match may begin with.
    """
    for start in starts:
        position = text.find(start)
        while position >= 0:
            match = pattern.match(text, position)
            if match:
                yield match
            position = text.find(start, match.end() if match else position + 1)


def imports(text, path, starts):
    """Iterate over the modules that a source may import, as paths without a suffix, parents first.

    Args:
        text: The source.
        path: Its path, relative to the part.
        starts: The beginnings of the lines to search.
    """
    package = path.split("/")[:-1]
    for match in matches(_IMPORT, text, starts):
        start, names, plain = match.groups("")
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


def main(share, shares):
    """Compile until the end of stdin; see the module.

    Args:
        share: The number of this child process, from 0.
        shares: The number of child processes.
    """
    if hasattr(os, "nice"):
        os.nice(10)  # unpacking has priority, because all other work depends on it
    lines = queue.SimpleQueue()

    def read():
        for line in sys.stdin.buffer:  # as text it would be in the code page of Windows
            lines.put(line.decode("utf-8", "surrogateescape").rstrip("\n").split("\t"))
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    compiler, ended = Compiler(share, shares), False
    while compiler.ready or not ended:
        while not ended and not ((compiler.ready or compiler.spare) and lines.empty()):
            line = lines.get()
            ended = line == ["end"]
            if not ended:
                compiler.announce(*line)
        if compiler.ready or not ended:
            compiler.compile_next()
    os._exit(0)  # the thread is still reading


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
