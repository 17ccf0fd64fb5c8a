"""The command for code archives: `archive create`, `archive check`."""

from __future__ import annotations

from liveinstall._frontends.cli.exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

EXAMPLES = {
    "archive": ("archive create app.archive vendored wheels/*.whl --stdlib", "archive check app.archive"),
}


def add_verbs(verbs: Any, verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Add `archive` to the command-line parser.

    Args:
        verbs: The subparsers of the command line.
        verb: The function that adds one command to them.
    """
    archive = verb(
        verbs,
        "archive",
        "create or check a code archive: the bytecode of directories and wheels in one file, for faster imports",
    )
    archive.add_argument("action", choices=("create", "check"))
    archive.add_argument("path", metavar="FILE", help="the archive")
    archive.add_argument(
        "places", nargs="*", metavar="PLACE", help="wheels, and directories laid out like site-packages"
    )
    archive.add_argument("--stdlib", action="store_true", help="include the standard library")


def _archive(options: dict[str, Any]) -> Any:
    from liveinstall._sidebyside.imports import code_archive_writer

    if options["action"] == "check":
        return code_archive_writer.check(options["path"])
    places = code_archive_writer.directories_of(options["places"])
    return code_archive_writer.create(options["path"], *places, stdlib=options["stdlib"])


VERBS: dict[str, Callable[[dict[str, Any]], Any]] = {"archive": _archive}


def text_of(value: Any) -> str:
    """Return the plain-text output for a value."""
    if hasattr(value, "stale"):
        lines = [f"{value.path}: {value.modules} modules, {len(value.stale)} outdated."]
        return "\n".join([*lines, *(f"  {name}" for name in value.stale)])
    lines = [f"{value.path}: {value.modules} modules, {value.size} bytes."]
    return "\n".join([*lines, *(f"  omitted, cannot be compiled: {name}" for name in value.left_out)])


def status_of(value: Any) -> int:
    """Return the exit status for a value."""
    return ExitCode.BROKEN if getattr(value, "stale", ()) else ExitCode.DONE
