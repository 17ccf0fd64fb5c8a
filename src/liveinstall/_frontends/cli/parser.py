"""The parser of the command line and its help. Options that pip has, too, are spelled as in pip."""

from __future__ import annotations

import argparse
import sys

from liveinstall._frontends.cli import archive_verbs, cluster_verbs, home_verbs, list_options, sidebyside_verbs
from liveinstall._frontends.cli.examples import EXAMPLES
from liveinstall._frontends.cli.exit_codes import MEANINGS
from liveinstall._frontends.tables import terminal_columns
from liveinstall._requirements.pip_options import IDLE, add_idle_options, add_options, parse_words
from liveinstall._system.package import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn, Self

_DESCRIPTION = """\
Change a Python environment while it is running, without breaking what is
running: new packages can be imported at once, changes that would disturb a
running process are pending until the next start of Python.

It changes the environment that it is installed in, even if another is active:
  {prefix}
For another environment, install it there and run it with that interpreter:
  PATH/TO/python -m liveinstall ..."""
_HELP = "help"
COMMON = ("--json", "--debug", "-v", "--verbose")
# Commands under their names in other package managers, and the command that each stands for.
ALIASES = {"add": ("install",), "upgrade": ("install", "--upgrade"), "remove": ("uninstall",)}
# The groups of the help, in its order.
_GROUPS = {
    "change packages": ("install", "plan", "ensure", "uninstall"),
    "inspect packages": ("list", "show", "freeze", "check", "versions"),
    "pending changes": ("status", "pending", "finalize", "cancel", "try"),
    "running programs": ("hold", "guard"),
    "history": ("history", "undo", "prune"),
    "repair": ("doctor", "repair"),
    "side by side": ("run", "registry", "store", "home", "archive"),
    "clusters": ("cluster",),
    "command line": (_HELP, "completion"),
}


class UsageError(Exception):
    """An invalid command line; `usage` describes the valid ones."""

    def __init__(self, message: str, usage: str) -> None:
        super().__init__(message)
        self.usage = usage


class _Absent:
    """Takes the place of the parser of a command that this command line does not have: it accepts everything."""

    prog = ""

    def __getattr__(self, _: str) -> Self:
        return self

    def __call__(self, *_: Any, **__: Any) -> Self:
        return self


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """With the width of the terminal; argparse makes one for each argument, and loads `shutil` for it (5 ms)."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, **{"width": terminal_columns() - 2, **options})


class _Parser(argparse.ArgumentParser):
    verbs: Any = None  # of the whole command line: its commands

    def format_help(self) -> str:
        """Format the help as argparse does, but with the commands in groups."""
        if self.verbs is None:
            return super().format_help()
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        rows = {action.dest: action for action in self.verbs._choices_actions}  # noqa: SLF001
        sections = [(title, [rows[name] for name in names]) for title, names in _GROUPS.items()]
        options = self._optionals._group_actions  # noqa: SLF001  argparse has no public access to them
        for title, actions in [*sections, ("options", options)]:
            formatter.start_section(title)
            formatter.add_arguments(actions)
            formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()

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
        SystemExit: The help or the version was shown; also without any command, as by pip.
    """
    words = _in_full(words) or ["--help"]
    parser = build_parser(only=words[0] if words[0] in (*EXAMPLES, "-V", "--version") else "")
    verbs = verbs_of(parser)
    if words[0] not in verbs and not words[0].startswith("-"):
        from liveinstall._frontends.cli.remedies import unknown_command

        parser.error(unknown_command(words[0], verbs))
    words, program = (sidebyside_verbs if words[:1] == ["run"] else home_verbs).split(words)
    _hide_foreign_options(verbs, words)
    if words[:2] in (["home", "create"], ["registry", "create"]) or words[:1] in (["install"], ["plan"], ["ensure"]):
        options = {"verb": words[0], **parse_words(verbs[words[0]], words[1:])}
    else:
        if words[:1] == ["uninstall"] and any(word.startswith(("-r", "--req")) for word in words):
            verbs["uninstall"]._positionals._group_actions[0].nargs = "*"  # noqa: SLF001  the file contains the names
        known, unknown = parser.parse_known_args(words)
        options = vars(known)
        if unknown:
            verbs[options["verb"]].error(f"unrecognized arguments: {' '.join(unknown)}")
    options.pop(IDLE, None)
    if program is not None:
        options["program"] = program
    if options["verb"] == "hold":
        options["program"] = options["program"][options["program"][:1] == ["--"] :]
        if not options["program"]:
            verbs["hold"].error("PROGRAM is missing.")
    return {"json": False, "debug": False, **options}


