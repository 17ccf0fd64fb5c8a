"""The progress of a cluster request: what has changed since the last look, and how it is displayed."""

from __future__ import annotations

import time

from liveinstall._model import ProgressState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from liveinstall._cluster.outcome import EnvironmentRow, Outcome

_STEPS = {
    "idle": "Waiting for the request before",
    "looking": "Looking at the environments",
    "shipping": "Sending the wheels",
    "preparing": "Preparing",
    "arming": "Arming",
    "undoing": "Undoing",
    "restarting workers": "Restarting workers",
}
_MOST_ROWS = 20  # of the table in a notebook


def brief(row: EnvironmentRow) -> dict[str, Any]:
    """Return the facts of a row that change during a request, without lists of addresses, as values of JSON.

    Args:
        row: The row.
    """
    counts = {"processes": len(row.members), "restarted": len(row.restarted), "left": len(row.left)}
    return {"environment": row.environment, "site": row.site, "state": row.state, "error": row.error, **counts}


class Changes:
    """Numbers the changes of rows, so that only those that a reader lacks are sent."""

    def __init__(self) -> None:
        """Start without rows."""
        self.number = 0
        self._rows: dict[str, tuple[int, EnvironmentRow]] = {}

    def note(self, rows: Iterable[EnvironmentRow]) -> list[EnvironmentRow]:
        """Note the current rows.

        Args:
            rows: All rows of the request.

        Returns:
            Those that have changed since the last call.
        """
        old, self._rows = self._rows, {}
        changed = []
        for row in rows:
            number, before = old.get(row.environment, (0, None))
            if row is not before:
                changed.append(row)
                number = self.number + 1
            self._rows[row.environment] = (number, row)
        self.number += bool(changed)
        return changed

    def since(self, number: int) -> list[dict[str, Any]]:
        """Return the rows that have changed after a number, each with the facts of `brief()`.

        Args:
            number: The reader's last `number`.
        """
        return [brief(row) for changed, row in self._rows.values() if changed > number]


class ClusterStory:
    """Merges the changes that arrive, and reports them as progress."""

    def __init__(self) -> None:
        """Start without rows."""
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._begin = time.monotonic()

    def hear(self, phase: str, rows: Iterable[Mapping[str, Any]]) -> ProgressState:
        """Return the progress after more changes.

        Args:
            phase: The phase of the request.
            rows: The rows that have changed, with the facts of `brief()`.
        """
        self._rows |= {row["environment"]: row for row in rows}
        rows = self._rows.values()
        step = _STEPS.get(phase, phase)
        if phase in ("preparing", "arming"):
            done = sum(row["state"] not in ("unchanged", *(["prepared"] if phase == "arming" else [])) for row in rows)
            return ProgressState(step, _of(done, len(rows), "environment"), _share(done, len(rows)), self._table())
        if phase == "restarting workers":
            done = sum(row["restarted"] for row in rows)
            return ProgressState(step, f"{done} restarted", None, self._table())
        return ProgressState(step, "", None, self._table())

    def end(self, outcome: Outcome) -> ProgressState:
        """Return the final state, which remains.

        Args:
            outcome: The outcome of the request.
        """
        words = [_of(outcome.restarted, None, "worker") + " restarted"]
        words += [_of(len(outcome.left), None, "process") + " still old"] if outcome.left else []
        step = "Failed" if outcome.phase == "failed" else f"Done, {', '.join(words)}"
        return ProgressState(step, f"{time.monotonic() - self._begin:.1f} s", ended=True)

    def _table(self) -> tuple[tuple[str, ...], ...]:
        """A row for each environment, those that need attention first."""
        rows = sorted(self._rows.values(), key=lambda row: (not row["error"], row["restarted"] == row["processes"]))
        cells = [(str(row["site"]), f"{_of(row['processes'], None, 'process')}, {_words(row)}") for row in rows]
        more = len(rows) - _MOST_ROWS
        return (*cells[:_MOST_ROWS], *([(f"and {more} more",)] if more > 0 else []))


def _words(row: Mapping[str, Any]) -> str:
    restarted = f", {row['restarted']} restarted" if row["restarted"] else ""
    left = f", {row['left']} still old" if row["left"] else ""
    error = f": {row['error']}" if row["error"] else ""
    return f"{row['state']}{restarted}{left}{error}"


def _share(done: int, total: int) -> float | None:
    return done / total if total else None


def _of(count: int, total: int | None, thing: str) -> str:
    number = count if total is None else total
    plural = thing if number == 1 else f"{thing}es" if thing.endswith("s") else f"{thing}s"
    return f"{count} {plural}" if total is None else f"{count} of {total} {plural}"
