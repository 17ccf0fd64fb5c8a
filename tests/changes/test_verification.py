"""install(verify=True): modules that cannot be imported in a preview of the environment are not accepted."""

from __future__ import annotations

import os
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES

import pytest
from helpers.environments import tree

from liveinstall._homes.import_check import import_names

_REFUSED = """
def attempt(*names, verb=li.install, **options):
    try: return [verb(*names, verify=True, **options), ""]
    except li.errors.VerificationError as error: return [sorted(error.failures), str(error)]
"""


def broken(env, name: str, version: str, code: str, **options) -> None:
    env.wheel(name, version, {f"{name}/__init__.py": f"V = {version!r}\n{code}\n"}, **options)


def test_what_cannot_be_imported_is_refused_with_the_traceback_and_nothing_stays(env):
    broken(env, "alpha", "1.0", "")
    broken(env, "alpha", "2.0", "def one():\n    raise ValueError('not today')\none()")
    env.json("li.install('alpha==1.0'); print('{}')")
    before = tree(env.root)
    for loaded in ("import alpha\n", ""):  # staged, and now
        done = env.json(f"{loaded}{_REFUSED}print(json.dumps(attempt('alpha', upgrade=True)))")
        assert done[0] == ["alpha"]
        assert "ValueError: not today" in done[1] and "in one" in done[1] and "Nothing was staged" in done[1]
        assert tree(env.root) == before and env.leftovers() == []
    assert env.json("print(json.dumps([*map(str, li.pending())]))") == []


def test_without_it_the_variable_decides_and_a_plain_no_wins(env):
    broken(env, "alpha", "1.0", "1 / 0")
    code = """
try: print(json.dumps(str(li.install("alpha", verify={}))))
except li.errors.VerificationError as error: print(json.dumps("refused"))
"""
    assert env.json(code.format("None"), LIVEINSTALL_VERIFY="1") == "refused"
    assert env.json(code.format("None"), LIVEINSTALL_VERIFY="off") != "refused"
    env.json("li.uninstall('alpha'); print('{}')")
    assert env.json(code.format("False"), LIVEINSTALL_VERIFY="1") != "refused"


def test_what_is_loaded_and_needs_what_changes_is_imported_too(env):
    """Its requirements are satisfied, but its code fails."""
    broken(env, "low", "1.0", "old = 1")
    broken(env, "low", "2.0", "")
    broken(env, "mid", "1.0", "", requires=("low",))
    broken(env, "top", "1.0", "from low import old", requires=("mid",))
    env.json("li.install('top', 'low==1.0'); print('{}')")
    asked = f"{_REFUSED}r = attempt('low', upgrade=True)\nprint(json.dumps([r[0] if r[1] else 'accepted', r[1]]))"
    done = env.json("import top\n" + asked)
    assert done[0] == ["top"] and "cannot import name 'old'" in done[1]
    assert env.json(f"import top\n{_REFUSED}r = attempt('low', verb=li.uninstall)\nprint(json.dumps(r[0]))") == ["top"]
    assert env.json(asked)[0] == "accepted"  # no process has it loaded


def test_what_failed_before_does_not_count(env):
    for version in ("1.0", "2.0"):
        env.wheel("alpha", version, {"alpha/__init__.py": "", "gui.py": "raise RuntimeError('no display')"})
    env.json("li.install('alpha==1.0'); print('{}')")
    done = env.json(f"{_REFUSED}r, text = attempt('alpha', upgrade=True)\nprint(json.dumps([text, *r.notes]))")
    assert done == ["", "gui cannot be imported, nor could it before"]


def test_a_module_that_was_not_there_before_did_not_fail_before(env):
    """A release that renames its package and is broken; its missing modules count for new ones with old names, too."""
    env.wheel("ren", "1.0", {"ren_old.py": ""})
    env.wheel("ren", "2.0", {"ren_new.py": "raise RuntimeError('broken release')"})
    env.wheel("more", "1.0", {"more.py": ""})
    env.wheel("more", "2.0", {"more.py": "", "more_magic.py": "import something_optional"})
    env.json("li.install('ren==1.0', 'more==1.0'); print('{}')")
    done = env.json(f"import ren_old\n{_REFUSED}print(json.dumps(attempt('ren', upgrade=True)))")
    assert done[0] == ["ren_new"] and "broken release" in done[1]
    done = env.json(f"{_REFUSED}r, text = attempt('more', upgrade=True)\nprint(json.dumps([text, *r.notes]))")
    assert done == ["", "more_magic needs something_optional, which no distribution requires"]


