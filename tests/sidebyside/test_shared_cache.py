"""A cache of wheels in a directory that other users can write to: their files are never executed."""

from __future__ import annotations

import marshal
import os
import sys
import threading
import time
from importlib.util import MAGIC_NUMBER

import pytest
from helpers.environments import make_wheel
from helpers.other_users import ATTACKER, VICTIM, as_user, needs_root, shared_directory

from liveinstall._sidebyside.imports.virtual import fingerprint
from liveinstall._sidebyside.wheels import helper
from liveinstall._sidebyside.wheels.owner import WheelOwner
from liveinstall.errors import OwnerError

pytestmark = needs_root

PLANTED = MAGIC_NUMBER + marshal.dumps(compile("V = 'planted'", "x", "exec"))


@pytest.fixture
def shared():
    with shared_directory() as place:
        yield place


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """The work is done in the process itself: another user may not be allowed to start this Python, or to import."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # regardless of the tester's settings
    monkeypatch.setattr(helper, "_unavailable", True)
    monkeypatch.setattr(helper, "_helper", None)


@pytest.fixture
def straight(shared, tmp_path):
    """A wheel that is imported directly, and the directory of its content in a cache."""
    path = make_wheel(shared / "wheels", "ownmod", "1", {"ownmod.py": "V = 'own'\n"})
    return path, WheelOwner(str(path), cache=str(tmp_path / "cache")).record.key


@pytest.fixture
def unpacked(shared, tmp_path):
    """A wheel that must be unpacked, its directory in a cache, and its entry."""
    files = {"ownpkg/__init__.py": "V = 'own'\n", "ownpkg/late.py": "V = 'own'\n", "ownpkg/data.txt": ""}
    path = make_wheel(shared / "wheels", "ownpkg", "1", files)
    owner = WheelOwner(str(path), cache=str(tmp_path / "cache"))
    owner.tree()
    record = owner.record
    return path, record.key, record.entry


def value(path, cache, name="ownmod"):
    """The value that the victim imports from the wheel."""
    owner = WheelOwner(str(path), cache=str(cache))
    module = {}
    exec(owner.code(owner.index()[name]), module)
    return module["V"]


def plant_code(cache, key):
    """As the attacker: a cache with other code for the wheel, which everyone may read and write."""
    (cache / key / "code").mkdir(parents=True)
    (cache / key / "code" / f"ownmod.{fingerprint()}").write_bytes(PLANTED)
    open_up(cache)


def plant_tree(cache, key, entry):
    """The same for a wheel that is unpacked."""
    package = cache / key / "tree" / entry / "ownpkg"
    package.mkdir(parents=True)
    for name in ("__init__.py", "late.py"):
        (package / name).write_text("V = 'planted'\n")
    open_up(cache)


def open_up(cache):
    for path in (cache, *cache.rglob("*")):
        path.chmod(0o777)


@pytest.mark.parametrize("victim", [VICTIM, 0])
def test_what_another_user_made_before_is_not_run(shared, straight, victim):
    path, key = straight
    as_user(ATTACKER, lambda: plant_code(shared / "cache", key))
    assert as_user(victim, lambda: value(path, shared / "cache")) == "own"


@pytest.mark.parametrize("victim", [VICTIM, 0])
@pytest.mark.parametrize("way", ["renamed in", "linked in"])
def test_what_another_user_puts_there_while_the_wheel_is_looked_at_is_not_run(
    shared, straight, monkeypatch, victim, way
):
    """The cache is missing when it is checked, and another user's when it is written to."""
    path, key = straight
    as_user(ATTACKER, lambda: plant_code(shared / "prepared", key))
    put = os.rename if way == "renamed in" else os.symlink

    def attack():
        wait_for(shared / "asked")
        put(shared / "prepared", shared / "cache")

    def ask(*words):
        (shared / "asked").touch()
        wait_for(shared / "cache")
        return answer(*words)

    answer = helper.ask
    monkeypatch.setattr(helper, "ask", ask)
    attacker = threading.Thread(target=as_user, args=(ATTACKER, attack))
    attacker.start()
    assert as_user(victim, lambda: value(path, shared / "cache")) == "own"
    attacker.join()
    assert {file.stat().st_uid for file in (shared / "cache").rglob("*")} == {ATTACKER}, "the victim wrote into it"


