"""Fetching into a store: all dependencies, as if nothing were installed, but no stored version again."""

from __future__ import annotations

import os
import sys

import pytest
from helpers.environments import make_wheel, tree
from helpers.in_process_site import Place

from liveinstall._engines.select import ENGINES
from liveinstall._model import Candidate
from liveinstall._sidebyside.selection import fetch as fetching
from liveinstall._sidebyside.selection.fetch import fetch
from liveinstall._sidebyside.store.store import Store
from liveinstall.errors import RequirementError, ResolutionError, WheelRefusedError


class Index:
    """An engine over a directory of wheels that records the requests and the fetched wheels."""

    def __init__(self, wheels):
        self.wheels = wheels
        self.asked = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def expect(self, *_):
        pass

    def keep(self):
        pass

    def sources(self):
        return {}

    def warnings(self):
        return ()

    def resolve(self, request, view, directory, *, fetch, tell):
        self.asked.append((request.requirements, fetch))
        self.view = view
        known = {}
        for wheel in sorted(self.wheels.glob("*.whl")):
            name, version = wheel.name.split("-")[:2]
            known[name.replace("_", "-")] = (version, wheel, REQUIRES.get(wheel.name, ()))
        chosen, queue = {}, [(text, True) for text in request.requirements]
        while queue:
            text, requested = queue.pop(0)
            name = text.partition("=")[0].partition("<")[0].partition(">")[0]
            if name not in known:
                raise ResolutionError(f"nothing fits {text}.", log="")
            version, wheel, requires = known[name]
            if name not in chosen:
                path = str(wheel) if fetch else ""
                chosen[name] = Candidate(name, version, requires, requested=requested, wheel=path)
                queue += [(line, False) for line in requires] if request.deps else []
        return list(chosen.values())


REQUIRES: dict[str, tuple[str, ...]] = {}


@pytest.fixture
def index(tmp_path, monkeypatch):
    REQUIRES.clear()
    found = Index(tmp_path / "wheels")
    monkeypatch.setitem(ENGINES, "pip", lambda: found)
    return found


@pytest.fixture
def store(tmp_path):
    return Store.at(tmp_path / "store")


def publish(index, name, version, requires=(), **options):
    wheel = make_wheel(index.wheels, name, version, requires=tuple(requires), **options)
    REQUIRES[wheel.name] = tuple(requires)
    return wheel


def names(found):
    return [(each.name, each.version) for each in found]


def test_all_that_is_needed_is_fetched_as_if_nothing_were_installed(index, store):
    publish(index, "top", "1.0", ["packaging"])  # which is installed here
    publish(index, "packaging", "99.0")
    assert names(fetch(["top"], store, engine="pip")) == [("top", "1.0"), ("packaging", "99.0")]
    assert any("packaging" in info for info in index.view.hidden) and index.view.here == ()


def test_what_the_store_can_satisfy_alone_needs_no_engine_and_no_lock(index, store, monkeypatch):
    publish(index, "top", "1.0", ["leaf>=1"])
    publish(index, "leaf", "1.0")
    first = fetch(["top"], store, engine="pip")
    index.asked.clear()
    monkeypatch.setattr("liveinstall._system.lock.lock_file", None)
    assert sorted(names(fetch(["top<2"], store, engine="pip"))) == sorted(names(first)) and index.asked == []


def test_only_what_is_missing_is_fetched(index, store):
    publish(index, "leaf", "1.0")
    fetch(["leaf"], store, engine="pip")
    publish(index, "top", "1.0", ["leaf"])
    index.asked.clear()
    assert names(fetch(["top"], store, engine="pip")) == [("top", "1.0"), ("leaf", "1.0")]
    assert index.asked == [(("top",), False), (("top==1.0",), True)]


def test_an_upgrade_asks_the_index(index, store):
    publish(index, "leaf", "1.0")
    fetch(["leaf"], store, engine="pip")
    publish(index, "leaf", "2.0").touch()
    assert names(fetch(["leaf"], store, engine="pip")) == [("leaf", "1.0")]
    assert names(fetch(["leaf"], store, engine="pip", upgrade=True)) == [("leaf", "2.0")]
    assert [found.version for found in store.entries()] == ["2.0", "1.0"]


