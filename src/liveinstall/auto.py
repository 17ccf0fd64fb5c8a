"""`import liveinstall.auto` gives the main program what its `__requires__` says, before its first other import.

    __requires__ = ["CherryPy<3"]
    import liveinstall.auto
    import cherrypy

As `require()` does it, and with its errors; `__requires__` is a requirement or a list of them. (After an idea that
setuptools' pkg_resources had, for multi-version wheels.)
"""

from __future__ import annotations

from liveinstall._system.caller import attribute
from liveinstall._verbs.require import require
from liveinstall.errors import RequirementError


def _wanted() -> list[str]:
    for name in ("__mp_main__", "__main__"):  # the first is what multiprocessing calls it while it imports it anew
        found = attribute(name, "__requires__")
        if found:
            return [found] if isinstance(found, str) else list(found)
    raise RequirementError(
        "the main program has no __requires__.",
        todo='Set it before this import, for example: __requires__ = ["requests<3"].',
        requirement="",
    )


require(*_wanted())
