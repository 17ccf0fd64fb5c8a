"""A child process, `python -I -S _compile_child.py SHARE SHARES`, that compiles the sources announced on its stdin.

A line has the kind, the part, the site directory and the path in the part, separated by tabs; the site directory is the
final location, for which the source is compiled. Kinds: `must` is compiled; `seed` is compiled, together with the
announced modules that it imports at its top level; `more` is only announced. Modules that a package imports within
functions are likely to be needed, and are compiled while there is nothing else to do. All SHARES children get the same
lines and follow the same imports, and each compiles its share, so they need not communicate. After a line `end` the
wanted modules are still compiled, but not the likely ones. The end of stdin means that the result is no longer needed,
or that the parent has died: the child exits at once, because the files may be removed. Failures are ignored: the import
will report them.

It loads few modules: with `re`, `queue`, `threading` and `py_compile`, a child would begin to compile 15 ms later.
"""

import marshal
import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader, cache_from_source
from _thread import allocate_lock, start_new_thread

# The beginnings of import statements.
_TOP_LEVEL = ("\nfrom ", "\nimport ")
_IN_TRY = ("\n    from ", "\n    import ")  # in a top-level `try`, not deeper
_ANYWHERE = (" from ", " import ")
_LONGEST_MODULE, _LONGEST_NAMES = 300, 20_000  # characters, so that no source takes long
_BETWEEN_NAMES = str.maketrans("(),", "   ")
_MASK = 2**32 - 1


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
        self.ready = []  # wanted and announced
        self.spare = []  # likely and announced
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
        path = (self.ready or self.spare).pop(0)
        is_own = sum(path.encode("utf-8", "surrogateescape")) % self.shares == self.share
        is_followed = self.wanted.get(path, True)
        for part, site_dir in self.locations[path].items() if is_own or is_followed else ():
            source = os.path.join(part, path)
            try:
                with open(source, "rb") as stream:
                    content, status = stream.read(), os.fstat(stream.fileno())
                if is_followed:
                    self.follow(content.decode("utf-8", "replace").replace("\r\n", "\n"), path)
                if is_own and source not in self.compiled:
                    self.compiled.add(source)
                    write_bytecode(source, content, status, os.path.normpath(os.path.join(site_dir, path)))
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
        for block in try_blocks(text):
            for module in imports(block, path, _IN_TRY):
                add(module)
        if path in self.wanted and is_top(path):
            for module in imports(text, path, _ANYWHERE):
                self.expect(module)


def write_bytecode(source, content, status, final):
    """Compile a source, unless its bytecode is known, and write the bytecode.

    Args:
        source: The absolute path of the source.
        content: Its content.
        status: Its status, with the time and size that belong into the header.
        final: The absolute path for which it is compiled.
    """
    target = cache_from_source(source, optimization="")
    if not os.path.exists(target):
        code = compile(content, final, "exec", dont_inherit=True)
        mode = (status.st_mode | 0o200) & 0o666
        SourceFileLoader("", source).set_data(target, header(content, status) + marshal.dumps(code), _mode=mode)


def header(content, status):
    """Return the header of bytecode (PEP 552), as `py_compile` writes it by default.

    Args:
        content: The source.
        status: Its status.
    """
    if os.environ.get("SOURCE_DATE_EPOCH"):  # reproducible: valid by the hash of the source
        from importlib.util import source_hash

        return MAGIC_NUMBER + (0b11).to_bytes(4, "little") + source_hash(content)
    numbers = (0, int(status.st_mtime) & _MASK, status.st_size & _MASK)
    return MAGIC_NUMBER + b"".join(number.to_bytes(4, "little") for number in numbers)


def is_top(path):
    """Return whether a path is a top-level module or the `__init__` of a top-level package."""
    package, _, module = path.rpartition("/")
    return not package or ("/" not in package and module == "__init__.py")


def try_blocks(text):
    """Iterate over the `try` blocks at the top level of a source.

    Args:
        text: The source.
    """
    begin = text.find("\ntry:")
    while begin >= 0:
        end = text.find("\n", begin + 1)
        while end >= 0 and text[end + 1 : end + 2] in (" ", "\t", "\n"):
            end = text.find("\n", end + 1)
        end = end if end >= 0 else len(text)
        yield text[begin:end]
        begin = text.find("\ntry:", end)


def statements(text, starts):
    """Iterate over the import statements of a source: the module in `from` with its dots, or None, and the names.

    Args:
        text: The source.
        starts: The beginnings of the statements to find.
    """
    for start in starts:
        position = text.find(start)
        while position >= 0:
            position += len(start)
            if start.endswith("from "):
                end = text.find(" import", position, position + _LONGEST_MODULE)
                module, begin = text[position : max(end, position)].strip(), end + len(" import")
                if module and not set(module) & set(" \t\n") and text[begin : begin + 1] in (" ", "\t", "("):
                    position = _end_of_names(text, begin)
                    yield module, text[begin:position]
            else:
                begin, position = position, _end_of_line(text, position)
                yield None, text[begin:position]
            position = text.find(start, position)


def _end_of_names(text, begin):
    if text[begin : begin + 2].strip().startswith("("):
        end = text.find(")", begin, begin + _LONGEST_NAMES)
        if end >= 0:
            return end
    return _end_of_line(text, begin)


def _end_of_line(text, begin):
    end = text.find("\n", begin)
    return end if end >= 0 else len(text)


def imports(text, path, starts):
    """Iterate over the modules that a source may import, as paths without a suffix, parents first.

    Args:
        text: The source.
        path: Its path, relative to the part.
        starts: The beginnings of the lines to search.
    """
    package = path.split("/")[:-1]
    for start, names in statements(text, starts):
        if start is None:
            bases = [name.split()[0].split(".") for name in names.split(",") if name.split()]
            names = ""
        else:
            level = len(start) - len(start.lstrip("."))
            base = package[: len(package) - level + 1] if level else []
            bases = [base + [part for part in start.lstrip(".").split(".") if part]]
        for base in bases:
            for length in range(1, len(base) + 1):
                yield "/".join(base[:length])
            for name in names.translate(_BETWEEN_NAMES).split():
                yield "/".join([*base, name])


def main(share, shares):
    """Compile until the end of stdin; see the module.

    Args:
        share: The number of this child process, from 0.
        shares: The number of child processes.
    """
    if hasattr(os, "nice"):
        os.nice(10)  # unpacking has priority, because all other work depends on it
    lines, arrived = [], allocate_lock()
    arrived.acquire()

    def read():
        for line in sys.stdin.buffer:  # as text it would be in the code page of Windows
            lines.append(line.decode("utf-8", "surrogateescape").rstrip("\n").split("\t"))
            if arrived.locked():
                arrived.release()
        os._exit(0)

    start_new_thread(read, ())
    compiler, ended = Compiler(share, shares), False
    while compiler.ready or not ended:
        if not (compiler.ready or compiler.spare):
            arrived.acquire()
        batch = lines[:]
        del lines[: len(batch)]
        for line in batch:
            if line == ["end"]:
                ended = True
            else:
                compiler.announce(*line)
        if compiler.ready or (compiler.spare and not ended):
            compiler.compile_next()
    os._exit(0)  # the thread is still reading


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
