"""`python -m liveinstall`, `liveinstall`: every function of the API as a command, with `--json` and exit statuses.

The exit statuses are in `exit_codes.py`.
"""

from __future__ import annotations

import gc
import os
import sys

from liveinstall._frontends.cli.colours import RED, YELLOW, paint, paint_lines, wants_colour
from liveinstall._frontends.cli.exit_codes import ExitCode
from liveinstall._frontends.cli.plain_words import plain_options
from liveinstall._redact import redact
from liveinstall._system.gc_throttle import throttled_gc
from liveinstall._system.package import __version__
from liveinstall.errors import LiveInstallError, RequirementError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from liveinstall._frontends.cli.parser import UsageError

_FORMAT = 1  # of the --json envelope


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Never raises, so that other programs can run commands too.

    Args:
        arguments: The command line without the program. Default: that of this process, which exits afterwards.

    Returns:
        The exit status.
    """
    if arguments is None and "_ARGCOMPLETE" in os.environ:
        from liveinstall._frontends.cli.completion import answer
        from liveinstall._frontends.cli.parser import build_parser

        answer(build_parser())
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words in (["--version"], ["-V"]):
        _print(f"liveinstall {__version__}")
        return ExitCode.DONE
    options = plain_options(words) or _parsed(words)
    if not isinstance(options, dict):
        return options
    if arguments is not None:
        return run(options)
    _warn_of_another_environment()
    with throttled_gc():
        status = run(options)
    gc.freeze()  # this process exits: Python would search all objects for garbage several times, a tenth of a command
    return status


def _parsed(words: Sequence[str]) -> dict[str, Any] | int:
    """The options; or the exit status, if the command line is invalid, or the help was shown."""
    from liveinstall._frontends.cli.parser import UsageError, parse

    try:
        return parse(words)
    except UsageError as error:
        _show_misuse(error, as_json="--json" in words)
        return ExitCode.MISUSED
    except SystemExit as error:  # the help or the version was shown
        return int(error.code or 0)


def run(options: dict[str, Any]) -> int:
    """Run a parsed command line and return its exit status."""
    verb, as_json, debug = options.pop("verb"), options.pop("json"), options.pop("debug")
    options.pop("_yes", None)
    if "program" in options or verb == "prune":
        options["as_json"] = as_json
    if "quiet" in options:
        options["quiet"] = as_json or options["quiet"]
    try:
        from liveinstall._frontends.cli.verbs import VERBS, describe, engine_line, plain, status_of

        reports_to_stdout = options.get("report") == "-"
        value = VERBS[verb](options)
        text = _json(verb, result=plain(value)) if as_json else describe(verb, value)
        text += engine_line(value) if debug and not as_json else ""
        status = status_of(verb, value)
    except LiveInstallError as error:
        _show_error(verb, error, as_json=as_json, debug=debug)
        return ExitCode.MISUSED if isinstance(error, RequirementError) else ExitCode.FAILED
    except KeyboardInterrupt as error:
        interrupted = LiveInstallError("Interrupted.")
        _show_failure(verb, "KeyboardInterrupt", interrupted, error if debug else None, as_json=as_json)
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001  shown as one line, with --debug as a traceback
        _show_unexpected(verb, error, as_json=as_json, debug=debug)
        return ExitCode.UNEXPECTED
    if text and not reports_to_stdout:
        _print(paint_lines(text) if not as_json and verb != "completion" and wants_colour(sys.stdout) else text)
    return status


def _json(verb: str | None, **more: Any) -> str:
    """The output with --json."""
    import json

    return json.dumps({"liveinstall": _FORMAT, "command": verb, "ok": "error" not in more, **more})


def _print(text: str) -> None:
    """Print; the reader may close the pipe early (`history | head`), which does not undo what was done."""
    try:
        print(_printable(text), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise Python fails again at exit


def _printable(text: str) -> str:
    """The text with escapes for characters that the output cannot encode, such as a file name that is not UTF-8."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding, getattr(sys.stdout, "errors", None) or "strict")
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def _show_error(verb: str, error: LiveInstallError, *, as_json: bool, debug: bool) -> None:
    log = str(error.details.get("log") or "")
    if debug and log and not as_json:
        print(log.rstrip(), file=sys.stderr)
    _show_failure(verb, type(error).__name__, error, error if debug else None, as_json=as_json)


