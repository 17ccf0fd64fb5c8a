"""Groups, scripts and lock files become requirements, or are refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from liveinstall._requirements.request import parse_request
from liveinstall._requirements.requirement_files import read_group, read_lock, read_script
from liveinstall.errors import RequirementError

GROUPS = """
[dependency-groups]
Test = ["pytest>=8", {include-group = "base_tools"}]
base-tools = ["rich", "idna; python_version < '3'", "pytest>=8"]
loop = [{include-group = "round"}]
round = [{include-group = "loop"}]
odd = [{other = "x"}]
text = "rich"
lost = [{include-group = "nothing"}]
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(match, function, *arguments, **options):
    with pytest.raises(RequirementError, match=match):
        function(*arguments, **options)


def test_a_group_is_read_with_what_it_includes(home):
    Path("pyproject.toml").write_text(GROUPS)
    assert read_group("test") == ("pytest>=8", "rich", "idna; python_version < '3'")
    assert read_group(f"{home}/pyproject.toml:TEST") == read_group("test")
    assert parse_request((), groups="test").requirements == ("pytest>=8", "rich")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("nothing", "has no group 'nothing'.*It has: test, base-tools"),
        ("loop", "loop -> round -> loop"),
        ("odd", "invalid entry"),
        ("text", "is not a list"),
        ("lost", "has no group 'nothing'"),
    ],
)
def test_a_group_that_makes_no_sense_is_refused(name, match):
    Path("pyproject.toml").write_text(GROUPS)
    refused(match, read_group, name)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "has no .dependency-groups"),
        ("[[[", "is not TOML"),
        ("dependency-groups = 3", "has no .dependency"),
        ("[dependency-groups]\na = []\nA = []", "twice"),
    ],
)
def test_a_project_file_without_good_groups_is_refused(text, match):
    Path("pyproject.toml").write_text(text)
    refused(match, read_group, "a")


SCRIPT = """#!/usr/bin/env python
# /// script
# requires-python = ">=3.8"
# dependencies = [
#   "rich>=13",
#
#   "idna",
# ]
# ///
import rich
"""


def test_a_script_says_what_it_needs():
    Path("tool.py").write_text(SCRIPT)
    assert read_script("tool.py") == ("rich>=13", "idna")
    assert parse_request(("attrs",), script="tool.py").requirements == ("attrs", "rich>=13", "idna")
    Path("none.py").write_text("# /// script\n# requires-python = '>=3'\n# ///\n")
    assert read_script("none.py") == ()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("import rich\n", "has no block"),
        (SCRIPT + SCRIPT, "more than one block"),
        (SCRIPT.replace(">=3.8", ">=99"), "requires Python >=99, and this is 3"),
        (SCRIPT.replace(">=3.8", "new"), "is invalid"),
        (SCRIPT.replace("dependencies = [", "dependencies = [["), "is not TOML"),
        ("# /// script\n# dependencies = 'rich'\n# ///\n", "not a list"),
        ("# /// tool\n# dependencies = ['rich']\n# ///\n", "has no block"),
    ],
)
def test_a_script_that_makes_no_sense_is_refused(text, match):
    Path("tool.py").write_text(text)
    refused(match, read_script, "tool.py")


LOCK = """
lock-version = "1.0"
created-by = "test"
requires-python = ">=3.8"
extras = ["fast"]
dependency-groups = ["dev", "main"]
default-groups = ["main"]

[[packages]]
name = "alpha"
version = "1.0"
wheels = [
  {name = "alpha-1.0-cp27-none-win32.whl", url = "https://h/alpha-1.0-cp27-none-win32.whl", hashes = {sha256 = "00"}},
  {name = "alpha-1.0-py3-none-any.whl", url = "https://h/alpha-1.0-py3-none-any.whl", hashes = {sha256 = "ab"}},
]
[[packages]]
name = "beta"
version = "1.0"
marker = "python_version < '3'"
sdist = {name = "beta-1.0.tar.gz", path = "files/beta-1.0.tar.gz", hashes = {sha256 = "cd"}}
[[packages]]
name = "gamma"
version = "1.0"
marker = "'fast' in extras"
sdist = {name = "gamma-1.0.tar.gz", path = "files/gamma-1.0.tar.gz", hashes = {md5 = "x", sha512 = "ef"}}
[[packages]]
name = "delta"
marker = "'dev' in dependency_groups"
vcs = {type = "git", url = "https://h/delta.git", commit-id = "0123", subdirectory = "py"}
[[packages]]
name = "epsilon"
marker = "'main' in dependency_groups"
archive = {url = "https://h/epsilon.zip", hashes = {sha256 = "01"}}
"""


def test_a_lock_file_becomes_exact_urls(home):
    Path("pylock.toml").write_text(LOCK)
    found = read_lock("pylock.toml")
    assert found.requirements == (
        "alpha @ https://h/alpha-1.0-py3-none-any.whl#sha256=ab",
        "epsilon @ https://h/epsilon.zip#sha256=01",
    )
    assert found.indexed == {"alpha"}
    found = read_lock("pylock.toml", extras=("fast",), groups=("dev",))
    assert found.requirements[1:] == (
        f"gamma @ {home.as_uri()}/files/gamma-1.0.tar.gz#sha512=ef",
        "delta @ git+https://h/delta.git@0123#subdirectory=py",
    )
    request = parse_request((), pylock="pylock.toml")
    assert (request.deps, request.indexed, request.names) == (False, {"alpha"}, {"alpha", "epsilon"})


def test_a_project_that_the_lock_file_installs_in_place_is_editable(home):
    (home / "proj").mkdir()
    text = '\n[[packages]]\nname = "proj"\ndirectory = {path = "proj", editable = true}\n'
    Path("pylock.toml").write_text(LOCK + text)
    request = parse_request((), pylock="pylock.toml")
    assert request.editables == (str(home / "proj"),) and len(request.requirements) == 2


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('lock-version = "1.0"', 'lock-version = "2.0"', "2.0"),
        ('lock-version = "1.0"', "", "lock-version"),
        (">=3.8", ">=99", "does not satisfy"),
        ("alpha-1.0-py3-none-any", "alpha-1.0-cp27-none-any", "No wheel found"),
        ('sha256 = "ab"', 'md5 = "ab"', "has no sha256"),
        ("name =", "name", "is not TOML"),
    ],
)
def test_a_lock_file_that_does_not_apply_is_refused(old, new, match):
    Path("pylock.toml").write_text(LOCK.replace(old, new))
    refused(match, read_lock, "pylock.toml")


def test_what_the_lock_file_does_not_offer_is_refused():
    Path("pylock.toml").write_text(LOCK)
    refused("has no extra 'slow'.*It has: fast", read_lock, "pylock.toml", extras=("slow",))
    refused("has no group 'docs'.*It has: dev, main", read_lock, "pylock.toml", groups=("docs",))
    Path("pylock.empty.toml").write_text('lock-version = "1.0"\ncreated-by = "t"\npackages = []\n')
    refused("no packages for this interpreter", read_lock, "pylock.empty.toml")


def test_a_packaging_that_is_too_old_for_lock_files_says_so(monkeypatch):
    Path("pylock.toml").write_text(LOCK)
    monkeypatch.setitem(__import__("sys").modules, "packaging.pylock", None)
    refused("packaging 26.1", read_lock, "pylock.toml")
