"""The installation scheme of the running interpreter's environment, by pip's rules."""

from __future__ import annotations

import os
import site
import sys
import sysconfig

from liveinstall._system.interpreter import check_usable, executable
from liveinstall._system.settings import check_permitted
from liveinstall.errors import ExternallyManagedError, NotWritableError, RequirementError, TargetError
from liveinstall.results import Target

_UNTOUCHED = "Nothing was downloaded."


def find_target(*, for_change: bool = True, user: bool = False, break_system_packages: bool = False) -> Target:
    """Find the running interpreter's environment.

    Args:
        for_change: Whether to check that it can and may be changed. False checks only that it exists.
        user: Whether to use the user's site-packages directory.
        break_system_packages: Whether to ignore that another package manager manages it (PEP 668).

    Returns:
        Its installation scheme: that of the user if `user` is set or, as in pip, if the system's is not writable.

    Raises:
        DisabledError: The environment variable LIVEINSTALL_DISABLE is set.
        TargetError: The interpreter is frozen, zipped or embedded, or runs with `-S`.
        ExternallyManagedError: Another package manager manages the environment (PEP 668).
        NotWritableError: It cannot be written to.
        RequirementError: `user` is set, but the user's site-packages directory is disabled.
    """
    if for_change:
        check_permitted()
        check_usable()
    _check_interpreter()
    target = _system_target()
    if for_change:
        if sys.flags.no_site:
            raise TargetError(
                f"Python runs without site-packages (-S), so nothing could be imported after an install. {_UNTOUCHED}",
                todo="Start Python without -S.",
                site=target.site,
            )
        if not break_system_packages:
            _check_externally_managed(target)
    if user:
        _check_user_site(target)
        target = _user_target()
    elif target.kind == "system" and not _is_writable(target) and site.ENABLE_USER_SITE:
        target = _user_target()
    if for_change and not _is_writable(target):
        raise NotWritableError(
            f"{target.site} cannot be written to. {_UNTOUCHED}",
            todo="Make it writable, or use a virtual environment: python -m venv DIR.",
            site=target.site,
        )
    if for_change:
        _check_one_file_system(target)
    return target


def current_site() -> str:
    """Find the site-packages directory of the running interpreter's environment.

    Returns:
        Its absolute path.

    Raises:
        TargetError: This interpreter has no environment.
    """
    return find_target(for_change=False).site


def find_targets() -> tuple[Target, ...]:
    """Find every installation scheme that this interpreter's user may have changed.

    Returns:
        The environment; and the user's site-packages directory (PEP 370), if it exists, is in use and is not the
        environment itself.

    Raises:
        TargetError: This interpreter has no environment.
    """
    target = find_target(for_change=False)
    if target.kind == "user" or not site.ENABLE_USER_SITE:
        return (target,)
    user = _user_target()
    return (target, user) if os.path.isdir(user.site) else (target,)


def checked_for_change(target: Target, *, break_system_packages: bool = False) -> Target:
    """Check that one of `find_targets()` can and may be changed.

    Args:
        target: The installation scheme.
        break_system_packages: As for `find_target()`.

    Returns:
        The same scheme.

    Raises:
        TargetError: As for `find_target()`, or the user's site-packages directory belongs to another user.
    """
    if target.kind == "user":
        _check_own(target.site)
    return find_target(user=target.kind == "user", break_system_packages=break_system_packages)


def _check_own(site_dir: str) -> None:
    """Check that a user site directory belongs to this user: `sudo` may keep the HOME of another one."""
    if hasattr(os, "geteuid") and os.path.isdir(site_dir) and os.stat(site_dir).st_uid != os.geteuid():
        raise TargetError(
            f"the user's site-packages directory {site_dir} belongs to another user. {_UNTOUCHED}",
            todo="Run the command as that user, or set HOME to your own directory.",
            site=site_dir,
        )


def _check_interpreter() -> None:
    executable()
    if not os.path.isfile(os.__file__):
        raise TargetError(
            f"this interpreter runs from an archive. {_UNTOUCHED}", todo="Use an unpacked installation.", site=""
        )


def _target(kind: str, paths: dict[str, str]) -> Target:
    headers = paths["include"]
    if kind == "venv":  # as in pip: the headers of distributions are separate from Python's own
        headers = os.path.join(paths["data"], "include", "site", f"python{sysconfig.get_python_version()}")
    names = {"site": "purelib", "platlib": "platlib", "scripts": "scripts", "data": "data"}
    scheme = {name: os.path.realpath(paths[key]) for name, key in names.items()}
    return Target(python=executable(), kind=kind, headers=os.path.realpath(headers), **scheme)


def _system_target() -> Target:
    prefix = _prefix()
    if prefix == sys.base_prefix:
        return _target("system", sysconfig.get_paths())
    return _target("venv", sysconfig.get_paths(vars={"base": prefix, "platbase": prefix}))


def _prefix() -> str:
    """sys.prefix; with -S in a venv found by pyvenv.cfg, because until Python 3.13 only site.py reads that."""
    if sys.flags.no_site and sys.prefix == sys.base_prefix:
        directory = os.path.dirname(os.path.abspath(executable()))
        for parent in (directory, os.path.dirname(directory)):
            if os.path.isfile(os.path.join(parent, "pyvenv.cfg")):
                return os.path.dirname(directory)
    return sys.prefix


def _check_user_site(target: Target) -> None:
    if site.ENABLE_USER_SITE:
        return
    why = "in this virtual environment" if target.kind == "venv" else "by this interpreter (-s, -I, PYTHONNOUSERSITE)"
    raise RequirementError(
        f"user=True: the user's site-packages directory is disabled {why}.", todo="Omit user=.", requirement="user"
    )


def _user_target() -> Target:
    return _target("user", sysconfig.get_paths(sysconfig.get_preferred_scheme("user")))


def _is_writable(target: Target) -> bool:
    return all(os.access(_existing(path), os.W_OK) for path in {target.site, target.platlib, target.scripts})


def _existing(path: str) -> str:
    """The nearest existing parent directory: a user site directory may not exist yet."""
    while not os.path.isdir(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path


def _check_externally_managed(target: Target) -> None:
    """Check PEP 668, unless pip's environment variable PIP_BREAK_SYSTEM_PACKAGES allows changes."""
    marker = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    allowed = os.environ.get("PIP_BREAK_SYSTEM_PACKAGES", "").lower() in ("1", "true", "yes", "on", "y", "t")
    if target.kind == "venv" or allowed or not os.path.isfile(marker):
        return
    from configparser import ConfigParser, Error

    parser = ConfigParser(interpolation=None)
    try:
        parser.read(marker, encoding="utf-8")
        advice = parser.get("externally-managed", "Error").strip()
    except (Error, UnicodeDecodeError):
        advice = "Use a virtual environment: python -m venv DIR."
    raise ExternallyManagedError(
        f"this Python is managed by another package manager (PEP 668). {_UNTOUCHED}", todo=advice, site=target.site
    )


def _check_one_file_system(target: Target) -> None:
    """Check that the environment is on one file system: a swap renames files and never copies them."""
    device = os.stat(_existing(target.site)).st_dev
    for path in (target.platlib, target.scripts):
        if os.stat(_existing(path)).st_dev != device:
            raise TargetError(
                f"{path} is on another file system than {target.site}. {_UNTOUCHED}",
                todo="Use an environment on a single file system.",
                site=target.site,
            )
