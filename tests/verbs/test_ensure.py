"""Requests of plugins and hosts: a no-op is fast, no requester breaks another, loaded versions are preferred."""

from __future__ import annotations

import pytest
from helpers.environments import tree

SHOW = """
def show(r):
    print(json.dumps({
        "installed": [str(c) for c in r.installed], "staged": [str(c) for c in r.staged],
        "unchanged": [c.name for c in r.unchanged], "notes": list(r.notes),
    }))
def no_child(*a, **k):
    raise AssertionError("a child process was started")
"""
QUIET = SHOW + "import subprocess; subprocess.Popen = no_child\n"

ASKED = """
class Asked(fake_engine.FakeEngine):
    def resolve(self, *a, **k):
        raise SystemExit("asked")
fake_engine.ENGINES["pip"] = fake_engine.ENGINES["uv"] = Asked
"""


@pytest.fixture
def family(env):
    """`alpha` needs `beta>=1`, with the extra fast also `gamma`."""
    env.wheel("alpha", "1.0", requires=("beta>=1", "gamma; extra == 'fast'"))
    env.wheel("beta", "1.0")
    env.wheel("gamma", "1.0")
    assert env.run("li.install('alpha')").returncode == 0
    return env


def test_what_is_there_is_not_asked_of_an_engine_and_changes_nothing(family):
    before = tree(family.root / "lib", ignore=("__pycache__",))
    seen = family.json(QUIET + "show(li.ensure('Alpha>=1', 'beta', 'never; python_version < \"3\"'))")
    assert seen == {"installed": [], "staged": [], "unchanged": ["alpha", "beta"], "notes": []}
    assert tree(family.root / "lib", ignore=("__pycache__",)) == before


@pytest.mark.parametrize(
    "asked",
    ["alpha[fast]", "gamma", "gamma>=0.5"],
)
def test_what_is_missing_is_installed_and_then_there(family, asked):
    assert family.json(SHOW + f"show(li.ensure('{asked}'))")["installed"] == ["gamma 1.0"]
    assert family.json(QUIET + f"show(li.ensure('{asked}'))")["installed"] == []


@pytest.mark.parametrize("asked", ["alpha[fast]", "alpha", "alpha>=2", "alpha @ file:///nowhere", "./alpha"])
def test_a_gap_anywhere_below_is_seen(family, asked):
    if asked == "alpha":
        family.run("li.uninstall('beta')")
    done = family.run(ASKED + f"li.ensure('{asked}')")
    assert done.stderr == "asked\n" or "RequirementError" in done.stderr


