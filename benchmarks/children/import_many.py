"""Import many modules from somewhere: `KIND CONFIG`, or `choose FILE SITE COUNT` to find out which."""

import json
import sys


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


def prepare(kind: str, places: list) -> None:
    """Let modules come from these places."""
    if kind == "plain":
        return
    if kind == "thirty":
        sys.path[1:1] = places
        return
    from liveinstall.parallel.finder import Finder
    from liveinstall.parallel.owners import by_name

    Finder(by_name(list(map(owner_of(kind), places)))).install()


def owner_of(kind: str):
    """How to make the owner of a place."""
    if kind.startswith("archive"):
        from liveinstall.parallel.archive import ArchiveOwner

        return ArchiveOwner
    if kind in ("wheels", "open"):
        from liveinstall.parallel.wheelfile import WheelOwner

        return WheelOwner
    from liveinstall.parallel.directory import DirectoryOwner

    return DirectoryOwner if kind == "names" else lambda place: DirectoryOwner(place, lambda: table(place))


def table(place: str) -> dict:
    """A directory's index, made by the first run and kept beside it."""
    import marshal

    try:
        with open(f"{place}.index", "rb") as stream:
            return marshal.loads(stream.read())
    except FileNotFoundError:
        from liveinstall.parallel.directory import walk

        found = {name: (name, kind, path) for name, kind, path in walk(place)}
        with open(f"{place}.index", "wb") as stream:
            stream.write(marshal.dumps(found))
        return found


def choose(file: str, site: str, count: int) -> None:
    """Write down which modules of a site directory to import, one a line, until they have loaded enough."""
    import os
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
