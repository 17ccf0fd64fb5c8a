"""What pip's own configuration says of where a request goes, and whether: PIP_* variables, and pip.conf.

pip reads all else of it itself, in its child process. https://pip.pypa.io/en/stable/topics/configuration/
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from liveinstall._requirements.requirement import wrong

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_YES = ("1", "true", "yes", "on", "y", "t")
_NO = ("", "0", "false", "no", "off", "n", "f")
_ELSEWHERE = ("target", "prefix", "root")
_SECTIONS = ("global", "install")  # what a later one says counts


def pip_says(name: str, arguments: Sequence[str] = ()) -> bool:
    """Whether pip's configuration switches `user` or `dry-run` on; RequirementError for a value that is no switch."""
    value, where = _found(name, arguments)
    if value.lower() not in (*_YES, *_NO):
        raise wrong(f"{where} is {value!r}, which is neither yes nor no.", name)
    return value.lower() in _YES


def check_place(arguments: Sequence[str] = ()) -> None:
    """RequirementError where pip's configuration would send packages elsewhere than into this environment."""
    for name in _ELSEWHERE:
        value, where = _found(name, arguments)
        if value:
            raise wrong(
                f"{where} is {value!r}, and packages go only into the running environment.",
                name,
                todo="Unset it; for another place run the Python of that place, or use `pip install`.",
            )


def _found(name: str, arguments: Sequence[str]) -> tuple[str, str]:
    """The value that counts, and where it is said."""
    isolated = "--isolated" in arguments
    variable = f"PIP_{name.upper().replace('-', '_')}"
    if not isolated and os.environ.get(variable):
        return os.environ[variable].strip(), variable
    said = ("", "")
    for path in filter(os.path.isfile, _files(isolated=isolated)):
        from configparser import Error, RawConfigParser  # only where there is such a file

        parser = RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (OSError, Error, UnicodeDecodeError):
            continue  # pip will say so
        for section in _SECTIONS:
            for option in (name, name.replace("-", "_")):
                if parser.has_option(section, option):
                    said = parser.get(section, option).strip(), f"{option} in {path}"
    return said


def _files(*, isolated: bool) -> Iterator[str]:
    """Pip's files, those that count most last."""
    file = os.environ.get("PIP_CONFIG_FILE", "")
    if file == os.devnull:
        return
    home = os.path.expanduser("~")
    if os.name == "nt":
        yield os.path.join(os.environ.get("PROGRAMDATA", r"C:\ProgramData"), "pip", "pip.ini")
        own = [os.path.join(home, "pip", "pip.ini"), os.path.join(os.environ.get("APPDATA", home), "pip", "pip.ini")]
    else:
        shared = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        yield from (os.path.join(directory, "pip", "pip.conf") for directory in shared.split(os.pathsep))
        yield "/etc/pip.conf"
        config = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        own = [os.path.join(home, ".pip", "pip.conf"), os.path.join(config, "pip", "pip.conf")]
        if sys.platform == "darwin":
            own.append(os.path.join(home, "Library", "Application Support", "pip", "pip.conf"))
    yield from () if isolated else own
    yield os.path.join(sys.prefix, "pip.ini" if os.name == "nt" else "pip.conf")
    if file and not isolated:
        yield file
