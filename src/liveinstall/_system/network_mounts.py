"""Network file systems whose locks are local to each machine, so that they do not exclude processes elsewhere.

Linux lists mounts in /proc/self/mountinfo (proc_pid_mountinfo(5)); the options are those of nfs(5), mount.cifs(8),
mount.lustre(8). SSHFS never passes locks on.
"""

from __future__ import annotations

import os
import re

MOUNTS = "/proc/self/mountinfo"
_NFS = frozenset(("nolock", "local_lock=flock", "local_lock=all"))
_LOCAL = {
    "nfs": _NFS,
    "nfs4": _NFS,
    "cifs": frozenset(("nobrl",)),
    "smb3": frozenset(("nobrl",)),
    "lustre": frozenset(("localflock",)),
}
_ALWAYS = frozenset(("fuse.sshfs",))
_OCTAL = re.compile(r"\\([0-7]{3})")


def local_locks(path: str) -> str:
    """Return why locks in a directory do not exclude processes on other machines that share it.

    Args:
        path: The absolute path of a directory.

    Returns:
        The type and the option of its mount, such as "nfs with nolock"; empty if there is no such reason, or if the
        system does not tell.
    """
    try:
        with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as stream:
            return local_locks_in(stream.read(), os.path.realpath(path))
    except OSError:
        return ""


def local_locks_in(mounts: str, path: str) -> str:
    """As `local_locks()`, with the text of a mountinfo file.

    Args:
        mounts: The text. A line that is not understood is ignored.
        path: The absolute path, without links.
    """
    point, found = "", ""
    for line in mounts.splitlines():
        mount, _, rest = line.partition(" - ")
        fields, about = mount.split(), rest.split()
        if len(fields) < 6 or len(about) < 3:  # noqa: PLR2004  the fields that every line has
            continue
        place = _OCTAL.sub(lambda code: chr(int(code[1], 8)), fields[4])
        is_below = path == place or path.startswith(place.rstrip("/") + "/")
        if is_below and len(place) >= len(point):  # of several mounts at one place the last one is visible
            point, found = place, _reason(about[0], {*fields[5].split(","), *about[2].split(",")})
    return found


def _reason(kind: str, options: set[str]) -> str:
    if kind in _ALWAYS:
        return kind
    given = sorted(options & _LOCAL.get(kind, frozenset()))
    return f"{kind} with {', '.join(given)}" if given else ""
