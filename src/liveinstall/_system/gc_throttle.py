"""Collect garbage more rarely while much is loaded or decided: it makes many objects, and hardly any garbage.

Python looks for garbage cycles whenever 700 objects more were made than deleted (2,000 from 3.13 on). That is a fifth
of the time of loading many modules, and more in a process that has many objects.
"""

import gc
from _frozen_importlib import ModuleSpec

THRESHOLD = 10_007  # nobody else's


class throttled_gc:  # noqa: N801  it is called like a function
    """A context within which that happens after THRESHOLD objects, unless somebody has chosen more, or never.

    It can be used again, also within itself. A threshold that somebody chooses meanwhile stays.
    """

    _before: tuple[int, int, int] | None = None
    _ours: tuple[int, int, int] | None = None

    def __enter__(self) -> None:
        """Collect more rarely from here on."""
        first, second, third = usual = gc.get_threshold()
        if 0 < first < THRESHOLD:
            self._before = usual
            gc.set_threshold(THRESHOLD, second, third)
            self._ours = gc.get_threshold()

    def __exit__(self, *_: object) -> None:
        """Go on at the usual rate, if it was changed here."""
        if self._before and gc.get_threshold() == self._ours:
            gc.set_threshold(*self._before)
        self._before = None


class LoadingSpec(ModuleSpec):
    """The spec of a module that is loaded so.

    The import system marks a spec while its module is loaded. A loader's method around the module's code would do as
    well, but stand in every traceback.
    """

    _rarely: throttled_gc | None = None

    @property
    def _initializing(self) -> bool:
        return self._rarely is not None

    @_initializing.setter
    def _initializing(self, on: bool) -> None:
        if on and self._rarely is None:
            self._rarely = throttled_gc()
            self._rarely.__enter__()
        elif self._rarely is not None and not on:
            self._rarely.__exit__()
            self._rarely = None
