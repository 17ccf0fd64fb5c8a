"""`python -m liveinstall`: each verb of the API, `--json` for programs, an honest exit status.

0: done, or nothing to do. 1: failed, nothing changed. 2: the command line makes no sense. 3: finalize left something
waiting. 4: check, doctor or repair leave something broken.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from liveinstall.errors import LiveInstallError, RequirementError
from liveinstall.frontends.rendering import render_listed, show
from liveinstall.model import Result
from liveinstall.planning.options import add_options, parse_words
from liveinstall.session import audit, holding, install, pending, plan, removing
from liveinstall.session import undo as back

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FORMAT = 1  # of the --json envelope


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    options = _parse(list(sys.argv[1:] if arguments is None else arguments))
    verb, as_json = options.pop("verb"), options.pop("json")
    options.pop("_yes", None)
    if "quiet" in options:
        options["quiet"] = as_json or options["quiet"]
    try:
        value = _VERBS[verb](options)
    except LiveInstallError as error:
        _show_error(error, verb, as_json=as_json)
        return 2 if isinstance(error, RequirementError) else 1
    except KeyboardInterrupt:
        print("Interrupted. Nothing was changed.", file=sys.stderr)
        return 130
    if as_json:
        _tell(json.dumps({"liveinstall": _FORMAT, "command": verb, "ok": True, "result": _plain(value)}))
    else:
        _tell(_words(verb, value))
    if verb == "check":
        return 0 if value.ok else 4
    if verb in ("doctor", "repair"):
        return 4 if any(item.mend and item.outcome not in _repair_room().DONE for item in value) else 0
    return 3 if isinstance(value, Result) and verb == "finalize" and value.staged else 0


def _tell(text: str) -> None:
    """Print; whoever reads may have heard enough (`history | head`), and what was done is done."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python fails again at its end


def _ensure(options: dict[str, Any]) -> Any:
    from liveinstall.session.ensuring import ensure

    return ensure(*options.pop("requirements"), **options)


_VERBS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "install": lambda options: install(*options.pop("requirements"), **options),
    "plan": lambda options: plan(*options.pop("requirements"), **options),
    "ensure": _ensure,
    "uninstall": lambda options: removing.uninstall(*options.pop("names"), **options),
    "list": lambda _: audit.list(),
    "freeze": lambda options: audit.freeze(**options),
    "check": lambda _: audit.check(),
    "status": lambda _: pending.status(),
    "finalize": lambda options: pending.finalize(force=options["force"]),
    "cancel": lambda options: pending.cancel(*options["names"]),
    "guard": lambda options: holding.guard(options["state"]),
    "history": lambda _: back.history(),
    "undo": lambda options: back.undo(options["transaction"], to=options["to"]),
    "prune": lambda options: back.prune(**options),
    "doctor": lambda options: _repair_room().doctor(*options["names"]),
    "repair": lambda options: _repair_room().repair(*options["names"], dry_run=options["dry_run"]),
}


def _repair_room() -> Any:
    """Imported only when it is asked for: no other verb needs what it needs."""
    from liveinstall.session import repair

    return repair


def _words(verb: str, value: Any) -> str:
    if verb == "list":
        return render_listed(value)
    if verb == "freeze":
        return "\n".join(value)
    if verb == "cancel":
        return "\n".join(f"No longer waits: {change}" for change in value)
    if verb == "guard":
        return f"{value.site} is {'guarded' if value.guarded else 'not guarded'} from the next start of Python on."
    if verb == "history":
        return "\n".join(map(show, value)) or "Nothing has happened."
    if verb == "prune":
        return "\n".join(f"No longer undoable: {past.transaction}" for past in value) or "Nothing to remove."
    if verb in ("doctor", "repair"):
        return "\n".join(map(show, value)) or "Nothing is wrong."
    if verb == "finalize" and not (value.changed or value.staged):
        return "Nothing waits."
    return show(value)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return value
    plain = asdict(value)
    for name in ("changed", "restart_required", "undoable"):
        if hasattr(type(value), name):
            plain[name] = getattr(value, name)
    return plain


def _parse(arguments: list[str]) -> dict[str, Any]:
    """What was typed, by keyword. Where requirements may stand, options may stand among them, as for pip."""
    parser = _parser()
    if arguments[:1] not in (["install"], ["plan"], ["ensure"]):
        return vars(parser.parse_args(arguments))
    verbs = next(action for action in parser._actions if isinstance(action.choices, dict))  # noqa: SLF001
    chosen = cast("dict[str, argparse.ArgumentParser]", verbs.choices)[arguments[0]]
    return {"verb": arguments[0], **parse_words(chosen, arguments[1:])}