def test_a_refused_wheel_leaves_nothing_of_the_whole_request(index, store):
    publish(index, "top", "1.0", ["leaf"])
    publish(index, "leaf", "1.0", files={"../out.py": ""})
    with pytest.raises(WheelRefusedError):
        fetch(["top"], store, engine="pip")
    assert store.entries() == () and not any(name.startswith(".") for name in os.listdir(store.path))


@pytest.mark.parametrize("option", [{"user": True}, {"when": "restart"}, {"prefer": "loaded"}, {"editable": ["."]}])
def test_options_that_make_no_sense_side_by_side_are_refused_by_fetch(index, store, option):
    with pytest.raises(RequirementError, match="contradict"):
        fetch(["top"], store, engine="pip", **option)


def test_the_environment_stays_as_it_is(env):
    env.wheel("top", "1.0", requires=("leaf",))
    env.wheel("leaf", "1.0", scripts={"leaf-run": "leaf:run"})
    env.run("li.install('leaf')")
    before = tree(env.root)
    code = """
        from liveinstall._sidebyside.selection.fetch import fetch
        from liveinstall._sidebyside.store.store import Store
        from liveinstall._environment.target import find_target
        print(json.dumps([each.name for each in fetch(["top"], Store.default(find_target().site))]))
    """
    assert env.json(code) == ["top", "leaf"]
    assert tree(env.root) == before


def test_what_a_kill_leaves_of_a_fetch_the_next_one_removes(index, store, tmp_path, monkeypatch):
    publish(index, "leaf", "1.0")
    place = Place(tmp_path / "root")
    work = tmp_path / "temporary"
    work.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(work))

    def fetching_leaf():
        sys.dont_write_bytecode = True
        fetch(["leaf"], store, engine="pip")

    _, points = place.fork(fetching_leaf)
    store.remove(*store.entries())
    for at in range(0, points, 3):
        place.fork(fetching_leaf, at=at)
        with store.writing():
            pass
        assert not {name for name in os.listdir(store.path) if name.startswith(".") or name == "work"}, at
        left = [name for directory in work.iterdir() for name in os.listdir(directory)]
        assert {name.partition(".")[0] for name in left} <= {"for"}, f"a kill at {at} left something"
        place.fork(fetching_leaf)
        assert names(store.entries()) == [("leaf", "1.0")], at
        store.remove(*store.entries())


def test_pip_itself_fetches_only_what_is_missing(tmp_path, store, monkeypatch):
    wheels = tmp_path / "links"
    make_wheel(wheels, "liveinstall-leaf", "1.0")
    make_wheel(wheels, "liveinstall-top", "1.0", requires=("liveinstall-leaf", "packaging"))
    make_wheel(wheels, "packaging", "99.0")  # one is installed: it does not count
    options = {"find_links": [str(wheels)], "no_index": True, "engine": "pip"}
    found = fetch(["liveinstall-top"], store, **options)
    assert sorted(names(found)) == [("liveinstall-leaf", "1.0"), ("liveinstall-top", "1.0"), ("packaging", "99.0")]
    with pytest.raises(ResolutionError):
        fetch(["liveinstall-top>1"], store, **options)
    monkeypatch.setattr(fetching, "choose_engine", None)
    assert len(fetch(["liveinstall-top"], store, **options)) == 3


def test_stored_versions_have_their_requirements_with_any_licence_text(tmp_path, store):
    from liveinstall._sidebyside.selection.candidates import offer_of

    licence = "beta>=1\nLicense: BSD\n        \n        Copyright\nRequires-Python: >=3\nRequires-Dist: gamma"
    found = offer_of(store.add(make_wheel(tmp_path / "wheels", "alpha", "1.0", requires=(licence,))))
    assert found.requires == ("beta>=1", "gamma")


def test_what_is_for_another_python_is_not_offered(tmp_path, store):
    from liveinstall._sidebyside.selection.candidates import CandidateProvider

    for version, python in (("1.0", ">=3.8"), ("2.0", "<3"), ("3.0", "nonsense")):
        lines = (f"x\nRequires-Python: {python}",)
        store.add(make_wheel(tmp_path / "wheels", "alpha", version, requires=lines))
    assert [offer.version for offer in CandidateProvider(store)("alpha")] == ["3.0", "1.0"]
