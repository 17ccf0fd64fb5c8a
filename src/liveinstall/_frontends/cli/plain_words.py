"""Command lines of one word, with their options: creating a parser takes as long as most of these commands run."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_PLAIN: dict[str, dict[str, Any]] = {
    "list": {
        **dict.fromkeys(("names", "extra_index_urls", "find_links", "exclude"), ()),
        **dict.fromkeys(("not_required", "outdated", "pre", "no_index", "local"), False),
        **dict.fromkeys(("format", "index_url")),
        "engine": "auto",
    },
    "status": {"names": ()},
    "pending": {},
    "check": {},
    "history": {"transactions": (), "limit": None},
    "freeze": {"pending": False, "tools": False, "exclude": (), "local": False},
}


def plain_options(words: Sequence[str]) -> dict[str, Any] | None:
    """Return what `parse()` returns for a command without arguments.

    Args:
        words: The command line without the program.

    Returns:
        The options by name; None if the command line has to be parsed.
    """
    options = _PLAIN.get(words[0]) if len(words) == 1 else None
    return None if options is None else {"verb": words[0], "json": False, "debug": False, **options}
