"""The interpreter of this process, with which child processes of Python are started.

Nearly always it is `sys.executable`. In a program that embeds Python (QGIS, FreeCAD, Blender, mod_wsgi) this is the
program itself, and starting it would open a second window; in other programs it is the first `python3` on PATH, or
empty. So only files with an interpreter's name are started, and an interpreter next to this process's library is run
once to check that it is the same Python.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache

from _liveinstall_boot.process import is_main_interpreter
from liveinstall._system.settings import PYTHON
from liveinstall.errors import TargetError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PYTHON = r"(python|pypy|graalpy)[0-9.]*[a-z]{0,2}([-_](d|dbg|debug|real|intel64|arm64))?(\.exe)?"
_PYVENV_CFG = "pyvenv.cfg"
# Prints what identifies a Python, with paths as bytes: the encoding of a pipe may not have their letters (Windows).
# -S: no code of the environment runs, and no pending changes are applied.
_IDENTITY_OPTIONS = ("-E", "-s", "-S", "-P")
_IDENTITY_SCRIPT = (
    "import os, sys; "
    "lines = sys.implementation.cache_tag, sys.version_info[:3], sys.maxsize, getattr(sys, 'abiflags', ''); "
    "sys.stdout.buffer.write(os.fsencode('\\n'.join(map(str, (*lines, sys.base_prefix)))))"
)
_IDENTITY_TIMEOUT = 30  # seconds


def check_usable() -> None:
    """Check that this interpreter can apply changes.

    Raises:
        TargetError: This is a subinterpreter, or Python is shutting down.
    """
    if not is_main_interpreter():
        raise TargetError(
            "this is a subinterpreter, and only the main interpreter of a process can change packages. "
            "Nothing was started, nothing was downloaded.",
            todo="Call it in the main interpreter, or in a separate process: python -m liveinstall.",
            site="",
        )
    if _is_shutting_down():
        raise TargetError(
            "Python is shutting down and cannot start threads any longer. Nothing was started, nothing was downloaded.",
            todo="Call it before the program exits, or in a separate process: python -m liveinstall.",
            site="",
        )


def _is_shutting_down() -> bool:
    threading = sys.modules.get("threading")
    if threading is not None and getattr(threading, "_SHUTTING_DOWN", False):
        return True
    from _thread import allocate_lock, start_new_thread

    done = allocate_lock()
    done.acquire()
    try:
        start_new_thread(done.release, ())
    except RuntimeError:
        return sys.version_info >= (3, 12)  # in older versions it means that the system's limit of threads is reached
    done.acquire()
    return False


def executable() -> str:
    """Return the path of this process's interpreter.

    Raises:
        TargetError: As for `which()`; no child process was started.
    """
    return which()[0]


def which() -> tuple[str, str]:
    """Find the interpreter of this process.

    Returns:
        Its path, and a description for people of how it was found; the description is empty for `sys.executable`.

    Raises:
        TargetError: There is none, or LIVEINSTALL_PYTHON is not the interpreter of this process.
    """
    own = sys.executable if isinstance(sys.executable, str) else ""
    return _which(own, os.environ.get(PYTHON, ""), sys.prefix, sys.base_prefix, bool(getattr(sys, "frozen", False)))


def base_executable() -> str:
    """Return the interpreter that this virtual environment was created with; this process's own if there is none."""
    base = getattr(sys, "_base_executable", None)
    return base if isinstance(base, str) and base and not program() else os.path.realpath(executable())


def program() -> str:
    """Return the path of the program that embeds this Python, if it is known; empty if this is an interpreter."""
    own = sys.executable if isinstance(sys.executable, str) else ""
    return "" if not getattr(sys, "frozen", False) and _is_this_interpreter(own) else _this_program() or own


def is_python(path: str) -> bool:
    """Whether a file has the name of a Python interpreter. Any other program may embed Python."""
    name = os.path.basename(path)
    if name.rstrip("0123456789.") == "python":
        return True
    import re  # which the usual name does not need

    return re.fullmatch(_PYTHON, name, re.IGNORECASE) is not None


@lru_cache(maxsize=8)  # the parameters are everything that the result depends on
def _which(own: str, configured: str, prefix: str, base: str, frozen: bool) -> tuple[str, str]:
    if not frozen and _is_this_interpreter(own):
        return own, ""
    if configured:
        if not os.path.isabs(configured) or not _is_program(configured):
            raise _no_interpreter(f"{PYTHON} is {configured!r}, which is not the full path of a program", own)
        mismatch = _mismatch(configured, prefix)
        if mismatch:
            raise _no_interpreter(f"{PYTHON} is {configured}, but {mismatch}", own)
        return configured, f"named by {PYTHON}"
    for path in () if frozen else dict.fromkeys(_candidates(own, prefix, base)):
        if is_python(path) and _is_program(path) and not _mismatch(path, prefix):
            return path, f"found next to the library of this process, which runs {program() or 'an unknown program'}"
    what = f"this process runs {program() or 'an unknown program'}, and no interpreter that belongs to it was found"
    raise _no_interpreter(what, own)


