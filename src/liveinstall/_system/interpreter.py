"""The interpreter that belongs to this process, with which child processes of Python are started.

Nearly always that is `sys.executable`. A program that embeds Python (QGIS, FreeCAD, Blender, mod_wsgi) names itself
there, and starting it would open it once more; others have there the first `python3` on PATH, or nothing. So nothing
is started that is not called as an interpreter is, and what is found beside this process's library is asked once
whether it is the same.
"""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache

from _liveinstall_boot.process import is_main_interpreter
from liveinstall.errors import TargetError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "LIVEINSTALL_PYTHON"  # names the interpreter of a program that embeds Python
_PYTHON = re.compile(
    r"(python|pypy|graalpy)[0-9.]*[a-z]{0,2}([-_](d|dbg|debug|real|intel64|arm64))?(\.exe)?", re.IGNORECASE
)
_SITE = "pyvenv.cfg"
# What the same Python says of itself. -S: nothing of the environment runs, and nothing that waits is put in place.
_OPTIONS = ("-E", "-s", "-S", "-P")
_QUESTION = (
    "import sys; print(sys.implementation.cache_tag, sys.version_info[:3], sys.maxsize, getattr(sys, 'abiflags', ''),"
    " sys.base_prefix, sep='\\n')"
)
_WITHIN = 30  # seconds to answer


def check_usable() -> None:
    """Raise TargetError where no change can be carried out: in a subinterpreter, and while Python is ending."""
    if not is_main_interpreter():
        raise TargetError(
            "this is a subinterpreter, and only the first interpreter of a process changes packages. "
            "Nothing was started, nothing was downloaded.",
            todo="Call it in the main interpreter, or in a process of its own: python -m liveinstall.",
            site="",
        )
    if _is_ending():
        raise TargetError(
            "Python is ending, and starts no more threads. Nothing was started, nothing was downloaded.",
            todo="Call it before the program ends, or in a process of its own: python -m liveinstall.",
            site="",
        )


def _is_ending() -> bool:
    threading = sys.modules.get("threading")
    if threading is not None and getattr(threading, "_SHUTTING_DOWN", False):
        return True
    from _thread import allocate_lock, start_new_thread

    done = allocate_lock()
    done.acquire()
    try:
        start_new_thread(done.release, ())
    except RuntimeError:
        return sys.version_info >= (3, 12)  # before, it is the system that has no thread left
    done.acquire()
    return False


def executable() -> str:
    """The path of this process's interpreter. Raises TargetError, before anything is started, where there is none."""
    return which()[0]


def which() -> tuple[str, str]:
    """The interpreter of this process, and in words how it was found; no words for `sys.executable`.

    Raises: TargetError where there is none, or LIVEINSTALL_PYTHON names none that is this process's.
    """
    own = sys.executable if isinstance(sys.executable, str) else ""
    return _which(own, os.environ.get(VARIABLE, ""), sys.prefix, sys.base_prefix, bool(getattr(sys, "frozen", False)))


def base_executable() -> str:
    """The interpreter that this process's virtual environment was made from; this process's own, if it has none."""
    base = getattr(sys, "_base_executable", None)
    return base if isinstance(base, str) and base and not program() else os.path.realpath(executable())


def program() -> str:
    """The program that embeds this Python, as far as it is known; empty if this process is an interpreter."""
    own = sys.executable if isinstance(sys.executable, str) else ""
    return "" if not getattr(sys, "frozen", False) and _is_own(own) else _this_program() or own


def is_python(path: str) -> bool:
    """Whether a program is called as interpreters of Python are. Anything else may be a program that has one inside."""
    return _PYTHON.fullmatch(os.path.basename(path)) is not None


