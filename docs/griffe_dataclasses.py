"""Lets the API reference treat classes of `liveinstall._system.lean_dataclasses` as the dataclasses that they are."""

from __future__ import annotations

from typing import Any

import griffe

_LEAN = "liveinstall._system.lean_dataclasses"


class LeanDataclasses(griffe.Extension):
    """Replaces the names of that module in decorators and defaults by those of `dataclasses`."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """See `griffe.Extension`; called when the members of a class are known."""
        places = [*cls.decorators, *cls.attributes.values()]
        calls = [place.value for place in places if isinstance(place.value, griffe.ExprCall)]
        for place, name in [*((each, "value") for each in places), *((each, "function") for each in calls)]:
            used = getattr(place, name)
            if isinstance(used, griffe.ExprName) and used.canonical_path.startswith(f"{_LEAN}."):
                setattr(place, name, griffe.ExprName(f"dataclasses.{used.name}"))