def _no_interpreter(what: str, own: str) -> TargetError:
    if getattr(sys, "frozen", False):
        what = f"this is a frozen application ({own or 'name unknown'}) without its own environment; {what}"
    return TargetError(
        f"this is a frozen or embedded Python: {what}. Nothing was started, nothing was downloaded.",
        todo=f"Set {PYTHON} to the full path of the interpreter of the same Python and environment: "
        f"{PYTHON}=.../python3. The packages of a frozen application can only be changed when it is built.",
        site="",
    )


def _is_this_interpreter(path: str) -> bool:
    """Whether `sys.executable` is the interpreter that this process runs; in the usual case two `stat` calls."""
    if not is_python(path) or not _is_program(path):
        return False
    if os.name == "nt":
        return True  # on Windows it is always the running program, or the one that a launcher of Python runs
    try:
        if os.path.samefile("/proc/self/exe", path):
            return True
    except OSError:
        pass
    # No /proc; or started in another way (by the loader, by a wrapper); or a guess that a program found on PATH.
    return _is_in_environment(path, sys.base_prefix) and not _mismatch(path, sys.prefix)


def _is_in_environment(path: str, base: str) -> bool:
    """Whether a program is in the directory of a virtual environment's interpreters, or in that of the base Python."""
    prefixes = (os.path.dirname(os.path.dirname(each)) for each in (path, os.path.realpath(path)))
    return _environment(path) != "" or any(_is_same_file(prefix, base) for prefix in prefixes)


def _this_program() -> str:
    try:
        return os.readlink("/proc/self/exe")
    except OSError:
        return ""


def _candidates(own: str, prefix: str, base: str) -> Iterator[str]:
    """Yield the paths at which the interpreter may be, first those in the virtual environment."""
    x, y = sys.version_info[:2]
    flags = getattr(sys, "abiflags", "")
    names = [f"python{x}.{y}{flags}", f"python{x}.{y}", f"python{x}", "python"]
    if sys.implementation.name != "cpython":
        names[:0] = [f"{sys.implementation.name}{x}.{y}", f"{sys.implementation.name}{x}"]
    if os.name == "nt":
        names = ["python.exe", *(f"{name}.exe" for name in names[:-1]), f"python{x}{y}.exe", "python_d.exe"]
    own_directory = os.path.dirname(os.path.abspath(own)) if own else ""
    library = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(os.__file__))))
    for root in (prefix, own_directory, sys.exec_prefix, base, sys.base_exec_prefix, library):
        if root:
            subdirectories = (("Scripts",), ()) if os.name == "nt" else (("bin",), ())
            yield from (os.path.join(root, *parts, name) for parts in subdirectories for name in names)


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _mismatch(path: str, prefix: str) -> str:
    """The reason why a program is not the interpreter of this process, for people; empty if it is."""
    import subprocess

    try:
        completed = subprocess.run(
            [path, *_IDENTITY_OPTIONS, "-c", _IDENTITY_SCRIPT],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_IDENTITY_TIMEOUT,
            check=True,
        )
        *identity, base = os.fsdecode(completed.stdout).splitlines() or [""]
    except (OSError, UnicodeError, subprocess.SubprocessError) as error:
        return f"it cannot be run as an interpreter ({error})"
    tag, flags = str(sys.implementation.cache_tag), getattr(sys, "abiflags", "")
    if identity != [tag, str(sys.version_info[:3]), str(sys.maxsize), flags]:
        return f"it is another Python: {' '.join(identity[:2]) or 'unknown version'}"
    environment = _environment(path) or base
    if _is_same_file(environment, prefix):
        return ""
    return f"its environment is {environment}, and that of this process is {prefix}"


def _environment(path: str) -> str:
    """The virtual environment of an interpreter, by pyvenv.cfg, which is searched as in PEP 405; empty if none."""
    directory = os.path.dirname(os.path.abspath(path))
    for each in (directory, os.path.dirname(directory)):
        if os.path.isfile(os.path.join(each, _PYVENV_CFG)):
            return os.path.dirname(directory)
    return ""


def _is_same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