def _show_unexpected(verb: str, error: Exception, *, as_json: bool, debug: bool) -> None:
    """Show an error of an unexpected type. An unfinished change was rolled back, or will be at the next use."""
    what = " ".join(str(error).split()).rstrip(".") or "no message"
    shown = LiveInstallError(f"{what}.", todo="Run `check` to look for problems; --debug shows the traceback.")
    shown.unchanged = _describe_state()
    _show_failure(verb, type(error).__name__, shown, error if debug else None, as_json=as_json)


def _describe_state() -> str:
    """Describe the environment after an unexpected error, only from the files on disk."""
    from liveinstall._environment.target import current_site
    from liveinstall._transactions.published import is_interrupted

    try:
        interrupted = is_interrupted(current_site())
    except Exception:  # noqa: BLE001  the cause may be that of the error being shown
        return "It is not known whether a change was left half done."
    return (
        "A change was interrupted; the next start of Python completes it or rolls it back."
        if interrupted
        else "No change is left half done."
    )


def _show_failure(
    verb: str | None, kind: str, error: LiveInstallError, cause: BaseException | None, *, as_json: bool
) -> None:
    """Show an error as one line or one JSON object, after the traceback of `cause`."""
    if cause is not None:
        print(_traceback(cause), file=sys.stderr)
    if as_json:
        about = {
            "type": kind,
            "message": error.what,
            "unchanged": error.unchanged,
            "todo": error.todo,
            **{name: value for name, value in error.details.items() if isinstance(value, (str, dict, tuple))},
        }
        _print(_json(verb, error=about))
    else:
        print(f"{_coloured(kind, RED)}: {_with_commands(verb or '', error)}", file=sys.stderr)


def _with_commands(verb: str, error: LiveInstallError) -> LiveInstallError:
    """The error with commands and options instead of calls and arguments in its text."""
    import copy

    from liveinstall._frontends.cli.parser import build_parser, called, verbs_of
    from liveinstall._frontends.cli.remedies import as_commands

    shown = copy.copy(error)
    shown.unchanged = error.unchanged
    verbs = verbs_of(build_parser())
    shown.what, shown.todo = (as_commands(text, called(), verbs, verb) for text in (error.what, error.todo))
    return shown


def _traceback(error: BaseException) -> str:
    """The traceback with the errors that caused this one, which Python omits; a cause may contain credentials."""
    link: BaseException | None = error
    seen = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        link.__suppress_context__ = link.__cause__ is not None
        link = link.__cause__ or link.__context__
    import traceback

    return redact("".join(traceback.format_exception(error)).rstrip())


def _show_misuse(error: UsageError, *, as_json: bool) -> None:
    import re

    from liveinstall._frontends.cli.parser import called

    shown = LiveInstallError(f"{str(error).rstrip('.?')}{'?' if str(error).endswith('?') else '.'}")
    program = re.match(r"usage: (.*?)(?= \[| [A-Z]{2}|\n|$)", error.usage)
    shown.todo = f"See `{program[1] if program else called()} --help`."
    if not as_json:
        print(error.usage.rstrip(), file=sys.stderr)
    _show_failure(None, "UsageError", shown, None, as_json=as_json)


def _warn_of_another_environment() -> None:
    """Warn if the script on PATH belongs to an environment other than the activated one."""
    active = os.environ.get("VIRTUAL_ENV", "")
    if sys.argv[0].endswith("__main__.py") or not active or os.path.realpath(active) == os.path.realpath(sys.prefix):
        return
    warning = f"this is the liveinstall of {sys.prefix}, but the activated environment is {active}."
    print(f"{_coloured('Note', YELLOW)}: {warning}", file=sys.stderr)


def _coloured(text: str, colour: str) -> str:
    return paint(text, colour) if wants_colour(sys.stderr) else text
