"""Removals: now, at the next start, cancelled and undone."""

from __future__ import annotations

import zipfile

import pytest
from helpers.environments import tree

SHOW = """
def show(r):
    print(json.dumps({
        "removed": [str(c) for c in r.removed], "staged": [str(c) for c in r.staged],
        "reasons": {c.name: c.reason for c in (*r.removed, *r.staged)},
        "conflicts": list(r.conflicts), "notes": list(r.notes), "transaction": r.transaction,
    }))
"""


BREAK = "import glob, sysconfig\nos.remove(glob.glob(sysconfig.get_path('purelib') + '/alpha-1.0*/RECORD')[0])\n"


@pytest.fixture
def family(env):
    """`alpha` requires `beta`, `beta` requires `gamma`; only alpha was requested."""
    env.wheel("alpha", "1.0", requires=("beta",), scripts={"alpha-run": "alpha:run"})
    env.wheel("beta", "1.0", requires=("gamma",))
    env.wheel("gamma", "1.0")
    assert env.run("li.install('alpha')").returncode == 0
    return env


def test_an_unused_distribution_is_removed_at_once_and_its_unused_dependencies_are_listed(family):
    seen = family.json(SHOW + "show(li.uninstall('Alpha'))")
    assert seen["removed"] == ["alpha 1.0 removed"] and seen["staged"] == []
    assert seen["notes"] == ["no longer needed: beta, gamma; with_unused=True removes these too"]
    assert family.versions() == {"beta": "1.0", "gamma": "1.0"}
    assert not (family.site / "alpha").exists() and not family.script("alpha-run").exists()


def test_names_may_be_lists_commands_and_files(family):
    (family.root / "gone.txt").write_text("gamma>=1  # no longer\n")
    code = (
        f"show(li.uninstall(['alpha'], 'pip uninstall -y beta', requirement_files={str(family.root / 'gone.txt')!r}))"
    )
    assert family.json(SHOW + code)["removed"] == ["alpha 1.0 removed", "beta 1.0 removed", "gamma 1.0 removed"]


def test_with_unused_removes_all_unneeded_dependencies(family):
    seen = family.json(SHOW + "show(li.uninstall('alpha', with_unused=True))")
    assert seen["removed"] == ["alpha 1.0 removed", "beta 1.0 removed", "gamma 1.0 removed"]
    assert family.versions() == {} and family.leftovers() == []


def test_what_a_requester_asked_for_is_not_unused(family):
    family.run("li.ensure('gamma', requester='a-plugin')")
    seen = family.json(SHOW + "show(li.uninstall('alpha', with_unused=True))")
    assert seen["removed"] == ["alpha 1.0 removed", "beta 1.0 removed"]


def test_what_is_loaded_goes_at_the_next_start(family):
    seen = family.json(SHOW + "import alpha\nr = li.uninstall('alpha')\nimport alpha.late\nshow(r)")
    assert seen["staged"] == ["alpha 1.0 removed"] and seen["reasons"]["alpha"] == "alpha is imported here"
    assert family.versions()["alpha"] == "1.0"
    after = family.bare("import alpha")
    assert after.returncode == 1 and "No module named 'alpha'" in after.stderr
    assert family.leftovers() == [] and "alpha" not in family.versions()


def test_a_pending_removal_can_be_cancelled(family):
    before = tree(family.site)
    family.json("import alpha\nli.uninstall('alpha')\nli.cancel('alpha')\nprint(json.dumps(len(li.pending())))")
    assert family.bare("import alpha").returncode == 0
    assert tree(family.site) == before


@pytest.mark.parametrize("loaded", ["", "import alpha\n"])
def test_a_removal_can_be_undone(family, loaded):
    before = tree(family.root / "lib")
    family.json(SHOW + loaded + "show(li.uninstall('alpha', with_unused=True))")
    family.bare("pass")
    assert family.versions() == {}
    family.json(SHOW + "show(li.undo())")
    assert family.bare("import alpha, beta, gamma").returncode == 0
    assert tree(family.root / "lib") == before


def test_dependents_are_reported_and_do_not_prevent_a_removal(family):
    seen = family.json(SHOW + "show(li.uninstall('gamma'))")
    assert seen["removed"] == ["gamma 1.0 removed"]
    assert seen["conflicts"] == ["beta 1.0 requires gamma, but gamma will be missing"]


