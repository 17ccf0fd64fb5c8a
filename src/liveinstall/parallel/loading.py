"""While modules are loaded from an archive, garbage is collected more rarely: until the outermost of them is there."""

from __future__ import annotations

from _frozen_importlib import ModuleSpec

from liveinstall.collecting import Rarely


class LoadingSpec(ModuleSpec):
    """The spec of a module that is loaded so.

    The import system marks a spec while its module is loaded. A loader's method around the module's code would do as
    well, but stand in every traceback.
    """

    _rarely: Rarely | None = None

    @property
    def _initializing(self) -> bool:
        return self._rarely is not None

    @_initializing.setter
    def _initializing(self, on: bool) -> None:
        if on and self._rarely is None:
            self._rarely = Rarely()
            self._rarely.__enter__()
        elif self._rarely is not None and not on:
            self._rarely.__exit__()
            self._rarely = None
