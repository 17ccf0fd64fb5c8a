"""Registries: named sets of package versions. `LIVEINSTALL_REGISTRY` selects one to activate at start-up."""

from __future__ import annotations

from liveinstall._system.lazy_names import lazy_getattr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from liveinstall._verbs.registry import check, create, enable, export_pth, merge, registered, remove, show

__all__ = ["check", "create", "enable", "export_pth", "merge", "registered", "remove", "show"]

__getattr__ = lazy_getattr(__name__, dict.fromkeys(__all__, "liveinstall._verbs.registry"))
