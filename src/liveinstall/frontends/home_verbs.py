"""The verbs that run a program in another environment than this one: `try`, and `home`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liveinstall.frontends.statuses import Status

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

EXAMPLES = {
    "try": ("try", 'try -c "import pandas"', "try -m pytest -x", "try script.py --option"),
}
_PROGRAM = "[-c CODE | -m MODULE | SCRIPT] [ARGUMENT ...]"
_OWN = ("--json", "--debug", "-v", "--verbose", "-h", "--help")


def add_verbs(verbs: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add them to the grammar; `verb` adds one."""
    tried = verb(verbs, "try", "run a program in the environment as it will be after the restart")
    tried.usage = f"{tried.prog} {_PROGRAM}"
    tried.add_argument("program", nargs="*", help="none: a prompt; its exit status")


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Let a verb that changes something prove first that it can be imported."""
    for option, value, text in (
        ("--verify", True, "first import, in a trial, what changes and what is loaded and needs it"),
        ("--no-verify", False, "do not, although LIVEINSTALL_VERIFY is set"),
    ):
        parser.add_argument(option, dest="verify", action="store_const", const=value, default=None, help=text)


def split(words: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """What argparse shall read of a command line, and the program that it runs: that one's options are its own."""
    words = list(words)
    if words[:1] != ["try"]:
        return words, None
    end = next((at for at, word in enumerate(words[1:], 1) if word not in _OWN), len(words))
    program = words[end:]
    return words[:end], program[program[:1] == ["--"] :]


def _try(options: dict[str, Any]) -> Any:
    from liveinstall.session.trying import trial, try_program

    program = options["program"]
    if not options["as_json"]:
        return try_program(program)
    return trial(**keywords(program))


def keywords(program: Sequence[str]) -> dict[str, Any]:
    """The interpreter's arguments as keyword arguments."""
    kind = {"-c": "code", "-m": "module"}.get(program[0] if program else "", "script")
    rest = program[kind != "script" :]
    return {kind: rest[0] if rest else None, "arguments": rest[1:]}


VERBS: dict[str, Callable[[dict[str, Any]], Any]] = {"try": _try}


def words_of(value: Any) -> str:
    """What a person reads: nothing, the program has spoken."""
    return "" if isinstance(value, int) else str(value)


def status_of(value: Any) -> int:
    """The exit status: the program's."""
    status = value if isinstance(value, int) else getattr(value, "returncode", Status.DONE)
    return int(128 - status if status < 0 else status)
