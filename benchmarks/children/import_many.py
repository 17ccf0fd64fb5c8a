"""Import many modules from somewhere: `KIND CONFIG`, or `choose FILE SITE COUNT` to find out which.

A process ends at once when it has imported them: to take them down is none of importing.
"""

import json
import marshal
import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import ExtensionFileLoader, SourceFileLoader


def main() -> None:
    """Do one of these."""
    if sys.argv[1] == "choose":
        choose(*sys.argv[2:4], int(sys.argv[4]))
        return
    with open(sys.argv[2], encoding="utf-8") as stream:
        config = json.load(stream)
    prepare(sys.argv[1], config["places"])
    if sys.argv[1] == "open":
        return
    with open(config["names"], encoding="utf-8") as stream:
        names = stream.read().split()
    for name in names:
        __import__(name)
    memory = sys.meta_path[0]
    if isinstance(memory, Memory) and not memory.table:
        memory.write()
    os._exit(0)


def prepare(kind: str, places: list) -> None:
    """Activate these locations."""
    if kind == "plain":
        return
    if kind == "rarely":
        import gc

        from liveinstall._system.gc_throttle import THRESHOLD

        gc.set_threshold(THRESHOLD, *gc.get_threshold()[1:])
        return
    if kind == "memory":
        sys.meta_path.insert(0, Memory(*places))
        return
    if kind == "thirty":
        sys.path[1:1] = places
        return
    from liveinstall._sidebyside.imports.finder import Finder
    from liveinstall._sidebyside.imports.owner import by_name

    Finder(by_name(list(map(owner_of(kind), places)))).install()


class Memory:
    """Finds modules whose code lies in one file, and looks at nothing else: what no finder can do in less.

    It is made by the first run from what that imports.
    """

    def __init__(self, path: str) -> None:
        import mmap

        self.path = path
        self.table: dict = {}
        try:
            with open(path, "rb") as stream:
                self.data = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
            size = int.from_bytes(self.data[:8], "little")
            self.table = marshal.loads(self.data[8 : 8 + size])
            self.data = self.data[8 + size :]
        except FileNotFoundError:
            pass

    def find_spec(self, name: str, *_: object):
        """Return the spec of the module."""
        if name not in self.table:
            return None
        origin, search, begin, end = self.table[name]
        loader = InMemory(self, name, origin, begin, end) if end else ExtensionFileLoader(name, origin)
        spec = ModuleSpec(name, loader, origin=origin, is_package=search is not None)
        spec.has_location = True
        spec.submodule_search_locations = search
        return spec

    def write(self) -> None:
        """Write down all modules of this process that come from files, without those of a bare start."""
        table, codes, size = {}, [], 0
        for name, module in list(sys.modules.items()):
            spec = getattr(module, "__spec__", None)
            loader = getattr(spec, "loader", None)
            if type(loader) is SourceFileLoader and spec.name == name:
                codes.append(marshal.dumps(loader.get_code(name)))
            elif type(loader) is ExtensionFileLoader and spec.name == name:
                codes.append(b"")
            else:
                continue
            begin, size = size, size + len(codes[-1])
            table[name] = (spec.origin, spec.submodule_search_locations, begin, size if codes[-1] else 0)
        found = marshal.dumps(table)
        with open(self.path, "wb") as stream:
            stream.write(len(found).to_bytes(8, "little") + found + b"".join(codes))


class InMemory(SourceFileLoader):
    """Loads one of these modules."""

    def __init__(self, memory: Memory, name: str, path: str, begin: int, end: int) -> None:
        self.name, self.path = name, path
        self.memory, self.begin, self.end = memory, begin, end

    def exec_module(self, module) -> None:
        """Execute the module."""
        exec(marshal.loads(self.memory.data[self.begin : self.end]), module.__dict__)


def owner_of(kind: str):
    """Return the function that makes the owner of a location."""
    if kind.startswith("archive"):
        from liveinstall._sidebyside.imports.code_archive import ArchiveOwner

        return ArchiveOwner
    if kind in ("wheels", "open"):
        from liveinstall._sidebyside.wheels.owner import WheelOwner

        return WheelOwner
    from liveinstall._sidebyside.imports.directory import DirectoryOwner

    return DirectoryOwner if kind == "names" else lambda place: DirectoryOwner(place, lambda: table(place))


def table(place: str) -> dict:
    """A directory's index, made by the first run and kept beside it."""
    try:
        with open(f"{place}.index", "rb") as stream:
            return marshal.loads(stream.read())
    except FileNotFoundError:
        from liveinstall._sidebyside.imports.directory import walk

        found = {name: (name, kind, path) for name, kind, path in walk(place)}
        with open(f"{place}.index", "wb") as stream:
            stream.write(marshal.dumps(found))
        return found


def choose(file: str, site: str, count: int) -> None:
    """Write down which modules of a site directory to import, one a line, until they have loaded enough."""
    import warnings
    from zlib import crc32

    warnings.simplefilter("ignore")
    sys.stdout = sys.stderr = open(os.devnull, "w")
    sys.argv[1:] = []
    before = set(sys.modules)
    chosen = []
    for name in sorted(candidates(site), key=lambda name: (name.count("."), crc32(name.encode()))):
        if len(set(sys.modules) - before) >= count:
            break
        try:
            __import__(name)
            chosen.append(name)
        except BaseException:
            continue
    with open(file, "w", encoding="utf-8") as stream:
        stream.write("\n".join(chosen))
    os._exit(0)


def candidates(site: str):
    """Modules of a site directory that are meant to be imported."""
    import pkgutil

    skipped = ("test", "conftest", "setup", "__main__", "pip", "liveinstall", "antigravity", "fake", "gui", "wx", "qt")
    left = [(site, "")]
    while left:
        path, prefix = left.pop()
        for found in pkgutil.iter_modules([path]):
            if any(word in found.name.lower() for word in skipped) or prefix.count(".") > 2:
                continue
            yield prefix + found.name
            if found.ispkg:
                left.append((f"{path}/{found.name}", f"{prefix}{found.name}."))


if __name__ == "__main__":
    main()
