"""The parser of the command line and its help. Options that pip has, too, are spelled as in pip."""

from __future__ import annotations

import argparse
import difflib
import sys
import textwrap
from typing import TYPE_CHECKING, Any, NoReturn, cast

from liveinstall._frontends.cli import archive_verbs, home_verbs, listings, sidebyside_verbs
from liveinstall._frontends.cli.exit_codes import MEANINGS
from liveinstall._requirements.pip_options import IDLE, add_idle_options, add_options, parse_words
from liveinstall._system.package import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

_DESCRIPTION = """\
Change a Python environment while it is running, without breaking what is
running: what is new is importable at once, what would disturb a live process
waits for the next start of Python.

It changes the environment that it is installed in, whichever one is activated:
  {prefix}
For another environment install it there, and run that one's:
  PATH/TO/python -m liveinstall ..."""
_EXAMPLES = {
    "install": ("install rich 'numpy>=2'", "install -U pandas", "install -r requirements.txt -c limits.txt -e ."),
    "plan": ("plan -U pandas", "plan --prefer loaded scikit-learn"),
    "ensure": ("ensure 'rich>=13' 'httpx[http2]'", "ensure --requester my-plugin --protect 'numpy<3' scikit-image"),
    "uninstall": ("uninstall pandas", "uninstall -y -r requirements.txt", "uninstall --with-unused pandas"),
    "list": ("list", "list --json", "list --not-required --format=freeze"),
    "show": ("show requests",),
    "freeze": ("freeze > requirements.txt", "freeze --pending", "freeze --exclude pip"),
    "check": ("check",),
    "status": ("status", "status --json"),
    "pending": ("pending",),
    "finalize": ("finalize", "finalize --force"),
    "cancel": ("cancel numpy", "cancel"),
    "hold": ("hold jupyter lab", "hold -- pytest -x"),
    "guard": ("guard on", "guard off"),
    "history": ("history",),
    "undo": ("undo", "undo 20261121T034425-bb8e01ea", "undo --to 20261121T034425-bb8e01ea"),
    "prune": ("prune --keep 2", "prune --days 30 --bytes 1000000000", "prune"),
    "doctor": ("doctor", "doctor rich"),
    "repair": ("repair --dry-run", "repair rich"),
    "completion": (
        "completion bash > ~/.local/share/bash-completion/completions/liveinstall",
        'eval "$(liveinstall completion zsh)"',
    ),
    **home_verbs.EXAMPLES,
    **archive_verbs.EXAMPLES,
    **sidebyside_verbs.EXAMPLES,
}
COMMON = ("--json", "--debug", "-v", "--verbose")


class UsageError(Exception):
    """An invalid command line; `usage` describes the valid ones."""

    def __init__(self, message: str, usage: str) -> None:
        super().__init__(message)
        self.usage = usage


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, self.format_usage())


def parse(words: Sequence[str]) -> dict[str, Any]:
    """Parse a command line. Options and requirements may be mixed, as in pip.

    Args:
        words: The command line without the program.

    Returns:
        The options by name.

    Raises:
        UsageError: The command line is invalid.
        SystemExit: The help or the version was shown.
    """
    parser = build_parser()
    words = list(words)
    first = next((at for at, word in enumerate(words) if word not in COMMON), len(words))
    words = [*words[first : first + 1], *words[:first], *words[first + 1 :]]
    verbs = verbs_of(parser)
    if words and words[0] not in verbs and not words[0].startswith("-"):
        raise UsageError(_unknown(words[0], verbs), parser.format_usage())
    words, program = (sidebyside_verbs if words[:1] == ["run"] else home_verbs).split(words)
    creates = words[:2] in (["home", "create"], ["registry", "create"])
    if creates or words[:1] in (["install"], ["plan"], ["ensure"]):
        found = {"verb": words[0], **parse_words(verbs[words[0]], words[1:])}
    else:
        if words[:1] == ["uninstall"] and any(word.startswith(("-r", "--req")) for word in words):
            verbs["uninstall"]._positionals._group_actions[0].nargs = "*"  # noqa: SLF001  the file contains the names
        found = vars(parser.parse_args(words))
    found.pop(IDLE, None)
    if program is not None:
        found["program"] = program
    if found["verb"] == "hold":
        found["program"] = found["program"][found["program"][:1] == ["--"] :]
        if not found["program"]:
            verbs["hold"].error("there is no PROGRAM to run.")
    return {"json": False, "debug": False, **found}