@lru_cache(maxsize=8)  # of all that the answer depends on
def _which(own: str, named: str, prefix: str, base: str, frozen: bool) -> tuple[str, str]:
    if not frozen and _is_own(own):
        return own, ""
    if named:
        if not os.path.isabs(named) or not _is_program(named):
            raise _none(f"{VARIABLE} is {named!r}, which is not the full path of a program", own)
        why = _differs(named, prefix)
        if why:
            raise _none(f"{VARIABLE} is {named}, but {why}", own)
        return named, f"named by {VARIABLE}"
    for path in () if frozen else dict.fromkeys(_candidates(own, prefix, base)):
        if is_python(path) and _is_program(path) and not _differs(path, prefix):
            return path, f"found beside the library of this process, which runs {program() or 'no known program'}"
    what = f"this process runs {program() or 'a program that is not known'}, and no interpreter that belongs to it"
    raise _none(f"{what} was found", own)


def _none(what: str, own: str) -> TargetError:
    if getattr(sys, "frozen", False):
        what = f"this is a frozen application, {own or 'of an unknown name'}, without an environment of its own; {what}"
    return TargetError(
        f"this is a frozen or embedded Python: {what}. Nothing was started, nothing was downloaded.",
        todo=f"Name the interpreter of the same Python and environment, by its full path: {VARIABLE}=.../python3. "
        "A frozen application is changed where it is built.",
        site="",
    )


def _is_own(path: str) -> bool:
    """Whether `sys.executable` is the interpreter that this process is. Costs two `stat` where that is easily seen."""
    if not is_python(path) or not _is_program(path):
        return False
    if os.name == "nt":
        return True  # there it is always the program that runs, or the one that a launcher of Python stands for
    try:
        if os.path.samefile("/proc/self/exe", path):
            return True
    except OSError:
        pass
    # Not to be seen, or started in another way (by the loader, by a wrapper), or found on PATH by a program's guess.
    return _is_beside(path, sys.base_prefix) and not _differs(path, sys.prefix)


def _is_beside(path: str, base: str) -> bool:
    """Whether a program lies where the interpreter of this Python, or of this virtual environment, does."""
    places = (os.path.dirname(os.path.dirname(place)) for place in (path, os.path.realpath(path)))
    return _environment(path) != "" or any(_same(place, base) for place in places)


def _this_program() -> str:
    try:
        return os.readlink("/proc/self/exe")
    except OSError:
        return ""


def _candidates(own: str, prefix: str, base: str) -> Iterator[str]:
    """Where the interpreter may be, the virtual environment's first."""
    x, y = sys.version_info[:2]
    flags = getattr(sys, "abiflags", "")
    names = [f"python{x}.{y}{flags}", f"python{x}.{y}", f"python{x}", "python"]
    if sys.implementation.name != "cpython":
        names[:0] = [f"{sys.implementation.name}{x}.{y}", f"{sys.implementation.name}{x}"]
    if os.name == "nt":
        names = ["python.exe", *(f"{name}.exe" for name in names[:-1]), f"python{x}{y}.exe", "python_d.exe"]
    beside = os.path.dirname(os.path.abspath(own)) if own else ""
    library = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(os.__file__))))
    for place in (prefix, beside, sys.exec_prefix, base, sys.base_exec_prefix, library):
        if place:
            inner = (("Scripts",), ()) if os.name == "nt" else (("bin",), ())
            yield from (os.path.join(place, *parts, name) for parts in inner for name in names)


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _differs(path: str, prefix: str) -> str:
    """Why a program is not the interpreter of this process, for people; empty if it is."""
    import subprocess

    try:
        asked = subprocess.run(
            [path, *_OPTIONS, "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_WITHIN,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"it does not answer as an interpreter ({error})"
    *said, base = os.fsdecode(asked.stdout).splitlines() or [""]
    tag, flags = str(sys.implementation.cache_tag), getattr(sys, "abiflags", "")
    if said != [tag, str(sys.version_info[:3]), str(sys.maxsize), flags]:
        return f"it is another Python: {' '.join(said[:2]) or 'of no known version'}"
    place = _environment(path) or base
    return "" if _same(place, prefix) else f"its environment is {place}, and this process's is {prefix}"


def _environment(path: str) -> str:
    """The virtual environment that an interpreter belongs to, by pyvenv.cfg, as Python looks for it; or nothing."""
    directory = os.path.dirname(os.path.abspath(path))
    for place in (directory, os.path.dirname(directory)):
        if os.path.isfile(os.path.join(place, _SITE)):
            return os.path.dirname(directory)
    return ""


def _same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
