"""How values are displayed in a notebook: HTML cards, together with the plain text.

Every front end removes something: an untrusted notebook each declaration with var() and each <style>, a sanitised page
most attributes and even <p>. So a card consists of plain lines in divs, repeats the meaning of its colour in words, and
uses only inline styles. The colours are JupyterLab's own, so that they follow its theme; the fallback for other front
ends is readable on white and on black.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from html import escape

from liveinstall._cluster.outcome import Outcome
from liveinstall._environment.holders import describe
from liveinstall._frontends.detect import FrontEnd, detect
from liveinstall._frontends.rendering import (
    KEEPS,
    conflict_lines,
    few,
    moment,
    reason,
    remarks,
    restart_advice,
    sections,
    show,
    staged_by,
    use,
)
from liveinstall.reports import Check, Finding, History, Listed, Past, Requirements, Status
from liveinstall.results import Cancelled, ImportTrial, Origin, Pending, Plan, Result, Rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from liveinstall.results import Change, Holder

_GOOD = "var(--jp-success-color1, #2e8b57)"
_WAITS = "var(--jp-warn-color1, #c77700)"
_BAD = "var(--jp-error-color1, #d04437)"
_PLAIN = "var(--jp-border-color1, #8a8a8a)"
_MANY = 4  # from this number on, names are not repeated in advice
_COLAB = "application/vnd.colab-display-data+json"


def bundle(value: Any) -> dict[str, Any]:
    """Render a value of the model by MIME type. Never raises: a representation that fails is omitted."""
    try:
        data: dict[str, Any] = {"text/plain": show(value)}
    except Exception:  # noqa: BLE001  a notebook would show a traceback instead of the result
        data = {"text/plain": object.__repr__(value)}
    with suppress(Exception):
        data["text/html"] = render(value)
    with suppress(Exception):
        names = _imported(value) if detect() is FrontEnd.COLAB else []
        if names:  # Colab shows them in its own warning, with a restart button
            data[_COLAB] = {"pip_warning": {"packages": names}}
    return data


def render(value: Any) -> str:
    """Render any value of the model as one HTML element."""
    match value:
        case Plan() | Result():
            return _request(value)
        case Pending():
            return _pending(value)
        case Past():
            return _past(value)
        case ImportTrial():
            return _trial(value)
        case Status():
            return _status(value)
        case Finding():
            return _card(_BAD, _finding_line(value))
        case Check():
            return _check(value)
        case Listed():
            return _listing([value])
        case Rows():
            return _rows(value)
        case Outcome():
            return _outcome(value)
    return f"<pre>{escape(show(value))}</pre>"


def render_live(result: Result, *, restarts: bool) -> str:
    """Render a result next to buttons, which replace the calls that the plain card advises.

    Args:
        result: The result.
        restarts: Whether one of the buttons restarts the kernel.
    """
    return _request(result, has_buttons=True, restarts=restarts)


def note_line(text: str, *, is_bad: bool = False) -> str:
    """Render a sentence below a card."""
    style = f"{_LINE}; padding: 0 12px" + (f"; color: {_BAD}" if is_bad else "")
    return f"<div style='{style}'>{escape(text)}</div>"


def _request(value: Plan | Result, *, has_buttons: bool = False, restarts: bool = False) -> str:
    groups = [(title, changes) for title, changes in sections(value) if changes]
    conflicts = conflict_lines(value)
    conflicts = conflicts[: len(value.conflicts)] if has_buttons else conflicts
    parts = [_line(*line.partition(": ")[::2], colour=_BAD) for line in conflicts]
    parts += [_title(title) + _changes(changes) for title, changes in groups]
    parts += [_line(*line.partition(": ")[::2]) for line in remarks(value)]
    staged = value.waiting if isinstance(value, Plan) else value.staged
    if isinstance(value, Result) and staged and not value.dry_run:
        names = ", ".join(f'"{change.name}"' for change in staged)
        call = f"liveinstall.cancel({names if len(staged) < _MANY else ''})"
        advice = "" if restarts else restart_advice(change.name for change in staged)
        parts.append(f"<div style='{_LINE}'>{escape(KEEPS)} <b>{escape(advice)}</b></div>")
        if not has_buttons:
            parts.append(f"<div style='{_LINE}'>To cancel: <code>{escape(call)}</code></div>")
    if not parts:
        return _card(_PLAIN, _title("Nothing to do."))
    return _card(_BAD if value.conflicts else _WAITS if staged else _GOOD if groups else _PLAIN, *parts)


def _pending(item: Pending) -> str:
    failed = item.state == "failed"
    title = "Set aside: it could not be applied" if failed else "Pending until the next start of Python"
    facts = [
        ("Reason" if failed else "Waiting for", item.waits_for),
        ("Requested", ", ".join(item.requests)),
        ("Staged", f"{moment(item.since)} by {staged_by(item)}"),
        ("Transaction", item.transaction),
    ]
    return _card(_BAD if failed else _WAITS, _title(title), _changes(item.changes), _facts(facts))


def _past(past: Past) -> str:
    facts = [
        ("Requested", ", ".join(past.requests)),
        ("Applied", f"{moment(past.when)} by pid {past.pid} ({past.command})"),
        ("From", ", ".join(_short(past.sources.get(change.name, Origin()).url) for change in past.changes)),
    ]
    word = "can be undone" if past.undoable else f"cannot be undone: {past.why_not.rstrip('.')}"
    undo = _code(f'liveinstall.undo("{past.transaction}")') if past.undoable else _code(past.transaction)
    return _card(_PLAIN, _changes(past.changes), _facts(facts), f"<div style='{_LINE}'>{escape(word)}: {undo}</div>")


def _status(status: Status) -> str:
    has_pending = any(item.state == "pending" for item in status.pending)
    has_failed = any(item.state == "failed" for item in status.pending) or status.unreadable
    location = f"{status.target.site} ({status.target.kind}, {status.distributions} distributions)"
    parts = [f"<div style='{_LINE}'>{_code(location)}</div>"]
    parts += [_pending(item) for item in status.pending] or [_title("No pending changes.")]
    if has_pending:
        names = (change.name for item in status.pending if item.state == "pending" for change in item.changes)
        parts.append(f"<div style='{_LINE}'><b>{escape(restart_advice(names))}</b></div>")
    parts += [_trial(status.trial)] if status.trial else []
    parts += [_holder(holder) for holder in status.holders]
    if status.guarded:
        parts.append(_line("Guard", "every interpreter protects the distributions it uses."))
    parts += [_line("Unreadable, ignored", path) for path in status.unreadable]
    return _card(_BAD if has_failed else _WAITS if has_pending else _GOOD, *parts)


def _trial(trial: ImportTrial) -> str:
    colour = _BAD if trial.failures else _PLAIN if trial.is_running else _GOOD
    style = f"{_LINE}; color: {_BAD}" if trial.failures else _LINE
    return _card(colour, *(f"<div style='{style}'>{escape(line)}</div>" for line in show(trial).splitlines()))


def _holder(holder: Holder) -> str:
    rest = f"since {moment(holder.since)}: {use(holder)}"
    return f"<div style='{_LINE}'><b>In use by {escape(describe(holder, since=False))}</b> {escape(rest)}</div>"


def _check(check: Check) -> str:
    parts = [_line("Broken", text) for text in check.broken]
    parts += [_finding_line(finding) for finding in check.damaged]
    parts += [_line("Outdated", f"{stale}. {restart_advice()}") for stale in check.stale]
    return _card(_BAD, *parts) if parts else _card(_GOOD, _title("No problems found."))


def _finding_line(finding: Finding) -> str:
    mend = f"repair would {finding.mend}" if finding.mend else "repair does not change it"
    what = f"<b>{escape(finding.kind)}</b>: {_code(finding.name or finding.path)}: {escape(finding.what)}."
    return f"<div style='{_LINE}'>{what} {escape(finding.outcome or mend)}</div>"


def _listing(rows: Iterable[Listed]) -> str:
    cells = []
    for row in rows:
        facts = (("installed", row.installed), ("loaded", row.loaded), ("pending", row.pending))
        versions = (f"{word} {_code(version)}" for word, version in (*facts, ("project", row.project)) if version)
        cells.append((row.name, *versions))
    return _card(_PLAIN, _scrolling(_table_lines(cells)))


def _history(rows: Iterable[Past]) -> str:
    cells = []
    for past in rows:
        call = _code(f'liveinstall.undo("{past.transaction}")')
        undo = f"can be undone: {call}" if past.undoable else escape(f"cannot be undone: {past.why_not.rstrip('.')}")
        cells.append((moment(past.when), escape(few(past.changes)), f"({undo})"))
    return _card(_PLAIN, _scrolling(_table_lines(cells)))


def _rows(rows: Rows[Any]) -> str:
    if not rows:
        return _card(_GOOD, _title(rows.empty))
    match rows:
        case Cancelled():
            return _card(_PLAIN, _title("Cancelled"), _changes(rows, reasons=False))
        case Requirements():
            return _card(_PLAIN, _scrolling(f"<div>{_code(line)}</div>" for line in rows))
        case History():
            return _history(rows)
    if isinstance(rows[0], Listed):
        return _listing(rows)
    return f"<div>{''.join(map(render, rows))}</div>"


def _outcome(value: Outcome) -> str:
    cells = []
    for row in value.rows:
        head, *rest = str(row).removeprefix(row.site).lstrip().splitlines()
        cells.append(
            (row.site, escape(head), *(f"<div style='padding-left: 2em'>{escape(each)}</div>" for each in rest))
        )
    failed = any(row.state == "failed" for row in value.rows)
    colour = _BAD if value.phase == "failed" else _WAITS if value.left or failed else _GOOD
    return _card(colour, _title(value.head), _scrolling(_table_lines(cells)), *map(note_line, value.tail))


def _imported(value: Any) -> list[str]:
    """The imported top-level modules whose changes are pending until a restart, if the value is a Result."""
    from liveinstall._environment.installed import installed, top_names

    if not isinstance(value, Result) or value.dry_run:
        return []
    distributions = installed()
    modules = {
        top
        for change in value.staged
        if change.name in distributions
        for top in top_names(distributions[change.name])[0]
    }
    return sorted(modules & sys.modules.keys())


def _short(url: str) -> str:
    """Shorten a long URL to `https://host/.../name`; the plain text has all of it."""
    start, _, name = url.rpartition("/")
    host = "/".join(start.split("/")[:3])
    return url if host == start else f"{host}/.../{name}"


# The blocks of a card. They escape their arguments, except for those that are HTML already.

_LINE = "margin: 4px 0; overflow-wrap: anywhere"


def _card(colour: str, *parts: str) -> str:
    style = f"border-left: 4px solid {colour}; padding: 2px 12px; margin: 4px 0; max-width: 70em; text-align: left"
    return f"<div style='{style}'>{''.join(parts)}</div>"


def _title(text: str) -> str:
    return f"<div style='{_LINE}'><b>{escape(text)}</b></div>"


def _line(label: str, text: str, *, colour: str = "") -> str:
    style = f"{_LINE}; color: {colour}" if colour else _LINE
    return f"<div style='{style}'><b>{escape(label)}:</b> {escape(text)}</div>"


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>" if text else ""


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    return "".join(_line(label, text) for label, text in facts if text)


def _changes(changes: Iterable[Change], *, reasons: bool = True) -> str:
    rows = []
    for change in changes:
        old, new = change.old_version, change.new_version
        versions = _code(f"{old} \N{RIGHTWARDS ARROW} {new}" if old and new else new or old or "")
        rows.append((change.name, versions + ("" if new else " removed"), escape(reason(change)) if reasons else ""))
    return _table(rows)


def _scrolling(lines: Iterable[str]) -> str:
    """Lines in a box of limited height: a long list does not push the rest of the notebook away.

    Where styles are removed, all lines are displayed. Not <details>, which nbconvert's sanitiser prints.
    """
    return f"<div style='max-height: 24em; overflow: auto'>{''.join(lines)}</div>"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    return "".join(_table_lines(rows))


def _table_lines(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of a name and HTML cells. Not a <table>: nbconvert's sanitiser prints the <tbody> that it implies."""
    width = max((len(row[0]) for row in rows), default=0) + 2
    name = f"display: inline-block; min-width: {width}ch"
    lines = [f"<b style='{name}'>{escape(first)}</b> {' '.join(filter(None, rest))}" for first, *rest in rows]
    return [f"<div style='{_LINE}'>{line}</div>" for line in lines]


_STYLE = (
    "border-left:4px solid var(--jp-brand-color1,#1976d2);padding:4px 12px;"
    "color:var(--jp-ui-font-color1,inherit);font-family:var(--jp-ui-font-family,sans-serif)"
)


def card(heading: str, text: str) -> dict[str, str]:
    """Create the MIME bundle of a card.

    Args:
        heading: The title.
        text: The plain text after it.
    """
    html = f'<div style="{_STYLE}"><b>{escape(heading)}</b> {escape(text)}</div>'
    return {"text/plain": f"{heading} {text}".rstrip(), "text/html": html}
