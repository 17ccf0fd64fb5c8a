"""`import liveinstall.auto` activates the versions in the main program's `__requires__`, by `require()`.

It must precede the program's imports of these packages:

    __requires__ = ["rich<13"]
    import liveinstall.auto
    import cherrypy

`__requires__` is a PEP 508 requirement or a list of them. The errors are those of `require()`. The name and the idea
come from setuptools' pkg_resources.
"""

from __future__ import annotations

from liveinstall._system.caller import attribute
from liveinstall._verbs.require import require
from liveinstall.errors import RequirementError


def _requirements() -> list[str]:
    for name in ("__mp_main__", "__main__"):  # a child of multiprocessing imports the main module as __mp_main__
        requires = attribute(name, "__requires__")
        if requires:
            return [requires] if isinstance(requires, str) else list(requires)
    raise RequirementError(
        "the main program has no __requires__.",
        todo='Set it before this import, for example: __requires__ = ["requests<3"].',
        requirement="",
    )


require(*_requirements())
