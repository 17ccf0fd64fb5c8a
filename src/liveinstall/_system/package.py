"""The version of this package, and the directory that it is imported from."""

from os.path import abspath, dirname

__version__ = "0.2.0"
DIRECTORY = dirname(dirname(dirname(abspath(__file__))))  # the parent of `liveinstall/`
