"""Importers for locations outside of the environment: directories, wheels, code archives, and user-defined ones.

Most programs need only `activate(location, ...)`. Subclass `VirtualOwner` to import modules from other sources.
To make `activate()` accept such a source as a string, register an entry point in the group `liveinstall.owners`: a
function that takes the string and returns an `Owner`, or None if the string is not for it.
"""

from liveinstall._sidebyside.imports.code_archive import ArchiveOwner
from liveinstall._sidebyside.imports.code_archive_writer import ArchiveCheck, Archived
from liveinstall._sidebyside.imports.code_archive_writer import check as check_archive
from liveinstall._sidebyside.imports.code_archive_writer import create as create_archive
from liveinstall._sidebyside.imports.directory import DirectoryOwner
from liveinstall._sidebyside.imports.finder import Finder
from liveinstall._sidebyside.imports.owner import ModuleEntry as Entry
from liveinstall._sidebyside.imports.owner import Owner, by_name
from liveinstall._sidebyside.imports.places import activate, active, disable_wheels, enable_wheels, open_place
from liveinstall._sidebyside.imports.virtual import VirtualOwner
from liveinstall._sidebyside.wheels.owner import WheelOwner

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
