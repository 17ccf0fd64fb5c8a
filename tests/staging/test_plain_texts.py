"""What is parsed without regular expressions and `configparser`, because loading them takes longer, is read alike."""

from __future__ import annotations

import random
import re
from configparser import ConfigParser, Error

import pytest

from liveinstall._staging import entry_names, policy
from liveinstall._staging.entry_points import _plain_sections, commands_of
from liveinstall.errors import WheelRefusedError

_WINDOWS = "(?i)(^|/)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\\$|conout\\$)(\\.[^/]*)?(/|$)|[. ](/|$)"
_OURS = r"(?is).*\.part(\.pth|\.start)?|\.liveinstall|_liveinstall_finalizer_.*"
_INTERPRETER = r"(?i)(python|pythonw|pypy)[0-9.]*t?(\.(exe|bat|cmd|com))?|pyvenv\.cfg|.*\._pth"
_POINTS = """\
[console_scripts]
alpha = alpha.main:run
beta=beta:main [extra]

[gui_scripts]
window = alpha.gui:Window.open

[other.group]
alpha = alpha
"""


def changed(text: str, random_: random.Random, pieces: str | tuple[str, ...]) -> str:
    for _ in range(random_.randint(0, 3)):
        at = random_.randrange(len(text) + 1)
        text = (
            text[:at] + (random_.choice(pieces) if random_.random() < 0.6 else "") + text[at + random_.randint(0, 2) :]
        )
    return text


def reference(text: str) -> list[tuple[str, str]] | None:
    parser = ConfigParser(delimiters="=")
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(text)
        sections = [section for section in ("console_scripts", "gui_scripts") if parser.has_section(section)]
        return [row for section in sections for row in parser.items(section)]
    except Error:
        return None


@pytest.mark.parametrize("seed", range(4))
def test_entry_points_are_those_of_configparser(seed):
    random_ = random.Random(seed)
    pieces = (
        "\n",
        " ",
        "=",
        "[",
        "]",
        "#",
        ";",
        "%",
        ":",
        "\r",
        "\t",
        "é",
        "[console_scripts]\n",
        "alpha = b:c\n",
        "\n ",
    )
    for _ in range(1500):
        text = changed(_POINTS, random_, pieces)
        try:
            found = commands_of(text)
        except ValueError:
            found = None
        assert found == reference(text), text


def test_usual_entry_points_need_no_configparser():
    assert _plain_sections(_POINTS) is not None
    assert commands_of(_POINTS) == [
        ("alpha", "alpha.main:run"),
        ("beta", "beta:main [extra]"),
        ("window", "alpha.gui:Window.open"),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_names_of_entries_are_judged_as_by_the_patterns(seed):
    random_ = random.Random(seed)
    pieces = ("/", ".", " ", "con", "COM1", "lpt²", "nul.txt", "conin$", ":", "\x7f", "\u202e", "é", "*", "\\", "x")
    names = ("alpha/beta.py", "alpha/con.py", "prn/x", "aux.d/y", "alpha./b", "a b/c d", "com10/x", "conout$")
    for _ in range(3000):
        name = changed(random_.choice(names), random_, pieces)
        if name.startswith("/") or {"", ".", ".."} & set(name.split("/")):
            continue  # refused before
        is_refused = bool(re.search(entry_names._ILLEGAL, name) or re.search(_WINDOWS, name))
        try:
            entry_names.check_names([name], (), refuse, folds=False)
        except AssertionError:
            assert is_refused, name
        else:
            assert not is_refused, name


def refuse(*_):
    raise AssertionError


@pytest.mark.parametrize("seed", range(4))
def test_names_of_interpreters_and_of_our_own_are_those_of_the_patterns(seed):
    random_ = random.Random(seed)
    pieces = ("3", ".", "t", "w", "exe", ".exe", ".bat", "python", "PyPy", "_pth", ".part", ".pth", "cfg", "-config")
    names = (
        "python3.13t.exe",
        "pythonw",
        "pypy3",
        "pyvenv.cfg",
        "python313._pth",
        "pip3",
        "x.part.pth",
        ".liveinstall",
    )
    check = policy._WheelPolicy(None, "x-1.0-py3-none-any.whl", folds=False)
    for _ in range(3000):
        name = changed(random_.choice(names), random_, pieces)
        assert policy._is_interpreter(name) == bool(re.fullmatch(_INTERPRETER, name)), name
        try:
            policy._check_site(check, name, name, "x-1.0.dist-info")
        except WheelRefusedError as error:
            assert re.fullmatch(_OURS, name) or "register" in str(error)
        else:
            assert not re.fullmatch(_OURS, name), name
