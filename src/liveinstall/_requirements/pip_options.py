"""Command line options in pip's spelling: one table for our own commands and for pasted `pip install` commands.

The first field of each row is the keyword argument of `liveinstall.install()`.
"""

from __future__ import annotations

import argparse
import sys

from liveinstall._system.lean_dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn


IDLE = "_idle"  # the `dest` of options without effect


@dataclass(frozen=True)
class Option:
    """One command line option.

    Attributes:
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
    Option("upgrade", ("-U", "--upgrade"), "upgrade to the newest versions"),
    Option(
        "upgrade_strategy",
        ("--upgrade-strategy",),
        "whether dependencies are upgraded, too",
        metavar="WHEN",
        choices=("only-if-needed", "eager"),
    ),
    Option("reinstall", ("--force-reinstall", "-I", "--ignore-installed"), "reinstall even if it is up to date"),
    Option("deps", ("--no-deps",), "do not install dependencies", value=False),
    Option("pre", ("--pre",), "include pre-releases"),
    Option("requirement_files", ("-r", "--requirement"), "a requirements file", metavar="FILE", many=True),
    Option("constraints", ("-c", "--constraint"), "a file that limits versions", metavar="FILE", many=True),
    Option("editable", ("-e", "--editable"), "a project in editable mode", metavar="PATH", many=True),
    Option("groups", ("--group",), "a dependency group of a pyproject.toml: [PATH:]NAME", metavar="NAME", many=True),
    Option("script", ("--requirements-from-script",), "the requirements of a script (PEP 723)", metavar="FILE"),
    Option("pylock", ("--pylock",), "a lock file (PEP 751)", metavar="FILE"),
    Option("extras", ("--extra",), "an extra of the lock file", metavar="NAME", many=True),
    Option("index_url", ("-i", "--index-url"), "an index instead of the configured one", metavar="URL"),
    Option("extra_index_urls", ("--extra-index-url",), "an additional index", metavar="URL", many=True),
    Option("find_links", ("-f", "--find-links"), "a directory or page with archives", metavar="URL", many=True),
    Option("no_index", ("--no-index",), "use no index, only --find-links"),
    Option("only_binary", ("--only-binary",), "never build these; :all: for all", metavar="NAMES", many=True),
    Option("no_binary", ("--no-binary",), "always build these; :all: for all", metavar="NAMES", many=True),
    Option("require_hashes", ("--require-hashes",), "require a hash for every requirement"),
    Option("user", ("--user",), "install into the user's site-packages"),
    Option(
        "break_system_packages",
        ("--break-system-packages",),
        "change an environment that another package manager owns",
    ),
    Option(
        "config_settings",
        ("-C", "--config-settings", "--config-setting"),
        "a setting for the build backend",
        metavar="KEY=VALUE",
        many=True,
    ),
    Option(
        "pip_arguments", ("--pip-argument",), "an argument that is passed to pip unchanged", metavar="ARG", many=True
    ),
)
# The first option of each group in the table, and the group's title in the help text.
_TITLES = {
    "upgrade": "upgrade options",
    "requirement_files": "requirements, in addition to REQUIREMENT",
    "index_url": "package sources",
    "user": "less common options",
}
# Options that are passed to pip unchanged: with a value, and without one.
PASSED = (
    *("--trusted-host", "--proxy", "--cert", "--client-cert", "--retries", "--cache-dir", "--build-constraint"),
    "--uploaded-prior-to",
    *("--keyring-provider", "--use-feature", "--use-deprecated", "--exists-action", "--global-option", "--log"),
)
PASSED_FLAGS = (
    *("--no-cache-dir", "--no-build-isolation", "--prefer-binary", "--ignore-requires-python", "--use-pep517"),
    *("--isolated", "--check-build-dependencies", "--no-clean", "--no-warn-conflicts", "--no-warn-script-location"),
    "--only-deps",
)
# Options without effect, accepted because they are common in Dockerfiles: with a value, and without one.
_IDLE = ("--progress-bar", "--root-user-action")
_IDLE_FLAGS = ("--no-input", "--disable-pip-version-check", "--no-color", "--no-python-version-warning")
_IDLE_INSTALL_FLAGS = ("-y", "--yes", "--compile", "--no-compile", "--no-user")
# Accepted in pasted pip commands only, because our command line has its own flags of these names.
_PASTED_FLAGS = ("-q", "--quiet", "-v", "--verbose")
_REPORT = ("--report",)
# Options that are not supported, with the reason and the alternative: with a value, and without one.
_INSTEAD = {
    ("-t", "--target"): "it would change another directory; create an environment there with `home create PATH`",
    ("--prefix",): "it would change another environment; run the liveinstall of that environment",
    ("--root",): "it would change another environment; run the liveinstall of that environment",
    ("--platform",): "only files for this interpreter can be installed; for other platforms use `pip download`",
    ("--python-version",): "only files for this interpreter can be installed; run the liveinstall of the other Python",
    ("--implementation",): "only files for this interpreter can be installed; run the liveinstall of the other Python",
    ("--abi",): "only files for this interpreter can be installed; run the liveinstall of the other Python",
    ("--python",): "run the liveinstall of the other environment: PATH/TO/python -m liveinstall",
    _REPORT: "use `install --dry-run --report FILE`, or report= in Python",
}


class _Pass(argparse.Action):
    """Collects an option with its value, unchanged, for pip."""

    def __call__(
        self, _: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        joined = option if self.nargs == 0 else f"{option}={values}"
        namespace.pip_arguments = [*getattr(namespace, "pip_arguments", ()), joined]


class _Refuse(argparse.Action):
    """Refuses an option, with the alternative."""

    def __call__(self, parser: argparse.ArgumentParser, _: Any, __: Any, option: str | None = None) -> None:
        parser.error(f"{option} is not supported: {self.const}")


class _RequireVirtualenv(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, _: Any, __: Any, option: str | None = None) -> None:
        if sys.prefix == sys.base_prefix:
            parser.error(f"{option}: {sys.prefix} is not a virtual environment")


def add_idle_options(parser: argparse.ArgumentParser, *more: str) -> None:
    """Add hidden options without effect to a parser.

    Args:
        parser: The parser.
        *more: The spellings of flags to add to pip's common options.
    """
    hidden: dict[str, Any] = {"dest": IDLE, "default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
    parser.add_argument(*_IDLE, **hidden)
    parser.add_argument(*_IDLE_FLAGS, *more, action="store_true", **hidden)
    parser.add_argument("--require-virtualenv", "--require-venv", action=_RequireVirtualenv, nargs=0, **hidden)


def _add_pip_options(parser: argparse.ArgumentParser, *, report: bool) -> None:
    """Add pip's options that have no effect, and those that are refused with advice."""
    add_idle_options(parser, *_IDLE_INSTALL_FLAGS)
    if report:
        parser.add_argument("--report", metavar="FILE", help="write pip's installation report; -: to standard output")
    for spellings, advice in _INSTEAD.items():
        if report and spellings == _REPORT:
            continue
        parser.add_argument(*spellings, action=_Refuse, const=advice, default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def add_options(parser: argparse.ArgumentParser, *, report: bool = False) -> None:
    """Add all options to a parser. Options that are not given are not set in the namespace.

    Args:
        parser: The parser.
        report: Whether the command can write pip's installation report; other commands refuse that option.
    """
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
    _add_pip_options(parser, report=report)


def parse_words(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> dict[str, Any]:
    """Parse arguments with options among the requirements; after `--` all are requirements.

    `--` is handled here because argparse loses its position in `parse_intermixed_args()`.

    Args:
        parser: A parser with these options.
        arguments: The arguments.

    Returns:
        The keyword arguments of `install()`.

    Raises:
        ValueError: An argument is invalid; or another error that the parser's `error()` raises.
    """
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    options = vars(parser.parse_intermixed_args(_with_merged_binary_options(arguments[:end])))
    options.pop(IDLE, None)
    for argument in arguments[end + 1 :]:
        if argument.startswith("-"):
            parser.error(f"{argument!r} is not a requirement")
    return {**options, "requirements": [*options["requirements"], *arguments[end + 1 :]]}


def _with_merged_binary_options(arguments: Sequence[str]) -> list[str]:
    """The arguments with the net effect of `--no-binary` and `--only-binary`, because argparse loses their order."""
    # As in pip, the later option wins for a name, `:all:` overrides all earlier ones, `:none:` those of its own option.
    from liveinstall._system.lean_packaging import canonicalize_name

    merged: dict[str, list[str]] = {"--no-binary": [], "--only-binary": []}
    kept: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        option, equals, value = argument.partition("=")
        value = value if equals or option not in merged else next(remaining, "")
        if option not in merged or not value or value.startswith("-"):
            kept += [argument, value] if value and not equals else [argument]  # argparse reports an error, if any
            continue
        other = next(name for name in merged if name != option)
        for name in value.split(","):
            if name == ":all:":
                merged[other] = [":none:"] if merged[other] else []
            if name in (":all:", ":none:"):
                merged[option] = [name]
            else:
                merged[other] = [each for each in merged[other] if canonicalize_name(each) != canonicalize_name(name)]
                merged[option] = [*merged[option], name]
    return [*kept, *(f"{option}={name}" for option, names in merged.items() for name in names)]


class _PipCommandParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def parse_pip_command(arguments: Sequence[str]) -> dict[str, Any]:
    """Parse the arguments of a literal `pip install` command.

    Args:
        arguments: The arguments after `install`.

    Returns:
        The keyword arguments of `install()`.

    Raises:
        ValueError: An option is unknown or has no value.
    """
    parser = _PipCommandParser(add_help=False, allow_abbrev=False)
    add_options(parser)
    parser.add_argument("--timeout", action=_Pass, default=argparse.SUPPRESS)
    parser.add_argument(*_PASTED_FLAGS, dest=IDLE, action="count", default=argparse.SUPPRESS)
    return parse_words(parser, arguments)


def parse_pip_removal(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Parse the arguments of a literal `pip uninstall` command.

    Args:
        arguments: The arguments after `uninstall`.

    Returns:
        The names, and the paths of requirements files.

    Raises:
        ValueError: An option is unknown or has no value.
    """
    parser = _PipCommandParser(add_help=False, allow_abbrev=False)
    parser.add_argument("names", nargs="*")
    parser.add_argument("-r", "--requirement", dest="files", action="append", default=[])
    add_idle_options(parser, "-y", "--yes", "--break-system-packages", *_PASTED_FLAGS)
    namespace = parser.parse_intermixed_args(arguments)
    return namespace.names, namespace.files


_ELSEWHERE = "it would not change the running environment"
_OURS = "liveinstall sets it itself"
_OTHER = "it selects files for another interpreter"
_REFUSED = {
    **dict.fromkeys(("--target", "--prefix", "--root", "--python", "--src", "--wheel-dir", "--dest"), _ELSEWHERE),
    **dict.fromkeys(("--dry-run", "--report", "--no-user", "--help", "--version", "--require-virtualenv"), _OURS),
    **dict.fromkeys(("--platform", "--python-version", "--implementation", "--abi"), _OTHER),
    **{
        spelling: f"it has a keyword argument, {option.keyword}="
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
    from liveinstall._requirements.requirement import wrong

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
            reason = next((reason for option, reason in _REFUSED.items() if option.startswith(name)), "")
            if reason:
                raise wrong(f"pip_arguments: {name} is not allowed, because {reason}.", argument)
    if values:
        raise wrong(f"pip_arguments: {arguments[-1]} has no value.", arguments[-1])