def test_what_a_loaded_distribution_may_still_import_stays_until_the_restart(env):
    env.wheel("alpha", "1.0", {"alpha.py": "def late():\n    import beta\n    return 'ok'\n"}, requires=("beta",))
    env.wheel("beta", "1.0")
    env.run("li.install('alpha')")
    seen = env.json(SHOW + "import alpha\nr = li.uninstall('beta')\nassert alpha.late() == 'ok'\nshow(r)")
    assert seen["staged"] == ["beta 1.0 removed"]
    assert seen["reasons"]["beta"] == "alpha 1.0 requires beta"
    assert env.bare("import alpha, beta").returncode == 1


def test_requests_of_one_session_end_as_one_swap(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    env.wheel("beta", "1.0", requires=("alpha>=2",))
    seen = env.json(
        SHOW + "import alpha\nli.install('alpha>=2')\nli.install('beta')\nassert len(li.pending()) == 1\n"
        "show(li.uninstall('beta'))\nassert [str(c) for c in li.pending()[0].changes] == ['alpha 1.0 -> 2.0']\n"
    )
    assert seen["notes"][0] == "beta: its pending change was cancelled"
    env.bare("pass")
    assert env.versions() == {"alpha": "2.0"} and env.leftovers() == []


def test_a_pending_upgrade_becomes_a_removal(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    seen = env.json(SHOW + "import alpha\nli.install('alpha>=2')\nshow(li.uninstall('alpha'))")
    assert seen["staged"] == ["alpha 1.0 removed"]
    env.bare("pass")
    assert env.versions() == {} and env.leftovers() == []


def test_a_removed_module_cannot_be_imported_by_the_running_process_either(family):
    family.json(
        "import importlib.util, importlib.metadata as m\nli.uninstall('alpha')\n"
        "assert importlib.util.find_spec('alpha') is None\n"
        "print(json.dumps([d.name for d in m.distributions() if d.name == 'alpha']))"
    )


def test_a_name_that_is_not_installed_is_a_note(family):
    before = tree(family.site)
    seen = family.json(SHOW + "show(li.uninstall('nothing'))")
    assert seen["notes"] == ["nothing is not installed"] and seen["transaction"] is None
    assert tree(family.site) == before


def test_a_dry_run_changes_nothing(family):
    before = tree(family.site)
    seen = family.json(SHOW + "show(li.uninstall('alpha', with_unused=True, dry_run=True))")
    assert len(seen["removed"]) == 3
    assert tree(family.site) == before


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("li.uninstall()", "RequirementError", "no name was given"),
        ("li.uninstall('alpha>=1')", "RequirementError", "names only"),
        ("li.uninstall([0])", "RequirementError", "is not a requirement"),
        ("li.uninstall('alpha beta')", "RequirementError", 'uninstall("alpha", "beta")'),
        ("li.uninstall('alpha', when='soon')", "RequirementError", "when='soon'"),
        ("import alpha; li.uninstall('alpha', when='now')", "RestartRequiredError", "alpha is imported here"),
        ("li.uninstall('packaging')", "TargetError", "outside of this environment"),
        (BREAK + "li.uninstall('alpha')", "DamagedError", "has no RECORD"),
    ],
)
def test_what_cannot_be_removed_says_why_and_nothing_changes(family, code, error, words):
    if "packaging" in code:
        info = family.root / "libraries" / "packaging-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: packaging\nVersion: 1.0\n")
    before = set(family.versions())
    done = family.run(code)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert error in last and words in done.stderr and "Nothing was changed." in last
    assert set(family.versions()) == before and (family.site / "alpha").is_dir() and family.leftovers() == []


def test_a_staged_upgrade_of_a_distribution_outside_the_environment_is_cancelled_by_uninstall(env):
    outside = env.root / "outside"
    with zipfile.ZipFile(env.wheel("alpha", "1.0")) as wheel:
        wheel.extractall(outside)
    (env.site / "outside.pth").write_text(f"{outside}\n")
    env.wheel("alpha", "2.0")
    seen = env.json(
        SHOW
        + """
import alpha
first = li.install("alpha>=2")
assert [str(c) for c in first.staged] == ["alpha 1.0 -> 2.0"]
again = li.plan("alpha")
assert [c.name for c in again.waiting] == ["alpha"] and not again.unchanged and "Unchanged" not in str(again)
result = li.uninstall("alpha")
assert "None" not in str(result) + str(li.pending()) + str(li.history()), result
assert not li.pending() and li.list() and li.check().ok
show(result)
"""
    )
    assert seen["removed"] == seen["staged"] == [] and "alpha: its pending change was cancelled" in seen["notes"]
    assert (outside / "alpha").is_dir() and env.leftovers() == [] and env.versions() == {}
