"""Peak memory, in MiB; for the programs beside this file."""

import resource
import sys


def peak() -> float:
    """The peak of this process, on Linux without what its parent had before exec(), which getrusage() counts."""
    if sys.platform != "linux":
        return _peak_of(resource.RUSAGE_SELF)
    with open("/proc/self/status", encoding="ascii") as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith("VmHWM")) / 1024


def peak_of_children() -> float:
    """The peak of the largest child process that has ended."""
    return _peak_of(resource.RUSAGE_CHILDREN)


def _peak_of(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
