"""The verbs of the command line as values, for those who show them in their own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from liveinstall.errors import RequirementError
from liveinstall.frontends import cli
from liveinstall.model import Shown

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

VERBS = cli._VERBS  # noqa: SLF001


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each verb."""
    parser = cli._parser()  # noqa: SLF001
    verbs = next(action for action in parser._actions if isinstance(action.choices, dict))  # noqa: SLF001
    return cast("dict[str, argparse.ArgumentParser]", verbs.choices)


def evaluate(words: Sequence[str]) -> Any:
    """Carry one command out: its value where that shows itself, else what a person reads of it; None after help.

    Raises: RequirementError for a command that makes no sense, and what the verb raises.
    """
    try:
        options = cli._parse(list(words))  # noqa: SLF001
    except SystemExit as error:  # argparse has said why, or has shown its help
        if error.code:
            raise RequirementError(
                "the command makes no sense.", todo="See %liveinstall --help.", requirement=""
            ) from error
        return None
    verb = options["verb"]
    if options["json"]:
        cli.main(words)
        return None
    for name in ("verb", "json", "_yes"):
        options.pop(name, None)
    value = VERBS[verb](options)
    if isinstance(value, Shown):
        return value
    print(cli._words(verb, value))  # noqa: SLF001
    return None
