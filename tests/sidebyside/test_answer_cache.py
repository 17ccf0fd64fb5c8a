"""The cache of require(): used while nothing has changed, and never afterwards."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.environments import make_environment
from hypothesis import given
from hypothesis import strategies as st

from liveinstall._sidebyside.activation import answer_cache
from liveinstall._sidebyside.activation.answer_cache import SUFFIX, Answer, decode

REQUIRE = """
    a = li.require({text!r})
    import alpha
    resolved = "liveinstall._sidebyside.require" in sys.modules
    print(json.dumps([alpha.V, resolved, [str(d) for d in a.distributions], list(a.conflicts), a.why]))
"""
PLAIN = "[p for p in sys.modules if p.startswith('packaging')]"


@pytest.fixture
def world(tmp_path):
    env = make_environment(tmp_path / "env")
    for version in ("1.0", "1.5", "2.0"):
        env.wheel("alpha", version, {"alpha.py": f"V = {version!r}\n"})
    env.wheel("top", "1.0", requires=("alpha>=2",))
    done = env.run("li.install('top'); li.install('alpha==1.0', parallel=True)")
    assert done.returncode == 0, done.stderr
    settle(env)
    return env


def settle(env):
    """Make all files look old."""
    for path in (env.site, env.root / "libraries", env.site / ".liveinstall/store"):
        os.utime(path, (1_700_000_000, 1_700_000_000))


def required(world, text):
    return world.json(REQUIRE.format(text=text).replace("import fake_engine", ""))


def answers(world):
    return list(Path(world.site, ".liveinstall/store/.indexes").glob("*" + SUFFIX))


@pytest.mark.parametrize(("text", "version"), [("alpha", "2.0"), ("alpha<2", "1.0")])
def test_the_second_process_need_not_resolve_and_gets_the_same(world, text, version):
    first = required(world, text)
    settle(world)  # the first has made the directory of indexes
    again = required(world, text)
    assert first[0] == again[0] == version
    assert first[1] and not again[1] and first[2:] == again[2:]
    assert answers(world)


def test_what_has_just_changed_is_not_remembered(world):
    soon = time.time() + 60  # the process may take seconds until it looks
    os.utime(world.site, (soon, soon))
    required(world, "alpha")
    assert not answers(world)


def test_a_change_of_the_environment_or_of_the_store_ends_it(world):
    for _ in range(2):
        assert required(world, "alpha<2")[0] == "1.0"
        settle(world)
    assert not required(world, "alpha<2")[1]
    assert world.run("li.install('alpha==1.5', parallel=True, deps=False)").returncode == 0
    assert required(world, "alpha<2")[0] == "1.5"
    assert world.run("li.install('alpha==1.0', deps=False)").returncode == 0
    found = required(world, "alpha<2")
    assert found[0] == "1.0" and found[2] == ["alpha 1.0 (in the environment)"]


def test_what_was_imported_first_is_refused_all_the_same(world):
    for _ in range(2):
        required(world, "alpha<2")
        settle(world)
    code = """
        import alpha
        try:
            li.require("alpha<2")
        except li.errors.AlreadyLoadedError as error:
            print(json.dumps(error.running))
    """
    assert world.json(code) == "2.0"


def test_another_call_in_the_process_is_resolved_over_what_is_active(world):
    for _ in range(2):
        required(world, "alpha<2")
        settle(world)
    code = """
        li.require("alpha<2")
        try:
            li.require("top")
        except li.errors.ActivationError as error:
            print(json.dumps(error.name))
    """
    assert world.json(code.replace('li.require("top")', "import alpha; li.require('top')")) == "alpha"


def test_a_value_still_shows_itself(world):
    for _ in range(2):
        required(world, "alpha<2")
        settle(world)
    code = "print(json.dumps([str(li.require('alpha<2')), 'liveinstall._sidebyside.require' in sys.modules]))"
    shown, resolved = world.json(code)
    assert shown.startswith("Active in this process") and "alpha 1.0" in shown and not resolved


@given(st.binary())
def test_anything_but_a_whole_answer_is_none(data):
    whole = Answer([("a", "1", "")], (), b"x", ["a"], "/s", "/t").encode()
    assert decode(whole).used == (("a", "1", ""),)
    assert decode(data) is None and decode(whole[:-1] + data[:1] + b"\0") is None
    assert decode(whole + b"x") is None


def test_on_windows_whose_first_place_is_the_prefix_the_site_directory_is_found(monkeypatch):
    places = ["C:\\env", "C:\\env\\Lib\\site-packages"]
    monkeypatch.setattr(answer_cache.site_module, "getsitepackages", lambda prefixes: places)
    monkeypatch.setattr(answer_cache, "os", SimpleNamespace(name="nt"))
    assert answer_cache._likely_site() == places[1]
    monkeypatch.setattr(answer_cache, "os", SimpleNamespace(name="posix"))
    assert answer_cache._likely_site() == places[0]
