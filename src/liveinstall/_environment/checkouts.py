"""Editable installs of git checkouts, as `pip freeze` prints them.

The rules are those of pip's `operations/freeze.py` and `vcs/git.py`.
"""

from __future__ import annotations

import os
import re

from liveinstall._redact import redact
from liveinstall._system.dist_info import read_fields
from liveinstall.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from liveinstall._model import Distribution

_TIMEOUT = 30.0  # seconds; all commands are local
_URL = re.compile(r"\w+://")
_SCP = re.compile(r"(\w+@)?([^/:]+):(\w[^:]*)")  # git@host:path
_OTHER_SYSTEMS = (".hg", ".bzr", ".svn")
_HASH = re.compile(r"[0-9a-f]{40,64}")


class _GitMissingError(Exception):
    """The program `git` cannot be started."""


def editable_lines(distribution: Distribution) -> tuple[str, ...]:
    """Describe an editable install as lines of a requirements file.

    Args:
        distribution: The distribution, with its project.

    Returns:
        `-e git+URL@COMMIT#egg=NAME` for a git checkout with a remote; otherwise the project's path, after comments that
        explain why there is no URL. URLs have no credentials.
    """
    project = distribution.project
    plain, label = f"-e {project}", f"{_raw_name(distribution)}=={distribution.version}"
    try:
        top = _git(project, "rev-parse", "--show-toplevel")
        if not top:
            others = any(
                os.path.isdir(os.path.join(parent, name)) for parent in _up(project) for name in _OTHER_SYSTEMS
            )
            return (plain,) if others else (f"# Editable install with no version control ({label})", plain)
        remote = _remote(project)
        commit = _git(project, "rev-parse", "HEAD")
    except _GitMissingError:
        return (plain,)
    if not remote:
        return f"# Editable Git install with no remote ({label})", plain
    url = _pip_url(remote)
    if not url:
        why = "either a deleted local remote or invalid URI"
        return f"# Editable Git install ({label}) with {why}:", f"# '{redact(remote)}'", plain
    if not _HASH.fullmatch(commit):
        return (plain,)  # there is no commit yet
    prefix = "" if url.lower().startswith("git:") else "git+"
    egg = _raw_name(distribution).replace("-", "_")
    return (f"-e {prefix}{redact(url)}@{commit}#egg={egg}{_subdirectory(project, top)}",)


def _raw_name(distribution: Distribution) -> str:
    """The name as the project spells it."""
    path = distribution.info if os.path.isfile(distribution.info) else os.path.join(distribution.info, "METADATA")
    try:
        return (read_fields(path, "name")["name"] or [distribution.name])[0]
    except OSError:
        return distribution.name


def _git(project: str, *arguments: str) -> str:
    """The output of a git command in a directory; empty if it fails."""
    variables = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
    from liveinstall._system.child_process import run  # which only editable installs need

    try:
        status, output = run(["git", "-C", project, *arguments], timeout=_TIMEOUT, env=variables)
    except EngineError as error:
        raise _GitMissingError from error
    return "" if status else output.strip()


def _remote(project: str) -> str:
    """The URL of the remote `origin`, or else of the first one."""
    rows = _git(project, "config", "--get-regexp", r"remote\..*\.url").splitlines()
    rows.sort(key=lambda row: not row.startswith("remote.origin.url "))
    return rows[0].partition(" ")[2].strip() if rows else ""


def _pip_url(remote: str) -> str:
    """A remote as a URL that pip accepts; empty if it is none."""
    if _URL.match(remote):
        return remote
    if os.path.exists(remote):
        from pathlib import PurePath

        return PurePath(os.path.abspath(remote)).as_uri()
    scp = _SCP.fullmatch(remote)
    return scp.expand(r"ssh://\1\2/\3") if scp else ""


def _subdirectory(project: str, top: str) -> str:
    """The fragment for a project that is not at the top of its repository."""
    root = next((each for each in _up(project) if _is_project(each)), "")
    if not root or os.path.realpath(root) == os.path.realpath(top):
        return ""
    return "&subdirectory=" + os.path.relpath(os.path.realpath(root), os.path.realpath(top)).replace(os.sep, "/")


def _up(path: str) -> list[str]:
    from pathlib import PurePath

    return [path, *map(str, PurePath(path).parents)]


def _is_project(path: str) -> bool:
    return any(os.path.isfile(os.path.join(path, name)) for name in ("pyproject.toml", "setup.py"))
