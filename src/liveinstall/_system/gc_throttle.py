"""Less frequent garbage collection during imports and planning, which create many objects and hardly any garbage.

Python searches for garbage cycles whenever 700 more objects were created than deleted (2,000 from 3.13 on). That takes
a fifth of the time of importing many modules, and more in a process with many objects.
"""

import gc
from _frozen_importlib import ModuleSpec

THRESHOLD = 10_007  # a prime, so that our own setting is recognised on exit


class throttled_gc:  # noqa: N801  used like a function
    """A context manager that raises the threshold to THRESHOLD, unless it is higher or collection is disabled.

    It is reusable and reentrant. A threshold that is set during the block is kept.
    """

    _before: tuple[int, int, int] | None = None
    _ours: tuple[int, int, int] | None = None

    def __enter__(self) -> None:
        """Raise the threshold."""
        first, second, third = usual = gc.get_threshold()
        if 0 < first < THRESHOLD:
            self._before = usual
            gc.set_threshold(THRESHOLD, second, third)
            self._ours = gc.get_threshold()

    def __exit__(self, *_: object) -> None:
        """Restore the threshold, if it was changed here."""
        if self._before and gc.get_threshold() == self._ours:
            gc.set_threshold(*self._before)
        self._before = None


class LoadingSpec(ModuleSpec):
    """The spec of a module that is loaded with `throttled_gc`.

    The import system sets `_initializing` while it loads the module. A loader method around the execution of the
    module would work, too, but would appear in every traceback.
    """

    _throttle: throttled_gc | None = None

    @property
    def _initializing(self) -> bool:
        return self._throttle is not None

    @_initializing.setter
    def _initializing(self, on: bool) -> None:
        if on and self._throttle is None:
            self._throttle = throttled_gc()
            self._throttle.__enter__()
        elif self._throttle is not None and not on:
            self._throttle.__exit__()
            self._throttle = None
