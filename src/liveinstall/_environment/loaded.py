"""What this process has loaded, matched by RECORD against files: never by guessing names."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING

from _liveinstall_boot.codec import read
from _liveinstall_boot.layout import COMPANIONS
from liveinstall._environment.holders import users
from liveinstall._environment.installed import record_of
from liveinstall._system.caller import namespace_of, search_path
from liveinstall._system.child_process import run
from liveinstall._system.interpreter import executable
from liveinstall._system.temporary import temporary_directory
from liveinstall.errors import DamagedError, EngineTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from liveinstall._model import Distribution
    from liveinstall.results import Holder, Target


def loaded(distributions: Iterable[Distribution]) -> dict[str, str]:
    """Those of `distributions` that this process has loaded: name -> the file that shows it.

    A distribution without a usable RECORD is taken as loaded when a loaded file lies beside its metadata.
    """
    distributions = list(distributions)
    files = loaded_files() if distributions else set()
    tops = {home: _tops(home, files) for home in {os.path.dirname(one.info) for one in distributions}}
    found = {}
    for distribution in distributions:
        if _may_own(distribution, tops[os.path.dirname(distribution.info)]):
            witness = _witness(distribution, files)
            if witness:
                found[distribution.name] = witness
    return found


def _tops(home: str, files: Iterable[str]) -> set[str]:
    """The first components, below `home`, of those of `files` that lie there."""
    start = len(home) + 1
    return {path[start:].partition(os.sep)[0] for path in files if path.startswith(home + os.sep)}


def _may_own(distribution: Distribution, tops: AbstractSet[str]) -> bool:
    """A glance at RECORD that spares most distributions the long look: whether it has any of `tops`, or cannot tell."""
    if distribution.project:
        return True
    try:
        text = read(os.path.join(distribution.info, "RECORD"))
    except (OSError, UnicodeError):
        return True
    before = None
    for line in text.splitlines():
        top = line.partition("/")[0]
        if top == before:  # as nearly always
            continue
        before = top
        if line.startswith(('"', ".", "/")) or top[1:2] == ":" or top.partition(",")[0] in tops:
            return True
    return False


def disturbing(distributions: Iterable[Distribution], target: Target, others: Sequence[Holder]) -> dict[str, str]:
    """Which of `distributions` cannot be replaced or shadowed now, and why: name -> words.

    Others that are alive say what they use; of some only the system tells, by what they have mapped.
    """
    distributions = list(distributions)
    reasons = {}
    for name, user in users((found for found in distributions if is_in(target, found)), others).items():
        reasons[name] = f"{user} {'may use' if user.uses is None and not user.distributions else 'uses'} {name}"
    here = {distribution.name: distribution for distribution in distributions}
    for name in loaded(distributions):
        where = "" if is_in(target, here[name]) else f" from {os.path.dirname(here[name].info)}"
        reasons[name] = f"{name} is imported here{where}"
    return reasons


def is_in(target: Target, distribution: Distribution) -> bool:
    """Whether a distribution lies in the environment that is changed; else it can only be shadowed."""
    return os.path.dirname(distribution.info) in (target.site, target.platlib)


def is_before(target: Target, distribution: Distribution) -> bool:
    """Whether imports find a distribution before anything in the environment: PYTHONPATH, a path line, a script's."""
    order = [os.path.realpath(entry or os.curdir) for entry in search_path()]
    places = [order.index(home) for home in (target.site, target.platlib) if home in order]
    home = os.path.dirname(distribution.info)
    return home in order and order.index(home) < min(places, default=0)


def loaded_files() -> set[str]:
    """The real paths of the files behind sys.modules, and of the shared libraries that are mapped."""
    files = {os.path.normpath(path) for module in list(sys.modules.values()) for path in _module_files(module)}
    homes = {directory: os.path.realpath(directory) for directory in set(map(os.path.dirname, files))}
    for path in list(files):
        real = os.path.join(homes[os.path.dirname(path)], os.path.basename(path))
        files.add(os.path.realpath(real) if os.path.islink(real) else real)
    return files | mapped_files()


def _module_files(module: object) -> Iterable[str]:
    """Asked of the namespace and not of the module: a lazy module would import something, or raise anything."""
    namespace = namespace_of(module)
    spec = namespace.get("__spec__")
    try:
        origin = spec.origin if isinstance(spec, ModuleSpec) else namespace_of(spec).get("origin")
    except Exception:  # noqa: BLE001  a spec of somebody's own making
        origin = None
    for path in (namespace.get("__file__"), origin):
        if isinstance(path, str) and os.path.isabs(path) and "\0" not in path:
            yield path


def loaded_at_start(distributions: Iterable[Distribution], site: str) -> set[str]:
    """Which of `distributions` a bare start of this interpreter imports already, by a .pth file of whomever.

    It is asked of a bare start, and only where a .pth file has an import line.
    """
    distributions = list(distributions)
    if not distributions or not _has_import_lines(site):
        return set()
    with temporary_directory() as directory:
        answer = os.path.join(directory, "files")
        try:
            run([executable(), "-c", _FILES, answer], timeout=60)
        except EngineTimeoutError:
            return {distribution.name for distribution in distributions}  # earlier than needed does no harm
        with suppress(FileNotFoundError), open(answer, encoding="utf-8", errors="surrogateescape") as stream:
            files = {os.path.realpath(line.rstrip("\n")) for line in stream}
            return {distribution.name for distribution in distributions if _witness(distribution, files)}
    return set()


_FILES = """
import sys
files = [getattr(module, "__dict__", {}).get("__file__") for module in list(sys.modules.values())]
with open(sys.argv[1], "w", encoding="utf-8", errors="surrogateescape") as stream:
    stream.writelines(file + "\\n" for file in files if isinstance(file, str))
"""


def _has_import_lines(site: str) -> bool:
    for name in os.listdir(site) if os.path.isdir(site) else ():
        if name.endswith(".pth") and not name.endswith(COMPANIONS):
            with open(os.path.join(site, name), encoding="utf-8", errors="replace") as stream:
                if any(line.startswith(("import ", "import\t")) for line in stream):
                    return True
    return False


def mapped_files() -> set[str]:
    """The files that are mapped into this process. Only Linux tells without further rights; elsewhere: none."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as stream:
            return {line[line.index("/") :].rstrip("\n") for line in stream if "/" in line and "x" in line.split()[1]}
    except OSError:
        return set()


def _witness(distribution: Distribution, files: set[str]) -> str:
    home = os.path.dirname(distribution.info)
    if distribution.project:
        return next((path for path in files if path.startswith(distribution.project + os.sep)), "")
    try:
        inside, outside = record_of(distribution)
    except DamagedError:
        return next((path for path in files if path.startswith(home + os.sep)), "")
    for path in inside & _below(home, files):
        return os.path.join(home, *path.split("/"))
    return next((path for path in outside if path in files), "")


def _below(home: str, files: set[str]) -> set[str]:
    """Those of `files` that lie below `home`, as a RECORD writes them."""
    start = len(home) + 1
    return {path[start:].replace(os.sep, "/") for path in files if path.startswith(home + os.sep)}
