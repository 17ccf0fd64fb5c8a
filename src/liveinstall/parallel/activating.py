"""What start-up lines that 0.1.0 wrote into environments import; new ones name the module below `_sidebyside`."""

from liveinstall._sidebyside.activate import start, start_all

__all__ = ["start", "start_all"]
