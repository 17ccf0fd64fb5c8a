"""The verbs of the command line as values, for those who show them in their own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liveinstall._frontends.cli import main, parser
from liveinstall._frontends.cli.verbs import VERBS, describe
from liveinstall.errors import RequirementError
from liveinstall.results import Shown

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each verb."""
    return parser.verbs_of(parser.build_parser())


def evaluate(typed: Sequence[str]) -> Any:
    """Carry one command out: its value where that shows itself, else what a person reads of it; None after help.

    Raises: RequirementError for a command that makes no sense, and what the verb raises.
    """
    try:
        options = parser.parse(typed)
    except parser.UsageError as error:
        raise RequirementError(f"{error}.", todo="See %liveinstall --help.", requirement="") from error
    except SystemExit:  # it has shown its help
        return None
    if options["json"] or options["debug"]:
        main.run(options)
        return None
    verb = options["verb"]
    for name in ("verb", "json", "debug", "_yes"):
        options.pop(name, None)
    if "program" in options:
        options["as_json"] = True  # here are no streams that a program could have for itself
    value = VERBS[verb](options)
    if isinstance(value, Shown):
        return value
    print(describe(verb, value))
    return None
