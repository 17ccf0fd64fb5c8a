"""Distributions in the user's site-packages directory: uninstall, stage, undo, cancel, never those of another user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NAMES = "lambda changes: [str(change) for change in changes]"
SHOW = f"""
names = {NAMES}
def show(r, **more):
    found = {{"removed": names(r.removed), "staged": names(r.staged), "installed": names(r.installed)}}
    print(json.dumps({{**found, **more}}))
"""


@pytest.fixture
def user(env, tmp_path, monkeypatch):
    """An environment whose user site is in use; alpha 1.0 is installed in it."""
    config = env.root / "pyvenv.cfg"
    config.write_text(config.read_text().replace("packages = false", "packages = true"))
    monkeypatch.setenv("PYTHONUSERBASE", str(tmp_path / "base"))
    variables = env.variables
    env.variables = lambda **more: variables(PYTHONUSERBASE=str(tmp_path / "base"), **more)
    env.wheel("alpha", "1.0", requires=("beta",), scripts={"alpha-run": "alpha:run"})
    env.wheel("beta", "1.0")
    done = env.run("li.install('alpha', user=True)")
    assert done.returncode == 0, done.stderr
    return env


def user_site(user) -> Path:
    pattern = "Python*/site-packages" if os.name == "nt" else "lib/python*/site-packages"
    return next((user.root.parent / "base").glob(pattern))


def versions(user) -> set[str]:
    return {path.name.removesuffix(".dist-info") for path in user_site(user).glob("*.dist-info")}


def test_what_was_installed_for_the_user_can_be_uninstalled_and_undone(user):
    assert versions(user) == {"alpha-1.0", "beta-1.0"} and user.versions() == {}
    assert user.json(SHOW + "show(li.uninstall('alpha'))")["removed"] == ["alpha 1.0 removed"]
    assert versions(user) == {"beta-1.0"} and not (user_site(user) / "alpha").exists()
    launchers = (user.root.parent / "base").rglob("alpha-run*")
    assert [path for path in launchers if ".liveinstall" not in path.parts] == []  # there for undo()
    seen = user.json(SHOW + "show(li.undo(), past=[names(past.changes) for past in li.history()])")
    assert seen["installed"] == ["alpha 1.0"] and versions(user) == {"alpha-1.0", "beta-1.0"}
    assert seen["past"] == [["alpha 1.0"], ["alpha 1.0 removed"], ["beta 1.0", "alpha 1.0"]]


def test_it_is_removed_at_the_next_start_if_it_is_loaded(user):
    code = "import alpha\nr = li.uninstall('alpha')\nimport alpha.late\n"
    code += "show(r, pending=[names(p.changes) for p in li.pending()])"
    seen = user.json(SHOW + code)
    assert seen["staged"] == ["alpha 1.0 removed"] and seen["pending"] == [["alpha 1.0 removed"]]
    assert "No module named 'alpha'" in user.bare("import alpha").stderr
    assert versions(user) == {"beta-1.0"}


def test_a_pending_removal_is_listed_and_can_be_cancelled(user):
    code = "import alpha\nli.uninstall('alpha')\nlisted = {row.name: row.pending for row in li.list()}\n"
    code += "print(json.dumps([listed['alpha'], names(li.cancel('alpha')), len(li.pending())]))"
    assert user.json(SHOW + code) == ["removed", ["alpha 1.0 removed"], 0]
    assert user.bare("import alpha").returncode == 0


def test_the_command_line_uninstalls_it(user):
    code = "from liveinstall._frontends.cli.main import main\nsys.exit(main(['uninstall', '-y', 'alpha', 'beta']))"
    done = user.run(code)
    assert done.returncode == 0 and "alpha 1.0 removed" in done.stdout and versions(user) == set()


def test_names_in_both_places_are_refused_and_nothing_changes(user):
    user.wheel("gamma", "1.0")
    user.run("li.install('gamma')")
    done = user.run("li.uninstall('alpha', 'gamma')")
    assert "RequirementError" in done.stderr and "two calls" in done.stderr
    assert versions(user) == {"alpha-1.0", "beta-1.0"} and user.versions() == {"gamma": "1.0"}


def test_the_copy_that_is_imported_is_removed(user):
    user.run("li.install('beta', reinstall=True)")
    assert user.versions() == {"beta": "1.0"}
    user.json(SHOW + "show(li.uninstall('beta'))")
    assert user.versions() == {} and versions(user) == {"alpha-1.0", "beta-1.0"}
    user.json(SHOW + "show(li.uninstall('beta'))")
    assert versions(user) == {"alpha-1.0"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to give files away")
def test_the_directory_of_another_user_is_never_changed(user):
    os.chown(user_site(user), 12345, 12345)
    done = user.run("li.uninstall('alpha')")
    assert "TargetError" in done.stderr and "belongs to another user" in done.stderr
    assert versions(user) == {"alpha-1.0", "beta-1.0"}


def test_removing_a_shadowing_copy_is_not_a_conflict_if_the_other_one_satisfies_it(user):
    user.run("li.install('beta', reinstall=True)")
    told = user.json("r = li.uninstall('beta')\nprint(json.dumps([r.conflicts, r.notes]))")
    assert told == [[], ["beta 1.0 outside of the environment is imported again"]]
    user.run("li.install('beta', reinstall=True)")
    code = "import beta\nr = li.uninstall('beta')\nq = li.install('alpha', reinstall=True)\n"
    told = user.json(code + "print(json.dumps([len(r.staged), r.conflicts, q.conflicts]))")
    assert told == [1, [], []]


def test_status_covers_the_user_s_site_packages_too(user):
    state = user_site(user) / ".liveinstall" / "transactions"
    state.mkdir(parents=True, exist_ok=True)
    damaged = state / "20200101-000000-1-aaaaaa.pending"
    damaged.write_text("nonsense")
    code = "import alpha\nli.hold()\nli.uninstall('alpha')\ns = li.status()\n"
    code += "print(json.dumps([s.unreadable, [h.mine for h in s.holders], len(s.pending)]))"
    unreadable, mine, pending = user.json(code)
    assert unreadable == [str(damaged)] and mine == [True] and pending == 1


def test_a_process_that_uses_both_places_is_one_holder(user):
    user.wheel("gamma", "1.0")
    user.run("li.install('gamma')")
    code = "import alpha, gamma\nli.hold()\nli.uninstall('alpha')\nli.uninstall('gamma')\n(h,) = li.status().holders\n"
    names = user.json(code + "print(json.dumps(h.distributions))")
    assert {"alpha", "gamma"} <= set(names)