def wait_for(path):
    end = time.monotonic() + 20
    while not os.path.lexists(path):
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.001)


@pytest.mark.parametrize("victim", [VICTIM, 0])
def test_what_another_user_makes_after_a_clean_up_is_not_run(shared, straight, victim):
    path, key = straight

    def clean_up(owner):
        owner.code(owner.index()["ownmod"])
        os.rename(shared / "cache", shared / "cleaned")
        (shared / "gone").touch()
        wait_for(shared / "cache")
        module = {}
        exec(owner.code(owner.index()["ownmod"]), module)
        return module["V"]

    def attack():
        wait_for(shared / "gone")
        plant_code(shared / "prepared", key)
        os.rename(shared / "prepared", shared / "cache")

    attacker = threading.Thread(target=as_user, args=(ATTACKER, attack))
    attacker.start()
    assert as_user(victim, lambda: clean_up(WheelOwner(str(path), cache=str(shared / "cache")))) == "own"
    attacker.join()


@pytest.mark.parametrize("victim", [VICTIM, 0])
def test_a_wheel_that_was_unpacked_is_not_imported_from_what_another_user_put_in_its_place(shared, unpacked, victim):
    path, key, entry = unpacked

    def clean_up(owner):
        assert owner.find_spec("ownpkg").origin.startswith(str(shared / "cache"))
        os.rename(shared / "cache", shared / "cleaned")
        (shared / "gone").touch()
        wait_for(shared / "cache")
        return owner.find_spec("ownpkg.late").origin

    def attack():
        wait_for(shared / "gone")
        plant_tree(shared / "prepared", key, entry)
        os.rename(shared / "prepared", shared / "cache")

    attacker = threading.Thread(target=as_user, args=(ATTACKER, attack))
    attacker.start()
    with pytest.raises(OwnerError, match="which other users can now change"):
        as_user(victim, lambda: clean_up(WheelOwner(str(path), cache=str(shared / "cache"))))
    attacker.join()


@pytest.mark.parametrize("victim", [VICTIM, 0])
def test_what_was_planted_while_the_cache_was_open_to_all_is_not_run_once_it_is_closed(
    shared, straight, unpacked, victim
):
    """Like a manually created cache, with a loose mode that was corrected later."""
    (path, key), (other, other_key, entry) = straight, unpacked

    def make():
        (shared / "cache").mkdir()
        (shared / "cache").chmod(0o777)

    def attack():
        plant_code(shared / "prepared", key)
        plant_tree(shared / "prepared", other_key, entry)
        for content in (shared / "prepared").iterdir():
            os.rename(content, shared / "cache" / content.name)

    as_user(victim, make)
    as_user(ATTACKER, attack)
    as_user(victim, lambda: (shared / "cache").chmod(0o700))
    assert as_user(victim, lambda: value(path, shared / "cache")) == "own"
    with pytest.raises(OwnerError, match="other users can"):
        as_user(victim, lambda: WheelOwner(str(other), cache=str(shared / "cache")).find_spec("ownpkg"))


def test_a_cache_of_ones_own_in_a_shared_directory_is_used(shared, straight):
    path, key = straight
    assert as_user(VICTIM, lambda: value(path, shared / "cache")) == "own"
    kept = shared / "cache" / key / "code" / f"ownmod.{fingerprint()}"
    assert kept.exists() and (shared / "cache").stat().st_uid == VICTIM
    as_user(VICTIM, lambda: kept.write_bytes(PLANTED))
    assert as_user(VICTIM, lambda: value(path, shared / "cache")) == "planted"  # it is read if it is the user's own
