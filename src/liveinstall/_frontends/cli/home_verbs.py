"""The commands that run a program in an environment other than this one: `try` and `home`."""

from __future__ import annotations

from liveinstall._frontends.cli.exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from typing import Any

EXAMPLES = {
    "try": ("try", 'try -c "import pandas"', "try -m pytest -x", "try script.py --option"),
    "home": (
        "home create ENV1 requests 'numpy<2'",
        "home run ENV1 -m pytest -x",
        "home run ENV1 script.py --option",
        "home remove ENV1",
    ),
}
_PROGRAM = "[-c CODE | -m MODULE | SCRIPT] [ARGUMENT ...]"
_OWN = ("--json", "--debug", "-v", "--verbose", "-h", "--help")


def add_verbs(verbs: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands to the command-line parser.

    Args:
        verbs: The subparsers of the command line.
        verb: The function that adds one command to them.
    """
    trial = verb(verbs, "try", "run a program in a preview of the environment after the restart")
    trial.usage = f"{trial.prog} {_PROGRAM}"
    trial.add_argument(
        "program", nargs="*", help="default: an interactive prompt; the exit status is that of the program"
    )
    home = verb(verbs, "home", "create a linked environment, run a program in it, or remove it")
    home.usage = (
        f"{home.prog} create PATH [OPTION ...] [REQUIREMENT ...]\n"
        f"       {home.prog} run PATH {_PROGRAM}\n       {home.prog} remove PATH"
    )
    home.add_argument("action", choices=("create", "run", "remove"))
    home.add_argument("path", metavar="PATH", help="the directory of the linked environment")
    _add_create(home)


def _add_create(home: argparse.ArgumentParser) -> None:
    home.add_argument(
        "--store",
        metavar="DIRECTORY",
        help="the store that files are linked from, and missing wheels are fetched into (create)",
    )
    home.add_argument(
        "--overlap",
        choices=("allow", "refuse"),
        default="allow",
        help="refuse: fail if two distributions have a file with different contents (create)",
    )
    home.add_argument(
        "--over",
        metavar="DIRECTORY",
        help="the base environment, whose packages are used, too, and not installed again (create)",
    )
    home.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="NAME",
        help="a package of the base environment that must not be replaced; repeatable (create)",
    )
    home.add_argument("--engine", default="auto", metavar="NAME", help="pip, uv or auto (create)")
    home.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="limit for the store's lock and for the engine (create)"
    )
    home.add_argument("-q", "--quiet", action="store_true", help="show no progress on stderr (create)")
    from liveinstall._requirements.pip_options import add_options  # which only the parser needs

    add_options(home)


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Add the option that checks, before a change, that the changed packages can be imported."""
    for option, value, text in (
        ("--verify", True, "first import the changed packages, and loaded ones that depend on them, in a preview"),
        ("--no-verify", False, "do not verify, even if LIVEINSTALL_VERIFY is set"),
    ):
        parser.add_argument(option, dest="verify", action="store_const", const=value, default=None, help=text)


def split(words: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Split a command line into the words for argparse and the program to run, with its own options.

    Args:
        words: The command line.

    Returns:
        The words for argparse, and the program with its arguments, or None.
    """
    words = list(words)
    positions = [at for at, word in enumerate(words) if word not in _OWN]
    leading = [words[at] for at in positions[:2]]
    own_count = 1 if leading[:1] == ["try"] else 3 if leading == ["home", "run"] else 0  # the number of our own words
    if not own_count:
        return words, None
    end = positions[own_count] if len(positions) > own_count else len(words)
    program = words[end:]
    return words[:end], program[program[:1] == ["--"] :]


def _try(options: dict[str, Any]) -> Any:
    from liveinstall._verbs.trial import trial, try_program

    program = options["program"]
    if not options["as_json"]:
        return try_program(program)
    return trial(**keywords(program))


def keywords(program: Sequence[str]) -> dict[str, Any]:
    """Return the interpreter's arguments as keyword arguments."""
    kind = {"-c": "code", "-m": "module"}.get(program[0] if program else "", "script")
    rest = program[kind != "script" :]
    return {kind: rest[0] if rest else None, "arguments": rest[1:]}


def _home(options: dict[str, Any]) -> Any:
    from liveinstall._homes.create import create
    from liveinstall._homes.remove import remove
    from liveinstall._homes.run import run, run_program

    action, path = options.pop("action"), options.pop("path")
    program, as_json = options.pop("program", None), options.pop("as_json", False)
    if action == "create":
        return create(path, *options.pop("requirements"), **options)
    if action == "remove":
        return remove(path)
    if not as_json:
        return run_program(path, program or [])
    return run(path, **keywords(program or []))


VERBS: dict[str, Callable[[dict[str, Any]], Any]] = {"try": _try, "home": _home}


def text_of(value: Any) -> str:
    """Return the plain-text output for a value; empty if a program wrote its own output."""
    if isinstance(value, int):
        return ""
    if isinstance(value, tuple):
        return "\n".join(f"Kept, because it was not created with the home: {path}" for path in value) or "Removed."
    return str(value)


def status_of(value: Any) -> int:
    """Return the exit status for a value: that of the program."""
    status = value if isinstance(value, int) else getattr(value, "returncode", ExitCode.DONE)
    return int(128 - status if status < 0 else status)
