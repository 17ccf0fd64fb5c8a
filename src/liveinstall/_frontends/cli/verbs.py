"""The commands of the command line: the function that each calls, its plain text, its JSON and its exit status."""

from __future__ import annotations

import sys
from importlib import import_module

from liveinstall._frontends.cli import archive_verbs, cluster_verbs, home_verbs, sidebyside_verbs
from liveinstall._frontends.cli.exit_codes import ExitCode
from liveinstall._frontends.rendering import remedy_call, render_listed, show
from liveinstall.errors import DeclinedError, NotHappenedError, RequirementError
from liveinstall.reports import History, Listing
from liveinstall.results import Plan, Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any


def _deferred(module: str, name: str) -> Callable[..., Any]:
    """A function of `liveinstall`, of which the module is imported at the call: each command needs only its own."""

    def call(*arguments: Any, **options: Any) -> Any:
        return getattr(import_module(f"liveinstall.{module}"), name)(*arguments, **options)

    return call


_past = _deferred("_verbs.undo", "history")
_install = _deferred("_verbs.install", "install")
_plan = _deferred("_verbs.install", "plan")
_ensure = _deferred("_verbs.ensure", "ensure")
_uninstall = _deferred("_verbs.uninstall", "uninstall")
_show = _deferred("_frontends.cli.listings", "show")
_check = _deferred("_verbs.inspection", "check")
_status = _deferred("_verbs.status", "status")
_pending = _deferred("_verbs.pending", "pending")
_finalize = _deferred("_verbs.pending", "finalize")
_cancel = _deferred("_verbs.pending", "cancel")
_hold = _deferred("_verbs.hold", "hold_while")
_guard = _deferred("_verbs.hold", "guard")
_undo = _deferred("_verbs.undo", "undo")


def _history(options: dict[str, Any]) -> Any:
    """A table of all transactions, or of those that have changed a package; transactions given by their id in full."""
    given = options["transactions"]
    ids = [each for each in given if _is_id(each)]
    names = [each for each in given if each not in ids]
    done = _past(*names, limit=None if ids else options["limit"])
    unknown = [each for each in ids if each not in {past.transaction for past in done}]
    if unknown:
        raise NotHappenedError(f"unknown transaction: {', '.join(unknown)}.", todo="See `history`.")
    if names and not done:
        raise NotHappenedError(f"no transaction has changed {', '.join(names)}.", todo="See `history`.")
    return tuple(past for past in done if past.transaction in ids) if ids else done


def _is_id(text: str) -> bool:
    """Whether a word is the id of a transaction, which begins like 20261121T034425."""
    date, mark, time = text[:8], text[8:9], text[9:15]
    return mark == "T" and len(time) == len("034425") and (date + time).isdecimal()


def _prune(options: dict[str, Any]) -> Any:
    """Prune. Without a limit nothing could be undone afterwards, so this needs `--all`, or consent at a terminal."""
    everything, as_json = options.pop("everything"), options.pop("as_json", False)
    limited = any(value is not None for value in options.values())
    if everything and limited:
        raise RequirementError("--all and a limit exclude each other.", requirement="")
    if not (everything or limited or as_json):
        undoable = sum(past.undoable for past in _past())
        if undoable and not _consents(undoable):
            raise DeclinedError("Declined.")
    return _deferred("_verbs.undo", "prune")(**options)


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


def _repair_module() -> Any:
    """The module of repairs; imported only when needed, because no other command needs its imports."""
    from liveinstall._verbs import repair

    return repair


def _completion(options: dict[str, Any]) -> str:
    from liveinstall._frontends.cli.completion import script

    return script(options["shell"])


VERBS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "install": lambda options: _install(*options.pop("requirements"), **options),
    "plan": lambda options: _plan(*options.pop("requirements"), **options),
    "ensure": lambda options: _ensure(*options.pop("requirements"), **options),
    "uninstall": lambda options: _uninstall(*options.pop("names"), **options),
    "list": _deferred("_frontends.cli.listings", "listing"),
    "show": lambda options: _show(options["names"]),
    "freeze": _deferred("_frontends.cli.listings", "frozen"),
    "check": lambda _: _check(),
    "status": lambda options: _status(*options["names"]),
    "pending": lambda _: _pending(),
    "finalize": lambda options: _finalize(force=options["force"]),
    "cancel": lambda options: _cancel(*options["names"]),
    "hold": lambda options: _hold(options["program"]),
    "guard": lambda options: _guard(options["state"]),
    "history": _history,
    "undo": lambda options: _undo(options["transaction"], to=options["to"], verify=options["verify"]),
    "prune": _prune,
    "doctor": lambda options: _repair_module().doctor(*options["names"]),
    "repair": lambda options: _repair_module().repair(*options["names"], dry_run=options["dry_run"]),
    "completion": _completion,
    **home_verbs.VERBS,
    **archive_verbs.VERBS,
    **sidebyside_verbs.VERBS,
    **cluster_verbs.VERBS,
}
_GROUPS = (home_verbs, archive_verbs, sidebyside_verbs, cluster_verbs)


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
        import shlex

        text = text.replace(remedy_call(value), f"liveinstall install {shlex.join(value.remedy)}")
    return text


def engine_line(value: Any) -> str:
    """Return a further line for `--verbose`: the engine that was used, and why; empty if there is none."""
    is_known = isinstance(value, Result) and value.engine
    return f"\nEngine: {value.engine}, because {value.engine_reason}." if is_known else ""


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
    from dataclasses import asdict

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
        done = _repair_module().DONE
        return (
            ExitCode.BROKEN
            if any(
                item.mend and item.outcome not in done and (item.outcome or item.kind != "replaced") for item in value
            )
            else ExitCode.DONE
        )
    left_pending = verb == "finalize" and isinstance(value, Result) and value.staged
    return ExitCode.WAITS if left_pending else ExitCode.DONE