def _in_full(words: Sequence[str]) -> list[str]:
    """The words with the command first, instead of its alias; `help COMMAND` is `COMMAND --help`.

    Words without a command are a request for help, unless a program wants JSON.
    """
    first = next((at for at, word in enumerate(words) if word not in COMMON), len(words))
    words = [*words[first : first + 1], *words[:first], *words[first + 1 :]]
    if words[:1] == [_HELP]:
        about = [word for word in words[1:] if word not in COMMON]
        words = [*about, "--help"]
    if all(word in COMMON for word in words):
        return list(words) if "--json" in words else []
    return [*ALIASES.get(words[0], words[:1]), *words[1:]]


def _hide_foreign_options(verbs: dict[str, argparse.ArgumentParser], words: Sequence[str]) -> None:
    """Omit from the help of `home` and `registry` what only their action `create` takes, unless it is about that."""
    verb = words[0] if words else ""
    if verb in ("home", "registry") and "create" not in words[1:2]:
        verbs[verb].description = f"{verbs[verb].description}\n\nThe options of create: {verb} create --help"
        for action in verbs[verb]._actions:  # noqa: SLF001
            if action.option_strings and action.dest not in ("help", "json", "debug"):
                action.help = argparse.SUPPRESS


def verbs_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command, by name."""
    verbs = next(action for action in parser._actions if isinstance(action.choices, dict))  # noqa: SLF001
    return verbs.choices  # type: ignore[return-value]


def build_parser(prog: str = "", *, only: str = "") -> argparse.ArgumentParser:
    """Create the parser of the whole command line.

    Args:
        prog: The program as the user typed it; by default derived from `sys.argv`.
        only: The first word of the only command line that it has to parse: a command, without the help of all. The
            others take longer to create than most commands run. Default: all.
    """
    parser = _Parser(
        prog=prog or called(),
        description=_DESCRIPTION.format(prefix=sys.prefix),
        epilog="" if only else _epilog(),
        formatter_class=_Formatter,
    )
    parser.add_argument("-V", "--version", action="version", version=f"liveinstall {__version__}")
    _add_common(parser)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND", title="commands", prog=parser.prog)
    verbs.only = only  # type: ignore[attr-defined]
    _add_changes(verbs)
    _add_queries(verbs)
    _add_pending(verbs)
    _add_history(verbs)
    _add_repair(verbs)
    home_verbs.add_verbs(verbs, _verb)
    archive_verbs.add_verbs(verbs, _verb)
    sidebyside_verbs.add_verbs(verbs, _verb)
    cluster_verbs.add_verbs(verbs, _verb)
    completion = _verb(
        verbs, "completion", "print the shell code that enables completion of commands, options and names"
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish", "powershell"))
    about = _verb(verbs, _HELP, "show the options and examples of a command")
    about.add_argument("command", nargs="?", metavar="COMMAND", choices=(*verbs.choices, *ALIASES))
    if not only:
        verbs.choices.update({alias: verbs.choices[words[0]] for alias, words in ALIASES.items()})
    parser.verbs = verbs
    return parser


def _epilog() -> str:
    rows = "\n".join(_row(status.value, meaning) for status, meaning in MEANINGS.items())
    aliases = "\n".join(f"  {alias:<22}{' '.join(words)}" for alias, words in ALIASES.items())
    last = "COMMAND --help has its options and examples. Colours: NO_COLOR=1, FORCE_COLOR=1."
    return f"aliases:\n{aliases}\n\nexit status:\n{rows}\n\n{last}"


def _row(status: int, meaning: str) -> str:
    """A row of the help, wrapped to at most 80 columns."""
    import textwrap

    return textwrap.fill(meaning.replace("`", ""), 78, initial_indent=f"  {status:<5}", subsequent_indent=" " * 7)


def called() -> str:
    """Return how the user has started the command line: `liveinstall` or `python -m liveinstall`."""
    name = sys.argv[0].replace("\\", "/").rpartition("/")[2].removesuffix(".exe")
    return "liveinstall" if name == "liveinstall" else "python -m liveinstall"


def _add_changes(verbs: Any) -> None:
    request = _verb(
        verbs, "install", "install; changes that would disturb a running process are staged until the restart"
    )
    _add_request(request, report=True)
    request.add_argument("--dry-run", action="store_true", help="plan only, and change nothing")
    request.add_argument(
        "--parallel", action="store_true", help="install into the side-by-side store, not into the environment"
    )
    _add_request(_verb(verbs, "plan", "show what install would do, and change nothing"), report=True)
    _add_request(_verb(verbs, "ensure", "install only if the requirements are not satisfied; otherwise a fast no-op"))
    parser = _verb(verbs, "uninstall", "remove distributions; those in use are removed at the next start of Python")
    _add_names(parser, "+")
    parser.add_argument("--with-unused", action="store_true", help="also remove dependencies that nothing else needs")
    parser.add_argument("--dry-run", action="store_true", help="plan only, and change nothing")
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
        help="a requirements file that names more",
    )
    add("--break-system-packages", action="store_true", help="change an environment that another package manager owns")
    add_idle_options(parser)


def _add_queries(verbs: Any) -> None:
    listing = _verb(verbs, "list", "list distributions with their installed, loaded and pending versions")
    listing.add_argument("names", nargs="*", metavar="NAME", help='only these; patterns such as "jupyter*" are allowed')
    list_options.add_list_options(listing)
    _add_names(_verb(verbs, "show", "show the metadata of installed distributions, and their dependents"), "+")
    freeze = _verb(verbs, "freeze", "show the installed distributions as requirements")
    freeze.add_argument("--pending", action="store_true", help="as they will be after all pending changes")
    freeze.add_argument("--all", dest="tools", action="store_true", help="include pip itself")
    list_options.add_choice(freeze)
    _verb(verbs, "check", "report unsatisfied requirements, and files that differ from their RECORD")
    _add_names(_verb(verbs, "status", "show pending changes, and the processes that use the environment"))
    _verb(verbs, "pending", "show pending changes, and those that were set aside, with the reasons")


def _add_pending(verbs: Any) -> None:
    finalize = _verb(verbs, "finalize", "apply pending changes now, as the next start of Python would")
    finalize.add_argument("--force", action="store_true", help="even if other running processes use the distributions")
    _add_names(_verb(verbs, "cancel", "cancel pending changes; default: all"))
    hold = _verb(verbs, "hold", "run a program, and protect the whole environment until it exits")
    hold.usage = f"{hold.prog} [OPTION ...] [--] PROGRAM ..."
    hold.add_argument(
        "program",
        nargs=argparse.REMAINDER,
        metavar="PROGRAM",
        help="the program and its arguments; the exit status is that of the program",
    )
    guard = _verb(verbs, "guard", "enable or disable the protection of the packages that each interpreter uses")
    guard.add_argument("state", choices=("on", "off"))


def _add_history(verbs: Any) -> None:
    history = _verb(verbs, "history", "list applied transactions, newest first, and whether each can be undone")
    about = "packages (or patterns) whose history to list; with an ID, who requested it and where its files came from"
    history.add_argument("transactions", nargs="*", metavar="NAME|ID", help=about)
    history.add_argument("--limit", type=int, metavar="N", help="only the newest N")
    undo = _verb(verbs, "undo", "undo the last transaction, a given one, or all after a given one; needs no network")
    undo.add_argument("transaction", nargs="?", metavar="ID", help="one that history lists; default: the last one")
    undo.add_argument("--to", metavar="ID", help="undo all transactions after this one")
    home_verbs.add_verify(undo)
    prune = _verb(verbs, "prune", "remove old files that are kept for undo: all, or those beyond a limit")
    prune.add_argument("--all", dest="everything", action="store_true", help="all of them")
    prune.add_argument("--keep", type=int, metavar="N", help="keep those of the N newest transactions")
    prune.add_argument("--days", type=float, metavar="DAYS", help="remove those that are older")
    prune.add_argument("--bytes", type=int, metavar="BYTES", help="keep the newest up to this total size")


def _add_repair(verbs: Any) -> None:
    _add_names(_verb(verbs, "doctor", "report damage by other tools"))
    repair = _verb(verbs, "repair", "repair the damage that doctor reports")
    _add_names(repair)
    repair.add_argument("--dry-run", action="store_true", help="only report what would be repaired")


def _verb(verbs: Any, name: str, text: str) -> argparse.ArgumentParser:
    if verbs.only not in ("", name):
        return _Absent()  # type: ignore[return-value]
    called = verbs._prog_prefix  # noqa: SLF001  the examples use the program name that the user typed
    examples = "".join(f"  {line if '$(' in line else f'{called} {line}'}\n" for line in EXAMPLES[name])
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=_Formatter,
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
    about = "a distribution" if how_many == "+" else "a distribution; default: all"
    parser.add_argument("names", nargs=how_many, metavar="NAME", help=about)


def _add_when(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--when",
        choices=("auto", "now", "restart"),
        default="auto",
        help="now: fail if a change would be pending; restart: make all changes pending",
    )
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="limit for the environment's lock, and again for the engine"
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
    add(
        "--prefer",
        choices=("newest", "loaded"),
        default="newest",
        help="loaded: keep loaded versions if possible, to avoid a restart",
    )
    add(
        "--overlap",
        choices=("allow", "refuse"),
        default="allow",
        help="refuse: fail if another distribution has the same file",
    )
    add(
        "--conflicts",
        choices=("ask", "refuse", "allow"),
        help="what to do if installed distributions would break; default: allow, and report them",
    )
    add("--requester", metavar="NAME", help="the plugin that has these requirements; recorded for later requests")
    add(
        "--protect",
        action="append",
        default=[],
        metavar="REQUIREMENT",
        help="a requirement that this request may not break",
    )
