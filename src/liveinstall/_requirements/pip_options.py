"""Command line options in pip's spelling: one table for our own commands and for pasted `pip install` commands.

The first field of each row is the keyword argument of `liveinstall.install()`.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from packaging.utils import canonicalize_name

from liveinstall._requirements.requirement import wrong

if TYPE_CHECKING:
    from collections.abc import Sequence


IDLE = "_idle"  # where a parser puts what changes nothing


@dataclass(frozen=True)
class Option:
    """One command line option.

    Args:
        keyword: The keyword argument of `install()`.
        spellings: The option's spellings, as in pip.
        help: Its help text.
        metavar: The placeholder of its value in the help text; empty for a flag.
        many: Whether it can be repeated.
        value: The value that a flag sets.
        choices: The allowed values; None for any.
    """

    keyword: str
    spellings: tuple[str, ...]
    help: str
    metavar: str = ""
    many: bool = False
    value: bool = True
    choices: tuple[str, ...] | None = None


OPTIONS = (
    Option("upgrade", ("-U", "--upgrade"), "to the newest versions"),
    Option(
        "upgrade_strategy",
        ("--upgrade-strategy",),
        "what dependencies do in an upgrade",
        metavar="WHEN",
        choices=("only-if-needed", "eager"),
    ),
    Option("reinstall", ("--force-reinstall",), "also what is there already"),
    Option("deps", ("--no-deps",), "without dependencies", value=False),
    Option("pre", ("--pre",), "also pre-releases"),
    Option("requirement_files", ("-r", "--requirement"), "a requirements file", metavar="FILE", many=True),
    Option("constraints", ("-c", "--constraint"), "a file that limits versions", metavar="FILE", many=True),
    Option("editable", ("-e", "--editable"), "a project to be used where it lies", metavar="PATH", many=True),
    Option("groups", ("--group",), "a group of a pyproject.toml: [PATH:]NAME", metavar="NAME", many=True),
    Option("script", ("--requirements-from-script",), "what a script says it needs (PEP 723)", metavar="FILE"),
    Option("pylock", ("--pylock",), "a lock file (PEP 751)", metavar="FILE"),
    Option("extras", ("--extra",), "an extra of the lock file", metavar="NAME", many=True),
    Option("index_url", ("-i", "--index-url"), "instead of the configured index", metavar="URL"),
    Option("extra_index_urls", ("--extra-index-url",), "a further index", metavar="URL", many=True),
    Option("find_links", ("-f", "--find-links"), "a directory or page of archives", metavar="URL", many=True),
    Option("no_index", ("--no-index",), "no index at all"),
    Option("only_binary", ("--only-binary",), "never build these; :all: for all", metavar="NAMES", many=True),
    Option("no_binary", ("--no-binary",), "always build these; :all: for all", metavar="NAMES", many=True),
    Option("require_hashes", ("--require-hashes",), "nothing without a hash"),
    Option("user", ("--user",), "into the user's own site-packages"),
    Option("break_system_packages", ("--break-system-packages",), "although another package manager owns it"),
    Option(
        "config_settings",
        ("-C", "--config-settings", "--config-setting"),
        "for the build backend",
        metavar="KEY=VALUE",
        many=True,
    ),
    Option(
        "pip_arguments", ("--pip-argument",), "a further argument for pip, given as it is", metavar="ARG", many=True
    ),
)
# The first option of each group in the table, and the group's title in the help text.
_TITLES = {
    "upgrade": "how far it goes",
    "requirement_files": "what is wanted, besides REQUIREMENT",
    "index_url": "where it comes from",
    "user": "rarely needed",
}
# Options that are passed to pip unchanged: with a value, and without one.
PASSED = (
    *("--trusted-host", "--proxy", "--cert", "--client-cert", "--retries", "--cache-dir", "--build-constraint"),
    *("--keyring-provider", "--use-feature", "--use-deprecated", "--exists-action", "--global-option", "--log"),
)
PASSED_FLAGS = (
    *("--no-cache-dir", "--no-build-isolation", "--prefer-binary", "--ignore-requires-python", "--use-pep517"),
    *("--isolated", "--check-build-dependencies", "--no-clean", "--no-warn-conflicts", "--no-warn-script-location"),
)
# Accepted because every Dockerfile has them; none changes anything here: with a value, and without one.
_IDLE = ("--progress-bar", "--root-user-action")
_IDLE_FLAGS = ("--no-input", "--disable-pip-version-check", "--no-color", "--no-python-version-warning")
_IDLE_INSTALL_FLAGS = ("-y", "--yes", "--compile", "--no-compile", "--no-user")
# Only of a habit: the command line has its own.
_HABIT_FLAGS = ("-q", "--quiet", "-v", "--verbose")
# What cannot be done here, and what to use instead: with a value, and without one.
_INSTEAD = {
    (
        "-t",
        "--target",
    ): "that would change another directory; `home create PATH` makes an environment there",
    ("--prefix",): "that would change another place; run the liveinstall of that environment",
    ("--root",): "that would change another place; run the liveinstall of that environment",
    ("--platform",): "only files for this interpreter can be used; for others `pip download` fetches them",
    ("--python-version",): "only files for this interpreter can be used; run the liveinstall of the other Python",
    ("--implementation",): "only files for this interpreter can be used; run the liveinstall of the other Python",
    ("--abi",): "only files for this interpreter can be used; run the liveinstall of the other Python",
    ("--python",): "another environment is changed by its own liveinstall: PATH/TO/python -m liveinstall",
    ("--report",): "`--dry-run --json` has what would happen",
}
_FLAGS_INSTEAD = {("-I", "--ignore-installed"): "nothing is installed over another; --force-reinstall replaces it"}


class _Pass(argparse.Action):
    """Collects an option with its value, unchanged, for pip."""

    def __call__(
        self, _: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        joined = option if self.nargs == 0 else f"{option}={values}"
        namespace.pip_arguments = [*getattr(namespace, "pip_arguments", ()), joined]


class _Refuse(argparse.Action):
    """Says what to use instead."""

    def __call__(self, parser: argparse.ArgumentParser, _: Any, __: Any, option: str | None = None) -> None:
        parser.error(f"{option} is not possible here: {self.const}")


class _RequireVirtualenv(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, _: Any, __: Any, option: str | None = None) -> None:
        if sys.prefix == sys.base_prefix:
            parser.error(f"{option}: {sys.prefix} is not a virtual environment")


def add_idle_options(parser: argparse.ArgumentParser, *more: str) -> None:
    """Let a parser accept what changes nothing here: pip's common options, and the flags in `more`."""
    nothing: dict[str, Any] = {"dest": IDLE, "default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
    parser.add_argument(*_IDLE, **nothing)
    parser.add_argument(*_IDLE_FLAGS, *more, action="store_true", **nothing)
    parser.add_argument("--require-virtualenv", "--require-venv", action=_RequireVirtualenv, nargs=0, **nothing)


def _add_pips_own(parser: argparse.ArgumentParser) -> None:
    """What is accepted without effect, and what is refused with advice."""
    add_idle_options(parser, *_IDLE_INSTALL_FLAGS)
    for spellings, why in (*_INSTEAD.items(), *_FLAGS_INSTEAD.items()):
        nargs = 0 if spellings in _FLAGS_INSTEAD else None
        parser.add_argument(
            *spellings, action=_Refuse, nargs=nargs, const=why, default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options to a parser. Options that are not given are not set in the namespace."""
    parser.add_argument("requirements", nargs="*", metavar="REQUIREMENT", help='rich, "numpy>=2", a path or a URL')
    group: argparse._ActionsContainer = parser
    for option in OPTIONS:
        if option.keyword in _TITLES:
            group = parser.add_argument_group(_TITLES[option.keyword])
        form: dict[str, Any] = {"action": "store_const", "const": option.value}
        if option.metavar:
            form = {"action": "append" if option.many else "store", "metavar": option.metavar}
        if option.choices:
            form["choices"] = option.choices
        group.add_argument(*option.spellings, dest=option.keyword, default=argparse.SUPPRESS, help=option.help, **form)
    for spelling in PASSED:
        parser.add_argument(spelling, action=_Pass, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    for spelling in PASSED_FLAGS:
        parser.add_argument(spelling, action=_Pass, nargs=0, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    _add_pips_own(parser)


def parse_words(parser: argparse.ArgumentParser, words: Sequence[str]) -> dict[str, Any]:
    """Parse arguments with options among the requirements; after `--` all are requirements.

    `--` is handled here because argparse loses its position in `parse_intermixed_args()`.

    Args:
        parser: A parser with these options.
        words: The arguments.

    Returns:
        The keyword arguments of `install()`.
    """
    end = list(words).index("--") if "--" in words else len(words)
    found = vars(parser.parse_intermixed_args(_with_binaries_settled(words[:end])))
    found.pop(IDLE, None)
    for word in words[end + 1 :]:
        if word.startswith("-"):
            parser.error(f"{word!r} is not a requirement")
    return {**found, "requirements": [*found["requirements"], *words[end + 1 :]]}


def _with_binaries_settled(words: Sequence[str]) -> list[str]:
    """The words with what `--no-binary` and `--only-binary` come to in their order, which argparse does not keep.

    As for pip: the later one counts for a name, `:all:` undoes all that was said before it, `:none:` what its own
    option said.
    """
    settled: dict[str, list[str]] = {"--no-binary": [], "--only-binary": []}
    kept: list[str] = []
    left = iter(words)
    for word in left:
        option, equals, value = word.partition("=")
        value = value if equals or option not in settled else next(left, "")
        if option not in settled or not value or value.startswith("-"):
            kept += [word, value] if value and not equals else [word]  # argparse says what is wrong
            continue
        other = next(name for name in settled if name != option)
        for name in value.split(","):
            if name == ":all:":
                settled[other] = [":none:"] if settled[other] else []
            if name in (":all:", ":none:"):
                settled[option] = [name]
            else:
                settled[other] = [each for each in settled[other] if canonicalize_name(each) != canonicalize_name(name)]
                settled[option] = [*settled[option], name]
    return [*kept, *(f"{option}={name}" for option, names in settled.items() for name in names)]


class _PipCommandParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def parse_pip_command(words: Sequence[str]) -> dict[str, Any]:
    """Parse the arguments of a literal `pip install` command.

    Args:
        words: The arguments after `install`.

    Returns:
        The keyword arguments of `install()`.

    Raises:
        ValueError: An option is unknown or has no value.
    """
    parser = _PipCommandParser(add_help=False, allow_abbrev=False)
    add_options(parser)
    parser.add_argument("--timeout", action=_Pass, default=argparse.SUPPRESS)
    parser.add_argument(*_HABIT_FLAGS, dest=IDLE, action="count", default=argparse.SUPPRESS)
    return parse_words(parser, words)


def parse_pip_removal(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names and requirement files of a literal `pip uninstall`; ValueError says what is not understood."""
    parser = _PipCommandParser(add_help=False, allow_abbrev=False)
    parser.add_argument("names", nargs="*")
    parser.add_argument("-r", "--requirement", dest="files", action="append", default=[])
    add_idle_options(parser, "-y", "--yes", "--break-system-packages", *_HABIT_FLAGS)
    found = parser.parse_intermixed_args(words)
    return found.names, found.files


_ELSEWHERE = "it would change another place than the running environment"
_OURS = "liveinstall gives it itself"
_OTHER = "it chooses files for another interpreter than this one"
_REFUSED = {
    **dict.fromkeys(("--target", "--prefix", "--root", "--python", "--src", "--wheel-dir", "--dest"), _ELSEWHERE),
    **dict.fromkeys(("--dry-run", "--report", "--no-user", "--help", "--version", "--require-virtualenv"), _OURS),
    **dict.fromkeys(("--platform", "--python-version", "--implementation", "--abi"), _OTHER),
    "--ignore-installed": "it would install over what is there",
    **{
        spelling: f"{option.keyword}= says it"
        for option in OPTIONS
        for spelling in option.spellings
        if spelling.startswith("--") and option.keyword != "pip_arguments"
    },
}


def check_pip_arguments(arguments: Sequence[str]) -> None:
    """Check the option `pip_arguments`. pip accepts abbreviated options, so abbreviations of refused ones are refused.

    Args:
        arguments: The arguments for pip.

    Raises:
        RequirementError: An argument is not a long option, or changes what is installed or where.
    """
    values = 0  # the number of arguments that belong to the previous option
    for argument in arguments:
        if values:
            values = 0
            continue
        name, equals, _ = argument.partition("=")
        if name in (*PASSED, "--timeout"):
            values = not equals
        elif name in PASSED_FLAGS or set(name.removeprefix("-")) in ({"q"}, {"v"}):
            continue
        elif not name.startswith("--") or name == "--":
            what = (
                "an option in its long form" if name.startswith("-") else "an option; with a value it is --OPTION=VALUE"
            )
            raise wrong(f"pip_arguments: {argument!r} is not {what}.", argument)
        else:
            reason = next((why for refused, why in _REFUSED.items() if refused.startswith(name)), "")
            if reason:
                raise wrong(f"pip_arguments: {name} cannot be given, because {reason}.", argument)
    if values:
        raise wrong(f"pip_arguments: {arguments[-1]} has no value.", arguments[-1])
