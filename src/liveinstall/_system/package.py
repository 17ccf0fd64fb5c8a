"""The version of the package, and the directory that it is imported from."""

from os.path import abspath, dirname

__version__ = "0.1.0"
DIRECTORY = dirname(dirname(dirname(abspath(__file__))))  # the one with `liveinstall/` in it
