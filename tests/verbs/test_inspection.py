"""check, list and freeze: installed, loaded and pending versions, and problems."""

from __future__ import annotations

import json
import shutil

import pytest


@pytest.fixture
def alpha(env):
    env.wheel("alpha", "1.0", requires=("beta",))
    env.wheel("beta", "1.0")
    assert env.run("li.install('alpha')").returncode == 0
    return env


def test_nothing_is_wrong_with_a_sound_environment(alpha):
    assert alpha.json("import alpha\nc = li.check()\nprint(json.dumps([c.ok, str(c)]))") == [True, "No problems found."]


def test_check_tells_requirements_that_do_not_hold(alpha):
    alpha.wheel("gamma", "1.0", requires=("alpha>=2", "delta; extra == 'x'"))
    alpha.run("li.install('gamma', deps=False)\nli.uninstall('beta')")
    assert alpha.json("print(json.dumps(li.check().broken))") == [
        "alpha 1.0 requires beta, but beta is not installed",
        "gamma 1.0 requires alpha>=2, but alpha 1.0 is installed",
    ]


@pytest.mark.parametrize(("change", "kind"), [("unlink", "missing"), ("write", "changed")])
def test_check_compares_files_with_records(alpha, change, kind):
    path = alpha.site / "alpha" / "late.py"
    if change == "unlink":
        path.unlink()
    else:
        path.write_text("something else")
    seen = alpha.json("c = li.check()\nprint(json.dumps([c.ok, [f.kind + ' ' + f.name for f in c.damaged]]))")
    assert seen == [False, [f"{kind} alpha"]]


FOREIGN = """
import glob, pathlib, shutil
site = os.path.dirname(alpha.__path__[0])
for path in glob.glob(site + "/alpha*"):
    shutil.rmtree(path)
def put(version):
    import zipfile
    zipfile.ZipFile(glob.glob(os.environ["WHEELS"] + f"/alpha-{version}-*")[0]).extractall(site)
"""


def test_what_runs_in_another_version_than_is_installed_is_named(alpha):
    alpha.wheel("alpha", "2.0")
    seen = alpha.json(
        "import alpha\n" + FOREIGN + "put('2.0')\nc = li.check()\n"
        "print(json.dumps([list(map(str, c.stale)), [(x.name, x.installed, x.loaded) for x in li.list()][0]]))"
    )
    assert seen == [["running alpha 1.0, installed 2.0"], ["alpha", "2.0", "1.0"]]


def test_what_was_noted_before_needs_no_version_in_its_module(alpha):
    for version in ("3.0", "4.0"):
        alpha.wheel("alpha", version, {"alpha/__init__.py": f"V = '{version}'\n"})
    alpha.run("li.install('alpha==3.0')")
    seen = alpha.json(
        "import alpha\nli.plan('beta')\n" + FOREIGN + "put('4.0')\nprint(json.dumps(list(map(str, li.check().stale))))"
    )
    assert seen == ["running alpha 3.0, installed 4.0"]


def test_what_runs_and_was_removed_is_named(alpha):
    seen = alpha.json(
        "import alpha\nli.plan('beta')\n" + FOREIGN + "print(json.dumps(list(map(str, li.check().stale))))"
    )
    assert seen == ["running alpha 1.0, installed none"]


def test_a_module_that_always_says_another_version_is_not_outdated(env):
    env.wheel("alpha", "1.0", {"alpha/__init__.py": "__version__ = '0.9'\n"})
    env.run("li.install('alpha')")
    assert env.json("import alpha\nprint(json.dumps(li.check().ok))") is True


def test_the_list_says_what_is_installed_loaded_and_pending(alpha):
    alpha.wheel("alpha", "2.0")
    alpha.wheel("gamma", "1.0", requires=("alpha>=2",))
    seen = alpha.json(
        "import alpha, beta\nli.install('gamma')\nli.uninstall('beta')\n"
        "print(json.dumps([(x.name, x.installed, x.loaded, x.pending) for x in li.list()]))"
    )
    assert seen == [["alpha", "1.0", "1.0", "2.0"], ["beta", "1.0", "1.0", "removed"], ["gamma", "", "", "1.0"]]


def test_the_list_is_filtered_by_names_and_patterns(alpha):
    seen = alpha.json(
        "filters = ((), ('al*',), ('BETA', 'alpha'), ('nothing*',))\n"
        "print(json.dumps([[x.name for x in li.list(*names)] for names in filters] + [str(li.list('no*'))]))"
    )
    assert seen == [["alpha", "beta"], ["alpha"], ["alpha", "beta"], [], "No distributions found."]


def test_freeze_is_what_pip_would_write(alpha):
    def direct(name: str, content: dict) -> None:
        shutil.copytree(alpha.site / "beta-1.0.dist-info", alpha.site / f"{name}-1.0.dist-info")
        info = alpha.site / f"{name}-1.0.dist-info"
        info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        info.joinpath("direct_url.json").write_text(json.dumps(content))

    edited = alpha.root / "edited"
    direct("edited", {"url": edited.as_uri(), "dir_info": {"editable": True}})
    direct(
        "cloned", {"url": "https://u:p@h/r.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}, "subdirectory": "s"}
    )
    direct("fetched", {"url": "https://h/f.zip", "archive_info": {"hashes": {"sha256": "12"}}})
    direct("pip", {"url": "https://h/pip.zip", "archive_info": {}})
    (alpha.site / "beta-1.0.dist-info" / "direct_url.json").write_text("{")
    seen = alpha.json("print(json.dumps(li.freeze()))")
    assert seen == [
        "alpha==1.0",
        "beta==1.0",
        "cloned @ git+https://****@h/r.git@abc#subdirectory=s",
        *(["# Editable install with no version control (edited==1.0)"] if shutil.which("git") else []),
        f"-e {edited}",
        "fetched @ https://h/f.zip#sha256=12",
    ]
    assert "pip @ https://h/pip.zip" in alpha.json("print(json.dumps(li.freeze(tools=True)))")


def test_freeze_can_look_ahead(alpha):
    alpha.wheel("alpha", "2.0")
    seen = alpha.json(
        "import alpha, beta\nli.install('alpha==2.0')\nli.uninstall('beta')\n"
        "print(json.dumps([li.freeze(), li.freeze(pending=True)]))"
    )
    assert seen == [["alpha==1.0", "beta==1.0"], ["alpha==2.0"]]


def test_the_status_is_filtered_by_names_and_patterns(alpha):
    alpha.wheel("beta", "1.0")
    alpha.wheel("alpha", "2.0")
    found = alpha.json("""
        import alpha
        li.install("beta")
        li.install("alpha>=2")
        shown = lambda *names: [
            [change.name for item in li.status(*names).pending for change in item.changes],
            len(li.status(*names).holders),
        ]
        print(json.dumps([shown(), shown("ALPHA"), shown("al*"), shown("beta"), shown("nothing", "alpha")]))
    """)
    assert found == [[["alpha"], 1], [["alpha"], 1], [["alpha"], 1], [[], 0], [["alpha"], 1]]
