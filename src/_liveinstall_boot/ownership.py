"""Which files a RECORD owns, what leaves with a distribution, and which names it has."""

import os
from os.path import dirname, isdir, join, normpath

from .codec import record_paths
from .files import remove_empty, unlink


def paths_to_retire(site_dir, info, inside):
    """What goes out with a distribution besides its dist-info `info`: paths below `site_dir`, as whole as possible."""
    moves = [path for path in inside if "/" not in path]
    tops = {path.split("/", 1)[0] for path in inside if "/" in path} - {info}
    if any(path.endswith(".py") for path in moves):
        tops.add("__pycache__")
    for top in sorted(tops):
        if isdir(join(site_dir, top)):
            collect(site_dir, top, inside, moves)
    return moves


def collect(site_dir, directory, owned, moves):
    """Append to `moves` what of `directory` is owned, as whole directories where possible; True when all of it is."""
    found, whole = [], True
    for entry in os.scandir(join(site_dir, directory)):
        path = directory + "/" + entry.name if directory else entry.name
        if path in owned or _is_bytecode_of(path, owned):
            found.append(path)
        elif not entry.is_dir(follow_symlinks=False) or not collect(site_dir, path, owned, found):
            whole = False
    if whole and found:
        found = [directory]
    moves += found
    return whole


def _is_bytecode_of(path, owned):
    directory, _, name = path.rpartition("/")
    if not name.endswith(".pyc") or not directory.endswith("__pycache__"):
        return False
    return directory[: -len("__pycache__")] + name.split(".", 1)[0] + ".py" in owned


def owned(site_dir, record_text):
    """What a RECORD owns: paths below `site_dir`, and absolute paths elsewhere."""
    inside, outside = set(), []
    for path in record_paths(record_text):
        path = normpath(path).replace(os.sep, "/")
        if path.startswith(("/", "../")) or path[1:2] == ":":
            outside.append(normpath(join(site_dir, path)))
        else:
            inside.add(path)
    return inside, outside


def top_names(paths):
    """The top-level import names among paths of a RECORD, and the top-level paths that hold shared libraries."""
    names, libraries = set(), set()
    for path in paths:
        top, slash, _ = path.partition("/")
        if not top.endswith((".dist-info", ".egg-info", ".pth", ".start")) and top not in ("", "__pycache__"):
            names.add(top.partition(".")[0])
            if ".so" in path or path.endswith((".dylib", ".pyd", ".dll")):
                libraries.add(top + slash)
    return names, libraries


def forget_bytecode(site_dir, paths, touched):
    """Remove the .pyc files that an interpreter has written for these sources."""
    sources = {path for path in paths if path.endswith(".py")}
    for directory in {dirname(path) for path in sources}:
        cache = join(site_dir, directory, "__pycache__")
        if isdir(cache):
            for name in os.listdir(cache):
                if _is_bytecode_of((directory + "/" if directory else "") + "__pycache__/" + name, sources):
                    try:
                        unlink(join(cache, name))
                    except PermissionError:
                        pass
            remove_empty(site_dir, [join(directory, "__pycache__", "x")], touched)
