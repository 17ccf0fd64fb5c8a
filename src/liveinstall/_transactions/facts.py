"""The facts in a record that people and undo need, as JSON. Of damaged facts only the readable ones are kept."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ABOUT = {"created": float, "pid": int, "command": str, "python": str, "lock": str, "base": str, "owner": str}
_LISTS = ("requests", "early", "names")
_CHANGE = {"reason": str, "requested": bool, "url": str, "sha256": str, "record": str, "retires": int}
_LATEST, _MOST = 10**10, 2**63  # seconds that a calendar can show; bytes, and numbers of processes


def decode_facts(text: str) -> dict[str, Any]:
    """Read the facts about a transaction, each of its documented type.

    Args:
        text: The JSON in its record.

    Returns:
        "created": seconds; "pid": int; "command", "python": str; "requests": list of str; "changes": a dictionary for
        each name, with the facts of `PendingChange.about`. Of one that was prepared for a cluster also "lock", "base",
        "owner": str, and "early", "names": list of str. Missing ones, and those of another type, are omitted.
    """
    import json  # without transactions on disk it is not needed

    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    facts = _typed(found, _ABOUT)
    facts |= {name: _texts(found[name]) for name in _LISTS if isinstance(found.get(name), list)}
    if isinstance(found.get("changes"), dict):
        changes = {name: change for name, change in found["changes"].items() if isinstance(change, dict)}
        facts["changes"] = {name: _change(change) for name, change in changes.items()}
    return facts


def _change(found: dict[str, Any]) -> dict[str, Any]:
    facts = _typed(found, _CHANGE)
    if isinstance(found.get("requires"), list):
        facts["requires"] = _texts(found["requires"])
    return facts


def _typed(found: dict[str, Any], kinds: dict[str, type]) -> dict[str, Any]:
    values = ((name, _value(found.get(name), kind)) for name, kind in kinds.items())
    return {name: value for name, value in values if value is not None}


def _value(value: Any, kind: type) -> Any:
    """The value, if it is of this kind and can be shown; else None."""
    if kind is str:
        return _shown(value) if isinstance(value, str) else None
    if kind is bool:
        return value if isinstance(value, bool) else None
    is_number = isinstance(value, (int, float) if kind is float else int) and not isinstance(value, bool)
    return value if is_number and 0 <= value < (_LATEST if kind is float else _MOST) else None


def _texts(values: list[Any]) -> list[str]:
    return [_shown(value) for value in values if isinstance(value, str)]


def _shown(text: str) -> str:
    """Text that every stream can print: JSON may have halves of characters."""
    return text.encode("utf-8", "replace").decode("utf-8")
