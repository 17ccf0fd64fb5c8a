"""Every hostile wheel of integration/lib/hostile.py through `install()`: refused by name, with nothing left behind."""

from __future__ import annotations

import json

import pytest
from helpers.environments import make_environment, tree

from integration.lib.hostile import KINDS, VICTIM, build, build_good
from liveinstall._system.letter_case import folds_case

# One process installs them all, as in a notebook: it reads a wheel's path and prints the outcome.
INSTALL = """
for line in sys.stdin:
    try:
        told = {"notes": li.install(line.strip(), overlap="refuse").notes}
    except li.LiveInstallError as error:
        about = error.details
        entry = about.get("entry") or about.get("path") or about.get("requirement")
        told = {"error": type(error).__name__, "entry": entry, "message": str(error)}
    print(json.dumps(told), flush=True)
"""
# A part of the reported entry, if it is not the file that was added.
NAMED = {"other_package": VICTIM, "script_activate": "activate", "other_script": "victim-run"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A directory with an environment deep inside, so that all paths to which a wheel may escape can be checked."""
    root = tmp_path_factory.mktemp("world")
    env = make_environment(root / "home" / "env")
    process = env.start(INSTALL)
    victim = build_good(VICTIM, tmp_path_factory.mktemp("good"))

    def install(path):
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, process.stderr.read()
        return json.loads(line)

    assert install(victim) == {"notes": []}
    yield root, install
    process.stdin.close()
    process.wait(timeout=60)
    process.stdout.close()
    process.stderr.close()


def site_of(root):
    return next(root.glob("home/env/[Ll]ib/**/site-packages"))


def snapshot(root):
    """All except the holds, which change with each import."""
    return {path: content for path, content in tree(root, ignore=()).items() if "/.liveinstall/holds/" not in path}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].expected == "refused"])
def test_a_hostile_wheel_is_refused_and_leaves_nothing(world, tmp_path, kind):
    root, install = world
    wheel = build(kind, tmp_path, outside=root / "outside")
    before = snapshot(root)
    told = install(wheel)
    assert told.get("error") in ("WheelRefusedError", "FileConflictError", "RequirementError"), told
    assert told["entry"] and NAMED.get(kind, "") in told["entry"]
    assert "Nothing was changed." in told["message"]
    assert snapshot(root) == before


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].expected == "shown"])
def test_what_real_wheels_do_too_is_shown_and_not_refused(world, tmp_path, kind):
    root, install = world
    (note,) = install(build(kind, tmp_path, outside=root))["notes"]
    assert note.startswith(kind.replace("_", "-") + ": ")
    assert note.endswith((" runs at every start of Python", " is replaced by the command of the same name"))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].expected == "omitted"])
def test_files_that_a_wheel_must_not_contain_are_omitted(world, tmp_path, kind):
    root, install = world
    assert install(build(kind, tmp_path, outside=root)) == {"notes": []}
    site = site_of(root)
    assert (site / kind / "late.py").exists()
    assert not [path for path in site.rglob("*") if path.is_file() and b"escaped" in path.read_bytes()[:100]]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].expected == "two files"])
def test_names_that_differ_only_in_case_are_two_files_where_the_file_system_has_two(world, tmp_path, kind):
    root, install = world
    told = install(build(kind, tmp_path, outside=root))
    if folds_case(str(root)):
        assert told["error"] == "WheelRefusedError"
    else:
        assert told == {"notes": []}
        site = site_of(root)
        assert {"late.py", "LATE.py"} <= {path.name for path in (site / kind).iterdir()}