def test_pending_versions_count_too(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    seen = env.json(
        SHOW + "import alpha\nli.install('alpha==2.0')\nr = li.ensure('alpha>=1')\nassert not r.changed\n"
        "show(li.ensure('alpha<2'))\nassert li.pending() == ()"
    )
    assert seen["unchanged"] == ["alpha"]


def test_an_option_that_asks_for_more_is_asked_of_the_engine(family):
    family.wheel("alpha", "2.0")
    assert family.json(SHOW + "show(li.ensure('alpha', upgrade=True))")["installed"] == ["alpha 1.0 -> 2.0"]


# --- requesters -------------------------------------------------------------------------------------------------------


@pytest.fixture
def plugins(env):
    """`one` has requested core<2; core 2.0 is available."""
    env.wheel("core", "1.0")
    env.wheel("core", "2.0")
    env.wheel("tool", "1.0", requires=("core>=2",))
    env.json(SHOW + "show(li.ensure('core<2', requester='Plugin One'))")
    return env


def test_a_request_that_breaks_what_another_asked_for_is_refused_by_name(plugins):
    before = tree(plugins.root / "lib")
    for code in ("li.ensure('tool', requester='two')", "li.install('core>=2', requester='two')", "li.install('tool')"):
        done = plugins.run(code)
        last = done.stderr.strip().splitlines()[-1]
        assert "ProtectedError" in last and "Plugin One requires core<2" in last and "Nothing was changed." in last
    assert tree(plugins.root / "lib") == before


def test_the_same_requester_may_change_its_mind(plugins):
    seen = plugins.json(SHOW + "show(li.ensure('core>=2', requester='Plugin One'))")
    assert seen["installed"] == ["core 1.0 -> 2.0"]
    assert plugins.json(SHOW + "show(li.install('tool', requester='two'))")["installed"] == ["tool 1.0"]


def test_requirements_on_removed_distributions_no_longer_count(plugins):
    seen = plugins.json("r = li.uninstall('core')\nprint(json.dumps(list(r.notes)))")
    assert seen == ["Plugin One requires core<2"]
    assert plugins.json(SHOW + "show(li.install('tool'))")["installed"] == ["tool 1.0", "core 2.0"]


def test_a_requester_is_recorded_once_without_an_engine(family):
    family.json(SHOW + "show(li.ensure('alpha', requester='p'))")
    family.json(QUIET + "show(li.ensure('alpha', requester='p'))")
    assert (family.site / ".liveinstall" / "requests").read_text() == "liveinstall-requests 1\np\talpha\nend\n"


def test_the_history_says_who_asked(plugins):
    assert plugins.json("print(json.dumps(li.history()[0].requests))") == ["core<2 (for Plugin One)"]


@pytest.mark.parametrize("loaded", ["", "import core\n"])
def test_the_host_protects_what_it_needs(env, loaded):
    env.wheel("core", "1.0")
    env.run("li.install('core')")
    env.wheel("core", "2.0")
    env.wheel("tool", "1.0", requires=("core>=2",))
    done = env.run(loaded + "li.ensure('tool', requester='two', protect=('core<2',))")
    last = done.stderr.strip().splitlines()[-1]
    assert "ProtectedError" in last and "the host requires core<2: core<2, but core 2.0 is installed" in last
    assert env.versions() == {"core": "1.0"} and env.leftovers() == []


def test_what_the_host_does_not_have_yet_may_not_come_in_another_version(env):
    env.wheel("core", "2.0")
    env.wheel("tool", "1.0", requires=("core",))
    done = env.run("li.install('tool', protect=('core<2',))")
    assert "ProtectedError" in done.stderr and "core<2, but core 2.0 is installed" in done.stderr
    assert env.versions() == {}
    env.wheel("core", "1.0")
    assert env.run("li.install('core==1.0', protect=('core<2',))").returncode == 0


def test_a_promise_holds_although_something_below_it_is_missing(env):
    env.wheel("core", "1.0", requires=("absent",))
    env.wheel("core", "2.0")
    env.run("li.install('core==1.0', deps=False)")
    done = env.run("li.install('core==2.0', protect=('core<2',))")
    assert "ProtectedError" in done.stderr
    assert env.run("li.install('core==2.0')").returncode == 0


def test_secrets_of_what_is_protected_are_not_shown(env):
    done = env.run("li.install('alpha', protect=['https://user:secret@host/x.zip'])")
    assert "RequirementError" in done.stderr and "secret" not in done.stderr.splitlines()[-1]


def test_a_marker_that_does_not_apply_starts_no_engine(family):
    call = "li.ensure('alpha', 'never; python_version < \"3\"', requester='p')"
    family.json(SHOW + f"show({call})")
    family.json(QUIET + f"show({call})")


def test_a_damaged_file_of_requests_blocks_nothing(plugins):
    (plugins.site / ".liveinstall" / "requests").write_bytes(b"liveinstall-requests 1\n\xff")
    assert plugins.json(SHOW + "show(li.install('tool'))")["installed"] == ["tool 1.0", "core 1.0 -> 2.0"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("requester=''", "is not a name"),
        ("requester='a\\tb'", "is not a name"),
        ("requester=7", "is not a name"),
        ("protect='core'", "a sequence of requirements"),
        ("protect=('!',)", "is not a requirement"),
        ("protect=[5]", "is not a requirement"),
        ("protect=None", "a sequence of requirements"),
        ("prefer='oldest'", "prefer='oldest' is not a valid value"),
    ],
)
def test_what_makes_no_sense_is_refused(env, options, words):
    done = env.run(f"li.install('alpha', {options})")
    assert "RequirementError" in done.stderr and words in done.stderr


# --- loaded versions are preferred ------------------------------------------------------------------------------------


@pytest.fixture
def choice(env):
    """`tool` 2.0 requires core>=2, `tool` 1.0 any core; core 1.0 is installed."""
    env.wheel("core", "1.0")
    env.run("li.install('core')")
    env.wheel("core", "2.0")
    env.wheel("tool", "2.0", requires=("core>=2",))
    return env


def test_without_a_way_around_the_newest_is_staged_and_it_says_so(choice):
    seen = choice.json(SHOW + "import core\nshow(li.install('tool', prefer='loaded'))")
    assert seen["staged"] == ["tool 2.0", "core 1.0 -> 2.0"]
    assert seen["notes"] == ["the loaded versions cannot satisfy the request"]


def test_a_request_that_had_to_wait_offers_it(choice):
    seen = choice.json(SHOW + "import core\nshow(li.install('tool'))")
    assert seen["notes"] == ['prefer="loaded" keeps loaded versions where possible, and may avoid the restart']
    assert choice.json(SHOW + "import core\nshow(li.install('core>=2'))")["notes"] == []


def test_lists_are_several_requirements_and_nothing_else_is_one(family):
    assert family.json(QUIET + "show(li.ensure(['alpha', 'beta']))")["unchanged"] == ["alpha", "beta"]
    for given in ("None", "0", "['alpha', None]"):
        for verb in ("ensure", "install", "plan", "require", "uninstall"):
            assert "RequirementError" in family.run(f"li.{verb}({given})").stderr, (verb, given)
