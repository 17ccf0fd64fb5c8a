"""Running a program in a home."""

from __future__ import annotations

import os
import time
from dataclasses import replace

from liveinstall._homes.base_environment import differences
from liveinstall._homes.base_python import version
from liveinstall._homes.create import home_of
from liveinstall._homes.record import read
from liveinstall._system.interpreter import base_executable
from liveinstall._system.programs import command_of, program_of, run_captured, run_in_foreground
from liveinstall.errors import HomeError
from liveinstall.reports import Ran

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from liveinstall.reports import Home


def look(path: str | os.PathLike[str]) -> Home:
    """Read the record of a home.

    Args:
        path: The home's directory, relative to the current directory.

    Returns:
        The home; `base_changes` says what has changed in its base environment since it was created.

    Raises:
        HomeError: `path` is not a home, or its record is unreadable.
    """
    directory = os.path.abspath(path)
    record = read(directory)
    return replace(home_of(directory, record), base_changes=differences(record))


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
    """Run a program in a home, and capture its output. Exactly one of `code`, `module` and `script` is needed.

    Args:
        path: The home's directory, relative to the current directory.
        code: Python code, as for `python -c`.
        module: The name of a module, as for `python -m`.
        script: The path of a script, or the name of a console script of the home.
        arguments: The program's arguments.
        stdin: The program's standard input.
        timeout: Seconds after which the program and its child processes are killed. Default: no limit.
        env: Additional environment variables.
        cwd: The working directory. Default: the current one.

    Returns:
        The exit status and the output.

    Raises:
        HomeError: `path` is not a home, or its base Python has been upgraded since it was created.
        RequirementError: Not exactly one program is given, or the script does not exist.
        TrialError: The program cannot be started, or exceeded `timeout`.
    """
    program = program_of(code, module, script, arguments)
    begin = time.perf_counter()
    command, variables = _prepared(path, program)
    ended = run_captured(command, {**variables, **(env or {})}, stdin=stdin, timeout=timeout, cwd=cwd)
    return Ran(*ended, time.perf_counter() - begin)


def run_program(path: str | os.PathLike[str], program: Sequence[str]) -> int:
    """Run a program in a home with this process's standard streams.

    Args:
        path: The home's directory, relative to the current directory.
        program: The arguments of the interpreter; none start a prompt.

    Returns:
        The program's exit status.
    """
    return run_in_foreground(*_prepared(path, program))


def _prepared(path: str | os.PathLike[str], program: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    directory = os.path.abspath(path)
    home = home_of(directory, read(directory))
    _check_version(home)
    scripts = os.path.dirname(home.python)
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "__PYVENV_LAUNCHER__")}
    variables["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])
    variables["VIRTUAL_ENV"] = home.path
    return command_of([home.python], program, scripts), variables


def _check_version(home: Home) -> None:
    """Check that the base Python still has the home's version: a library of another patch version may fail later.

    Interpreters that are started without `run()` check it themselves.
    """
    base = base_executable()
    own = read(home.path).base if os.name == "nt" else home.python  # there it is a launcher
    try:
        os.stat(home.python)
        same = os.path.samefile(own, base)
    except OSError as error:
        raise HomeError(
            f"the Python of {home.path} is missing: {error}.", todo="Create it again.", path=home.path
        ) from None
    if same and home.version != version():
        what = f"{home.path} is for Python {home.version}, but its base Python is now {version()}."
        raise HomeError(what, todo="Remove it and create it again.", path=home.path)
