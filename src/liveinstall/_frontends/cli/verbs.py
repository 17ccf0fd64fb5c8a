"""The commands of the command line: the function that each calls, its plain text, its JSON and its exit status."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from liveinstall._frontends.cli import archive_verbs, home_verbs, listings, sidebyside_verbs
from liveinstall._frontends.cli.exit_codes import ExitCode
from liveinstall._frontends.rendering import remedy_call, render_listed, show
from liveinstall._verbs import hold, inspection, pending, uninstall
from liveinstall._verbs import undo as back
from liveinstall._verbs.install import install, plan
from liveinstall._verbs.status import status
from liveinstall.errors import DeclinedError, NotHappenedError, RequirementError
from liveinstall.reports import History, Listing
from liveinstall.results import Plan, Result

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


def _ensure(options: dict[str, Any]) -> Any:
    from liveinstall._verbs.ensure import ensure

    return ensure(*options.pop("requirements"), **options)


def _history(options: dict[str, Any]) -> Any:
    """All transactions, which are shown as a table, or those that are named, with all that is known of them."""
    done = back.history()
    ids = options["transactions"]
    unknown = [each for each in ids if each not in {past.transaction for past in done}]
    if unknown:
        raise NotHappenedError(f"{', '.join(unknown)}: there is no such transaction.", todo="See `history`.")
    return tuple(past for past in done if past.transaction in ids) if ids else done


def _prune(options: dict[str, Any]) -> Any:
    """Prune. Without a limit nothing could be undone any more, so that needs `--all`, or consent at a terminal."""
    everything, as_json = options.pop("everything"), options.pop("as_json", False)
    limited = any(value is not None for value in options.values())
    if everything and limited:
        raise RequirementError("--all and a limit exclude each other.", requirement="")
    if not (everything or limited or as_json):
        undoable = sum(past.undoable for past in back.history())
        if undoable and not _consents(undoable):
            raise DeclinedError("Declined.")
    return back.prune(**options)


def _consents(undoable: int) -> bool:
    """Ask whether to remove all files that are kept for undo.

    Raises:
        RequirementError: There is no terminal to ask at.
    """
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()):
        raise RequirementError(
            "prune without a limit removes everything that is kept for undo.",
            todo="Add --all, or a limit: --keep N, --days DAYS, --bytes BYTES.",
            requirement="",
        )
    number = f"{undoable} transaction{'s' if undoable > 1 else ''}"
    print(f"{number} can be undone now, and none afterwards. Remove the old files? [y/N] ", end="", file=sys.stderr)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _repair_room() -> Any:
    """The room that repairs; imported only when needed, because no other command needs its imports."""
    from liveinstall._verbs import repair

    return repair


def _completion(options: dict[str, Any]) -> str:
    from liveinstall._frontends.cli.completion import script

    return script(options["shell"])


VERBS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "install": lambda options: install(*options.pop("requirements"), **options),
    "plan": lambda options: plan(*options.pop("requirements"), **options),
    "ensure": _ensure,
    "uninstall": lambda options: uninstall.uninstall(*options.pop("names"), **options),
    "list": listings.listing,
    "show": lambda options: listings.show(options["names"]),
    "freeze": listings.frozen,
    "check": lambda _: inspection.check(),
    "status": lambda _: status(),
    "pending": lambda _: pending.pending(),
    "finalize": lambda options: pending.finalize(force=options["force"]),
    "cancel": lambda options: pending.cancel(*options["names"]),
    "hold": lambda options: hold.hold_while(options["program"]),
    "guard": lambda options: hold.guard(options["state"]),
    "history": _history,
    "undo": lambda options: back.undo(options["transaction"], to=options["to"], verify=options["verify"]),
    "prune": _prune,
    "doctor": lambda options: _repair_room().doctor(*options["names"]),
    "repair": lambda options: _repair_room().repair(*options["names"], dry_run=options["dry_run"]),
    "completion": _completion,
    **home_verbs.VERBS,
    **archive_verbs.VERBS,
    **sidebyside_verbs.VERBS,
}
_GROUPS = (home_verbs, archive_verbs, sidebyside_verbs)


def _group(verb: str) -> ModuleType | None:
    """The module of a group of commands, which defines their text and exit status; None for other commands."""
    return next((module for module in _GROUPS if verb in module.VERBS), None)


def describe(verb: str, value: Any) -> str:
    """Return the plain-text output of a command.

    Args:
        verb: The command.
        value: The value that it returned.
    """
    if verb == "list":
        return render_listed(value) if isinstance(value, Listing) else str(value)
    if verb == "show":
        return "\n---\n".join(map(str, value))
    group = _group(verb)
    if group:
        return str(group.text_of(value))
    if verb == "hold":
        return ""  # the program wrote its own output
    if verb == "freeze":
        return "\n".join(value)
    if verb == "completion":
        return str(value)
    if verb == "cancel":
        return "\n".join(f"Cancelled: {change}" for change in value)
    if verb == "guard":
        return f"{value.site} is {'guarded' if value.guarded else 'not guarded'}, from the next start of Python on."
    if verb == "prune":
        return "\n".join(f"Undo data removed for: {past.transaction}" for past in value) or "Nothing to remove."
    if isinstance(value, History):
        return show(value)
    if verb in _NOTHING:
        return "\n".join(map(show, value)) or _NOTHING[verb]
    if verb == "finalize" and not (value.changed or value.staged):
        return _NOTHING["pending"]
    text = show(value)
    if isinstance(value, (Plan, Result)) and value.remedy:
        text = text.replace(remedy_call(value), f"liveinstall install {shlex.join(value.remedy)}")
    return text


_NOTHING = {
    "history": "No transactions yet.",
    "pending": "No pending changes.",
    "doctor": "No problems found.",
    "repair": "No problems found.",
}


def plain(value: Any) -> Any:
    """Convert a value for JSON: its fields, and the properties that are derived from them."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, (str, int)):
        return value
    fields = asdict(value)
    for name in ("changed", "restart_required", "undoable"):
        if hasattr(type(value), name):
            fields[name] = getattr(value, name)
    return fields


def status_of(verb: str, value: Any) -> int:
    """Return the exit status of a command that raised no error; for `hold` it is that of the program.

    Args:
        verb: The command.
        value: The value that it returned.
    """
    group = _group(verb)
    if group:
        return int(group.status_of(value))
    if verb == "hold":
        return int(value)
    if verb == "check":
        return ExitCode.DONE if value.ok else ExitCode.BROKEN
    if verb in ("doctor", "repair"):
        done = _repair_room().DONE
        return (
            ExitCode.BROKEN
            if any(
                item.mend and item.outcome not in done and (item.outcome or item.kind != "replaced") for item in value
            )
            else ExitCode.DONE
        )
    left_pending = verb == "finalize" and isinstance(value, Result) and value.staged
    return ExitCode.WAITS if left_pending else ExitCode.DONE
