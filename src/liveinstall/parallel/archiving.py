"""The name that `liveinstall.owners` had for what archives tell, up to 0.1.0: pickles name it."""

from liveinstall.owners import ArchiveCheck, Archived

__all__ = ["ArchiveCheck", "Archived"]
