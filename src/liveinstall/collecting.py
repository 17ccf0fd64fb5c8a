"""Collect garbage more rarely while much is loaded or decided: it makes many objects, and hardly any garbage.

Python looks for garbage cycles whenever 700 objects more were made than deleted (2,000 from 3.13 on). That is a fifth
of the time of loading many modules, and more in a process that has many objects.
"""

import gc

THRESHOLD = 10_007  # nobody else's


class Rarely:
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