def _show_error(error: LiveInstallError, verb: str, *, as_json: bool) -> None:
    if as_json:
        about = {
            "type": type(error).__name__,
            "message": error.what,
            "unchanged": error.unchanged,
            "todo": error.todo,
            **{name: value for name, value in error.details.items() if isinstance(value, (str, dict))},
        }
        print(json.dumps({"liveinstall": _FORMAT, "command": verb, "ok": False, "error": about}))
    else:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m liveinstall",
        description="Change a Python environment while it is running, without breaking what is running.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    request = _verb(verbs, "install", "install now what is new, stage what would disturb a running process")
    _add_request(request)
    request.add_argument("--dry-run", action="store_true", help="decide and change nothing")
    _add_request(_verb(verbs, "plan", "show what install would do, and change nothing"))
    _add_request(_verb(verbs, "ensure", "install what is missing; do nothing, fast, when nothing is"))
    _add_uninstall(verbs)
    _verb(verbs, "list", "show every distribution: installed, loaded, pending")
    freeze = _verb(verbs, "freeze", "show the installed distributions as requirements")
    freeze.add_argument("--pending", action="store_true", help="as they will be once all that waits is in place")
    freeze.add_argument("--all", dest="tools", action="store_true", help="with pip itself")
    _verb(verbs, "check", "report requirements that do not hold, and files that are not as RECORD says")
    _verb(verbs, "status", "show what waits, for whom, and who holds the environment")
    finalize = _verb(verbs, "finalize", "swap what waits, as the next start of Python would")
    finalize.add_argument("--force", action="store_true", help="although other live processes hold the environment")
    cancel = _verb(verbs, "cancel", "take staged changes back; without names, all")
    cancel.add_argument("names", nargs="*", metavar="NAME")
    guard = _verb(verbs, "guard", "make every interpreter of the environment hold what it uses, or no longer")
    guard.add_argument("state", choices=("on", "off"))
    _add_past(verbs)
    doctor = _verb(verbs, "doctor", "report what other tools have left broken")
    doctor.add_argument("names", nargs="*", metavar="NAME")
    repair = _verb(verbs, "repair", "mend what doctor reports")
    repair.add_argument("names", nargs="*", metavar="NAME")
    repair.add_argument("--dry-run", action="store_true", help="say what it would do, and change nothing")
    return parser


def _add_uninstall(verbs: Any) -> None:
    parser = _verb(verbs, "uninstall", "remove now what nobody uses, stage the removal of what is loaded")
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--with-unused", action="store_true", help="also what only they needed and nobody asked for")
    parser.add_argument("--dry-run", action="store_true", help="decide and change nothing")
    _add_when(parser)
    _add_quiet(parser)
    # pip asks before it removes; here a removal can be undone, so the question is not asked and -y means nothing.
    parser.add_argument("-y", "--yes", action="store_true", dest="_yes", help=argparse.SUPPRESS)


def _add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress on stderr")


def _add_when(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--when", choices=("auto", "now", "restart"), default="auto", help="now refuses to wait, restart makes all wait"
    )
    parser.add_argument("--timeout", type=float, metavar="SECONDS")


def _add_past(verbs: Any) -> None:
    _verb(verbs, "history", "show every transaction that happened, newest first, and whether it can be undone")
    undo = _verb(verbs, "undo", "undo the last transaction, one by its id, or all after another; needs no network")
    undo.add_argument("transaction", nargs="?", metavar="ID")
    undo.add_argument("--to", metavar="ID", help="undo everything that happened after it")
    prune = _verb(verbs, "prune", "remove old files that are kept for undo; without a limit, all")
    prune.add_argument("--keep", type=int, metavar="N", help="those of the N newest transactions stay")
    prune.add_argument("--days", type=float, metavar="DAYS", help="what is older goes")
    prune.add_argument("--bytes", type=int, metavar="BYTES", help="the newest stay that fit")


def _verb(verbs: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.add_argument("--json", action="store_true", help="print one JSON object for programs")
    return parser


def _add_request(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_options(parser)
    _add_when(parser)
    _add_quiet(parser)
    add("--engine", default="auto", metavar="NAME", help="pip, uv or auto")
    add("--prefer", choices=("newest", "loaded"), default="newest", help="loaded: try first what needs no restart")
    add("--requester", metavar="NAME", help="who asks; is recorded, and kept in later requests")
    add("--protect", action="append", default=[], metavar="REQUIREMENT", help="what this request may not break")