def test_two_distributions_may_have_a_module_of_the_same_name(env):
    """`tests`, which wheels contain by accident."""
    env.wheel("base", "1.0", {"base.py": "V = 1\n"})
    env.wheel("base", "2.0", {"base.py": "V = 2\n"})
    for name in ("one", "two"):
        files = {f"{name}.py": "import base", "tests/__init__.py": "", f"tests/test_{name}.py": ""}
        env.wheel(name, "1.0", files, requires=("base",))
    env.json("li.install('one', 'base==1.0'); print('{}')")
    # Another installer does not check the owner of `tests/__init__.py`.
    with zipfile.ZipFile(next(env.wheels.glob("two-*"))) as wheel:
        wheel.extractall(env.site)
    done = env.json(f"import one, two\n{_REFUSED}r = attempt('base==2.0')\nprint(json.dumps(r[1]))")
    assert done == ""


def test_the_working_directory_is_not_what_is_verified(env, tmp_path):
    env.wheel("alpha", "1.0", {"alpha.py": ""})
    for name in ("alpha", "json"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not this one')\n")
    done = env.json(
        f"import json, os\nos.chdir({str(tmp_path)!r})\n{_REFUSED}r, text = attempt('alpha')\n"
        "print(json.dumps([text, *map(str, r.installed)]))"
    )
    assert done == ["", "alpha 1.0"]


def test_a_new_module_may_lack_what_nothing_requires_unless_nothing_else_of_it_works(env):
    env.wheel("alpha", "1.0", {"alpha/__init__.py": "", "alpha_magic.py": "import something_optional"})
    env.wheel("beta", "1.0", {"beta.py": "import something_needed"})
    env.wheel("gamma", "1.0", {"gamma.py": "", "gamma_other.py": "import gamma.nothing"})
    done = env.json(f"{_REFUSED}r, text = attempt('alpha')\nprint(json.dumps([text, *r.notes]))")
    assert done == ["", "alpha_magic needs something_optional, which no distribution requires"]
    assert env.json(f"{_REFUSED}print(json.dumps(attempt('beta')[0]))") == ["beta"]
    assert env.json(f"{_REFUSED}print(json.dumps(attempt('gamma')[0]))") == ["gamma_other"]


def test_a_module_that_ends_the_interpreter_is_a_failure_and_the_others_are_tried(env):
    env.wheel(
        "alpha", "1.0", {"a.py": "", "b.py": "import os\nos.kill(os.getpid(), 11)", "c.py": "raise SystemExit(3)"}
    )
    done = env.json(f"{_REFUSED}print(json.dumps(attempt('alpha')))")
    assert done[0] == ["b", "c"] and f"exited with status {'' if os.name == 'nt' else '-'}11" in done[1]


def test_it_checks_all_pending_changes_and_undo_has_the_option_too(env):
    broken(env, "alpha", "1.0", "")
    broken(env, "alpha", "2.0", "")
    env.wheel("beta", "1.0", {"beta.py": "import alpha\nassert alpha.V == '2.0'"})
    done = env.json(
        "li.install('alpha==1.0')\nimport alpha\nli.install('alpha', upgrade=True)\n"
        f"{_REFUSED}r, text = attempt('beta')\nprint(json.dumps([text, *[c.name for c in r.installed]]))"
    )
    assert done == ["", "beta"]
    broken(env, "alpha", "3.0", "1 / 0")
    env.json("li.install('alpha==3.0')\nli.install('alpha==2.0')\nprint('{}')")
    assert env.json(f"{_REFUSED}print(json.dumps(attempt(verb=li.undo)[0]))") == ["alpha"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["six.py", "six-1.dist-info/METADATA"], ("six",)),
        (["yaml/__init__.py", "_yaml/__init__.py", "yaml/x.so"], ("_yaml", "yaml")),
        (["numpy/__init__.py", "numpy/core/__init__.py", "numpy.libs/libx.so"], ("numpy",)),
        (["google/cloud/storage/__init__.py", "google/cloud/storage/a.py"], ("google.cloud.storage",)),
        (["google/protobuf/__init__.py", "google/loose.py"], ("google.protobuf",)),
        (["ns/a.py", "ns/b/c.py"], ("ns.a", "ns.b.c")),
        (["fast" + EXTENSION_SUFFIXES[0], "fast.pyi"], ("fast",)),
        (["tests/test_x.py", "a-b.py", "x/__pycache__/y.pyc", "bin/run.py"], ()),
    ],
)
def test_modules_at_the_top_of_a_distribution(paths, names):
    assert import_names(paths) == names
