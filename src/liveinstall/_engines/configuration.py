"""The configuration that only pip or only uv reads: variables and files, found by look-ups, and not parsed.

Sources: https://pip.pypa.io/en/stable/topics/configuration/ and https://docs.astral.sh/uv/concepts/configuration-files/
"""

from __future__ import annotations

import os
import sys

from _liveinstall_boot.file_access import read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Variables that change only what is displayed or asked, or that do not apply, because our arguments replace them.
_HARMLESS = (
    *("PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_COLOR", "PIP_NO_INPUT", "PIP_NO_PYTHON_VERSION_WARNING"),
    *("PIP_NO_WARN_SCRIPT_LOCATION", "PIP_PROGRESS_BAR", "PIP_QUIET", "PIP_ROOT_USER_ACTION", "PIP_VERBOSE"),
    *("UV_CACHE_DIR", "UV_COMPILE_BYTECODE", "UV_LINK_MODE", "UV_NO_CACHE", "UV_NO_PROGRESS"),
    *("UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_SYSTEM_PYTHON"),
)
_SYSTEM = "/etc"
# pip and uv read different ones of these, and a company may trust only its own certificates.
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def one_sided() -> str:
    """Find something that configures pip or uv, but not both alike.

    Returns:
        The first finding, as a reason; empty if there is none.
    """
    for name, value in os.environ.items():
        if value and (_is_setting(name, value) or name in _CERTIFICATES):
            return f"{name} is set"
    for tool, paths in (("pip", _pip_files()), ("uv", _uv_files())):
        for path in paths:
            if os.path.exists(path):
                return f"{tool} reads {path}"
    return ""


def configures_uv() -> bool:
    """Return whether something configures uv, even if it has no effect."""
    is_set = any(value and name.startswith("UV_") and _is_setting(name, value) for name, value in os.environ.items())
    return is_set or any(map(os.path.exists, _uv_files()))


def _is_setting(name: str, value: str) -> bool:
    is_none = name in _HARMLESS or (name, value) == ("PIP_CONFIG_FILE", os.devnull)
    return name.startswith(("PIP_", "UV_")) and not is_none


def netrc() -> str:
    """Return the path of a file with the user's passwords for hosts; empty if there is none."""
    paths = (os.environ.get("NETRC", ""), *(os.path.expanduser(name) for name in ("~/.netrc", "~/_netrc")))
    return next(filter(os.path.exists, paths), "")


def _pip_files() -> Iterator[str]:
    if os.environ.get("PIP_CONFIG_FILE") == os.devnull:  # pip reads no other file either
        return
    name = "pip.ini" if os.name == "nt" else "pip.conf"
    yield os.path.join(sys.prefix, name)
    yield os.path.join(os.path.expanduser("~"), "pip" if os.name == "nt" else ".pip", name)
    yield from (os.path.join(directory, "pip", name) for directory in _directories())
    if os.name != "nt":
        yield os.path.join(_SYSTEM, name)
    if sys.platform == "darwin":
        for directory in (os.path.expanduser("~/Library/Application Support"), "/Library/Application Support"):
            yield os.path.join(directory, "pip", name)
        yield f"/opt/homebrew/share/pip/{name}"


def _uv_files() -> Iterator[str]:
    yield from (os.path.join(directory, "uv", "uv.toml") for directory in _directories())
    if os.name != "nt":
        yield os.path.join(_SYSTEM, "uv", "uv.toml")
    directory, below = os.getcwd(), ""
    while directory != below:
        yield os.path.join(directory, "uv.toml")
        project = os.path.join(directory, "pyproject.toml")
        if os.path.isfile(project) and _configures_uv(project):
            yield project
        directory, below = os.path.dirname(directory), directory


def _directories() -> list[str]:
    """The directories of the user's and the system's configuration files."""
    if os.name == "nt":
        return [path for name in ("APPDATA", "PROGRAMDATA") if (path := os.environ.get(name))]
    own = os.environ.get("XDG_CONFIG_HOME", "").strip() or os.path.expanduser("~/.config")
    return [own, *(os.environ.get("XDG_CONFIG_DIRS", "").strip() or f"{_SYSTEM}/xdg").split(os.pathsep)]


def _configures_uv(project: str) -> bool:
    """Whether a pyproject.toml has a table `tool.uv`, however it is spelled, or cannot be read."""
    try:
        content = read_bytes(project)
        if b"uv" not in content:
            return False
        import tomllib  # takes a few milliseconds

        return "uv" in tomllib.loads(content.decode()).get("tool", {})
    except (OSError, ValueError, TypeError, AttributeError):
        return True
