"""The result table of a cluster request: a row for each environment."""

from __future__ import annotations

from dataclasses import dataclass

from liveinstall._system.presenter import presenter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


@dataclass(frozen=True)
class EnvironmentRow:
    """The outcome of a cluster request in one environment.

    Attributes:
        environment: The environment's id.
        site: Its site-packages directory.
        members: The addresses of the processes that use it.
        state: "prepared", "pending" (new processes use the change), "applied", "current" (there was nothing to
            change), "dropped", or "failed".
        changes: The changes, for people: `numpy 1.26.4 -> 2.2.6`.
        restarted: The addresses of the workers that were restarted, as they were before.
        left: Why each process that still uses old versions was not restarted, by address.
        error: Why the environment failed, or why its change is pending; empty otherwise.
    """

    environment: str
    site: str
    members: tuple[str, ...]
    state: str
    changes: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    left: tuple[tuple[str, str], ...] = ()
    error: str = ""

    def __str__(self) -> str:
        """The row in a few lines, for people."""
        count = len(self.members)
        facts = f"{self.site} ({count} process{'es' if count != 1 else ''}): {self.state}"
        done = [*self.changes, *([f"{len(self.restarted)} restarted"] if self.restarted else [])]
        return "\n".join(["; ".join([facts, *done]), *(f"  {line}" for line in self.remarks)])

    @property
    def remarks(self) -> list[str]:
        """The error, and why processes still use old versions."""
        left = [f"{address} still uses the old versions: {why}" for address, why in self.left]
        return [*filter(None, [self.error]), *left]


@dataclass(frozen=True, repr=False)
class Outcome:
    """The outcome of a cluster request.

    Attributes:
        rows: A row for each environment.
        requests: The requirements of the request.
        phase: "looking", "shipping", "preparing", "arming", "restarting workers", "done", "failed" or "idle".
        decided: Whether the change was prepared everywhere, so that new processes use it from then on.
        mixed: For how many seconds workers with old and with new versions were running.
        sent: The total size in bytes of the wheels that were sent to environments.
        error: Why the request failed; empty otherwise.
    """

    rows: tuple[EnvironmentRow, ...] = ()
    requests: tuple[str, ...] = ()
    phase: str = "idle"
    decided: bool = False
    mixed: float = 0.0
    sent: int = 0
    error: str = ""

    @property
    def restarted(self) -> int:
        """The number of workers that were restarted."""
        return sum(len(row.restarted) for row in self.rows)

    @property
    def left(self) -> dict[str, str]:
        """The reason why each process that still uses old versions was not restarted, by address."""
        return {address: why for row in self.rows for address, why in row.left}

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as values of JSON; `from_json()` reads them."""
        rows = [
            {**vars(row), "members": list(row.members), "changes": list(row.changes), "restarted": list(row.restarted)}
            | {"left": dict(row.left)}
            for row in self.rows
        ]
        return {**vars(self), "rows": rows, "requests": list(self.requests)}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Outcome:
        """Read the return value of `as_json()`."""
        rows = tuple(
            EnvironmentRow(
                **{
                    **row,
                    "members": tuple(row["members"]),
                    "changes": tuple(row["changes"]),
                    "restarted": tuple(row["restarted"]),
                    "left": tuple(row["left"].items()),
                }
            )
            for row in values["rows"]
        )
        return Outcome(**{**values, "rows": rows, "requests": tuple(values["requests"])})

    def __str__(self) -> str:
        """A line or more for each environment, for people."""
        return "\n".join([self.head, *map(str, self.rows), *self.tail])

    def __repr__(self) -> str:
        """The same, for prompts."""
        return str(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Return one form for each MIME type. IPython calls this and displays the form that its front end supports."""
        return presenter().mime_bundle(self)

    @property
    def head(self) -> str:
        """The first line for people."""
        head = f"{' '.join(self.requests)}: {self.phase}" if self.requests else self.phase
        return f"{head}: {self.error}" if self.error else head

    @property
    def tail(self) -> list[str]:
        """The last lines for people."""
        if not self.mixed:
            return []
        return [f"Workers with old and with new versions ran at the same time for {self.mixed:.1f} s."]