def verbs_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command, by name."""
    verbs = next(action for action in parser._actions if isinstance(action.choices, dict))  # noqa: SLF001
    return cast("dict[str, argparse.ArgumentParser]", verbs.choices)


def _unknown(word: str, verbs: Sequence[str] | dict[str, Any]) -> str:
    near = difflib.get_close_matches(word, verbs, 1)
    return f"there is no command {word!r}" + (f"; did you mean {near[0]}?" if near else ".")


def build_parser(prog: str = "") -> argparse.ArgumentParser:
    """Create the parser of the whole command line.

    Args:
        prog: The program as the user typed it; by default derived from `sys.argv`.
    """
    rows = "\n".join(_row(status.value, meaning) for status, meaning in MEANINGS.items())
    parser = _Parser(
        prog=prog or _called(),
        description=_DESCRIPTION.format(prefix=sys.prefix),
        epilog=f"exit status:\n{rows}\n\nCOMMAND --help has examples. Colours: NO_COLOR=1, FORCE_COLOR=1.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"liveinstall {__version__}")
    _add_common(parser)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND", title="commands")
    _add_changes(verbs)
    _add_looks(verbs)
    _add_waiting(verbs)
    _add_past(verbs)
    _add_mending(verbs)
    home_verbs.add_verbs(verbs, _verb)
    archive_verbs.add_verbs(verbs, _verb)
    sidebyside_verbs.add_verbs(verbs, _verb)
    completion = _verb(verbs, "completion", "print what makes a shell complete commands, options and installed names")
    completion.add_argument("shell", choices=("bash", "zsh", "fish", "powershell"))
    return parser


def _row(status: int, meaning: str) -> str:
    """A row of the help, wrapped to at most 80 columns."""
    return textwrap.fill(meaning.replace("`", ""), 78, initial_indent=f"  {status:<5}", subsequent_indent=" " * 7)


def _called() -> str:
    name = sys.argv[0].replace("\\", "/").rpartition("/")[2].removesuffix(".exe")
    return "liveinstall" if name == "liveinstall" else "python -m liveinstall"


def _add_changes(verbs: Any) -> None:
    request = _verb(verbs, "install", "install now what is new, stage what would disturb a running process")
    _add_request(request, report=True)
    request.add_argument("--dry-run", action="store_true", help="decide and change nothing")
    request.add_argument("--parallel", action="store_true", help="put it beside the environment: see run, registry")
    _add_request(_verb(verbs, "plan", "show what install would do, and change nothing"), report=True)
    _add_request(_verb(verbs, "ensure", "install what is missing; do nothing, fast, when nothing is"))
    parser = _verb(verbs, "uninstall", "remove now what nobody uses, stage the removal of what is loaded")
    _add_names(parser, "+")
    parser.add_argument("--with-unused", action="store_true", help="also what only they needed and nobody asked for")
    parser.add_argument("--dry-run", action="store_true", help="decide and change nothing")
    _add_when(parser)
    home_verbs.add_verify(parser)
    _add_quiet(parser)
    # pip asks for confirmation; a removal can be undone here, so there is no confirmation and -y has no effect.
    parser.add_argument("-y", "--yes", action="store_true", dest="_yes", help=argparse.SUPPRESS)
    add = parser.add_argument
    add(
        "-r",
        "--requirement",
        dest="requirement_files",
        action="append",
        default=[],
        metavar="FILE",
        help="what it names",
    )
    add("--break-system-packages", action="store_true", help="change an environment that another package manager owns")
    add_idle_options(parser)


def _add_looks(verbs: Any) -> None:
    listing = _verb(verbs, "list", "show every distribution: installed, loaded, pending")
    listings.add_list_options(listing)
    _add_names(_verb(verbs, "show", "show what is known of an installed distribution, and who needs it"), "+")
    freeze = _verb(verbs, "freeze", "show the installed distributions as requirements")
    freeze.add_argument("--pending", action="store_true", help="as they will be once all that waits is in place")
    freeze.add_argument("--all", dest="tools", action="store_true", help="with pip itself")
    listings.add_choice(freeze)
    _verb(verbs, "check", "report requirements that do not hold, and files that are not as RECORD says")
    _verb(verbs, "status", "show what waits, for whom, and who holds the environment")
    _verb(verbs, "pending", "show what waits, and what was set aside, with the reasons")


def _add_waiting(verbs: Any) -> None:
    finalize = _verb(verbs, "finalize", "swap what waits, as the next start of Python would")
    finalize.add_argument("--force", action="store_true", help="although other live processes hold the environment")
    _add_names(_verb(verbs, "cancel", "take staged changes back; without names, all"))
    hold = _verb(verbs, "hold", "run a program, and replace nothing of the environment until it has ended")
    hold.usage = f"{hold.prog} [OPTION ...] [--] PROGRAM ..."
    hold.add_argument(
        "program", nargs=argparse.REMAINDER, metavar="PROGRAM", help="with its arguments; its exit status"
    )
    guard = _verb(verbs, "guard", "make every interpreter of the environment hold what it uses, or no longer")
    guard.add_argument("state", choices=("on", "off"))


def _add_past(verbs: Any) -> None:
    _verb(verbs, "history", "show every transaction that happened, newest first, and whether it can be undone")
    undo = _verb(verbs, "undo", "undo the last transaction, one by its id, or all after another; needs no network")
    undo.add_argument("transaction", nargs="?", metavar="ID")
    undo.add_argument("--to", metavar="ID", help="undo everything that happened after it")
    home_verbs.add_verify(undo)
    prune = _verb(verbs, "prune", "remove old files that are kept for undo; without a limit, all")
    prune.add_argument("--keep", type=int, metavar="N", help="those of the N newest transactions stay")
    prune.add_argument("--days", type=float, metavar="DAYS", help="what is older goes")
    prune.add_argument("--bytes", type=int, metavar="BYTES", help="the newest stay that fit")


def _add_mending(verbs: Any) -> None:
    _add_names(_verb(verbs, "doctor", "report what other tools have left broken"))
    repair = _verb(verbs, "repair", "mend what doctor reports")
    _add_names(repair)
    repair.add_argument("--dry-run", action="store_true", help="say what it would do, and change nothing")


def _verb(verbs: Any, name: str, text: str) -> argparse.ArgumentParser:
    called = verbs._prog_prefix  # noqa: SLF001  the examples use the program name that the user typed
    examples = "".join(f"  {line if '$(' in line else f'{called} {line}'}\n" for line in _EXAMPLES[name])
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    nothing = argparse.SUPPRESS  # otherwise a command's default would override an option before the command
    parser.add_argument("--json", action="store_true", default=nothing, help="print one JSON object for programs")
    parser.add_argument(
        *("-v", "--verbose", "--debug"), dest="debug", action="store_true", default=nothing, help="tracebacks and logs"
    )


def _add_names(parser: argparse.ArgumentParser, how_many: str = "*") -> None:
    parser.add_argument("names", nargs=how_many, metavar="NAME")


def _add_when(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--when", choices=("auto", "now", "restart"), default="auto", help="now refuses to wait, restart makes all wait"
    )
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="for the environment's lock, and again for the engine"
    )


def _add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress on stderr")


def _add_request(parser: argparse.ArgumentParser, *, report: bool = False) -> None:
    add = parser.add_argument
    parser.usage = f"{parser.prog} [OPTION ...] [REQUIREMENT ...]"
    add_options(parser, report=report)
    _add_when(parser)
    home_verbs.add_verify(parser)
    _add_quiet(parser)
    add("--engine", default="auto", metavar="NAME", help="pip, uv or auto")
    add("--prefer", choices=("newest", "loaded"), default="newest", help="loaded: try first what needs no restart")
    add(
        "--overlap",
        choices=("allow", "refuse"),
        default="allow",
        help="refuse: no file that another distribution has too",
    )
    add("--requester", metavar="NAME", help="who asks; is recorded, and kept in later requests")
    add("--protect", action="append", default=[], metavar="REQUIREMENT", help="what this request may not break")
