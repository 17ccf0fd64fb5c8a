"""The commands of the command line as functions that return values, for callers with their own display."""

from __future__ import annotations

from liveinstall._frontends.cli import main, parser
from liveinstall._frontends.cli.verbs import VERBS, describe
from liveinstall.errors import RequirementError
from liveinstall.results import Shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command, by name."""
    return parser.verbs_of(parser.build_parser())


def evaluate(typed: Sequence[str]) -> Any:
    """Execute one command.

    Args:
        typed: The command and its arguments.

    Returns:
        The value if it has its own display, otherwise its plain text; None after the help.

    Raises:
        RequirementError: The command line is invalid. Errors of the command itself are raised as they are.
    """
    try:
        options = parser.parse(typed)
    except parser.UsageError as error:
        raise RequirementError(f"{error}.", todo="See %liveinstall --help.", requirement="") from None
    except SystemExit:  # the help was shown
        return None
    if options["json"] or options["debug"]:
        main.run(options)
        return None
    verb = options["verb"]
    for name in ("verb", "json", "debug", "_yes"):
        options.pop(name, None)
    if "program" in options:
        options["as_json"] = True  # a program could not use the standard streams here
    value = VERBS[verb](options)
    if isinstance(value, Shown):
        return value
    print(describe(verb, value))
    return None
