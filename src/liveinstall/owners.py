"""Places to import from side by side with the environment: directories, wheels, code archives, and those of others.

`activate(place, ...)` is all that most need. `VirtualOwner` is for who has modules somewhere else; an entry point of
the group `liveinstall.owners`, a function from a place's words to an owner or None, makes `activate()` understand it.
"""

from liveinstall.parallel.archive import ArchiveOwner
from liveinstall.parallel.archiving import ArchiveCheck, Archived
from liveinstall.parallel.archiving import check as check_archive
from liveinstall.parallel.archiving import create as create_archive
from liveinstall.parallel.directory import DirectoryOwner
from liveinstall.parallel.finder import Finder
from liveinstall.parallel.manager import activate, active, disable_wheels, enable_wheels, open_place
from liveinstall.parallel.owners import Entry, Owner, by_name
from liveinstall.parallel.virtual import VirtualOwner
from liveinstall.parallel.wheelfile import WheelOwner

__all__ = [
    "ArchiveCheck",
    "ArchiveOwner",
    "Archived",
    "DirectoryOwner",
    "Entry",
    "Finder",
    "Owner",
    "VirtualOwner",
    "WheelOwner",
    "activate",
    "active",
    "by_name",
    "check_archive",
    "create_archive",
    "disable_wheels",
    "enable_wheels",
    "open_place",
]
