"""Running a program in a home."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from liveinstall._homes.base_python import version
from liveinstall._homes.create import home_of
from liveinstall._homes.record import read
from liveinstall._system.interpreter import base_executable
from liveinstall._system.programs import command_of, program_of, run_captured, run_in_foreground
from liveinstall.errors import HomeError
from liveinstall.reports import Ran

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from liveinstall.reports import Home


def look(path: str | os.PathLike[str]) -> Home:
    """The home at `path`. Raises: HomeError."""
    place = os.path.abspath(path)
    return home_of(place, read(place))


def run(
    path: str | os.PathLike[str],
    code: str | None = None,
    *,
    module: str | None = None,
    script: str | os.PathLike[str] | None = None,
    arguments: Sequence[str] = (),
    stdin: str = "",
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> Ran:
    """Run a program in the home at `path`, and hear what it says. The arguments are those of `liveinstall.trial()`.

    Raises: HomeError where it is no home, or for another version than its Python has by now; RequirementError,
    TrialError (it cannot be started, or did not end in `timeout` seconds).
    """
    program = program_of(code, module, script, arguments)
    begin = time.perf_counter()
    words, variables = _prepared(path, program)
    ended = run_captured(words, {**variables, **(env or {})}, stdin=stdin, timeout=timeout, cwd=cwd)
    return Ran(*ended, time.perf_counter() - begin)


def run_program(path: str | os.PathLike[str], program: Sequence[str]) -> int:
    """Run interpreter's arguments in a home with this process's own streams; the exit status."""
    return run_in_foreground(*_prepared(path, program))


def _prepared(path: str | os.PathLike[str], program: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    home = look(path)
    _check_version(home)
    scripts = os.path.dirname(home.python)
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "__PYVENV_LAUNCHER__")}
    variables["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])
    variables["VIRTUAL_ENV"] = home.path
    return command_of([home.python], program, scripts), variables


def _check_version(home: Home) -> None:
    """A library of another patch version works, until it does not. (Each interpreter looks itself, too)."""
    here = base_executable()
    try:
        same = os.path.samefile(home.python, here)
    except OSError as error:
        raise HomeError(f"the Python of {home.path} is gone: {error}.", todo="Make it anew.", path=home.path) from error
    if same and home.version != version():
        what = f"{home.path} is for Python {home.version}, and its Python is {version()} by now."
        raise HomeError(what, todo="Remove it and make it anew.", path=home.path)
