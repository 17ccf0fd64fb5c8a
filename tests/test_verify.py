"""install(verify=True): what cannot be imported in the environment as it would be is not accepted."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES

import pytest
from support import tree

from liveinstall.homes.verifying import import_names

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
    """Its requirements hold, its code does not."""
    broken(env, "low", "1.0", "old = 1")
    broken(env, "low", "2.0", "")
    broken(env, "mid", "1.0", "", requires=("low",))
    broken(env, "top", "1.0", "from low import old", requires=("mid",))
    env.json("li.install('top', 'low==1.0'); print('{}')")
    asked = f"{_REFUSED}r = attempt('low', upgrade=True)\nprint(json.dumps([r[0] if r[1] else 'accepted', r[1]]))"
    done = env.json("import top\n" + asked)
    assert done[0] == ["top"] and "cannot import name 'old'" in done[1]
    assert env.json(f"import top\n{_REFUSED}r = attempt('low', verb=li.uninstall)\nprint(json.dumps(r[0]))") == ["top"]
    assert env.json(asked)[0] == "accepted"  # nobody has it loaded


def test_what_failed_before_does_not_count(env):
    for version in ("1.0", "2.0"):
        env.wheel("alpha", version, {"alpha/__init__.py": "", "gui.py": "raise RuntimeError('no display')"})
    env.json("li.install('alpha==1.0'); print('{}')")
    done = env.json(f"{_REFUSED}r, text = attempt('alpha', upgrade=True)\nprint(json.dumps([text, *r.notes]))")
    assert done == ["", "gui cannot be imported, nor could it before"]


def test_a_module_that_is_new_in_an_upgrade_was_not_broken_before(env):
    env.wheel("alpha", "1.0", {"alpha.py": ""})
    env.wheel("alpha", "2.0", {"alpha2.py": "raise RuntimeError('always')"})
    env.json("li.install('alpha==1.0'); print('{}')")
    assert env.json(f"{_REFUSED}print(json.dumps(attempt('alpha', upgrade=True)[0]))") == ["alpha2"]


def test_what_lies_in_the_working_directory_is_not_what_is_verified(env, tmp_path):
    (tmp_path / "alpha.py").write_text("1 / 0")
    env.wheel("alpha", "1.0", {"alpha.py": ""})
    done = env.json(f"os.chdir({str(tmp_path)!r})\n{_REFUSED}print(json.dumps(attempt('alpha')[1]))")
    assert done == ""


def test_a_new_module_may_lack_what_nothing_requires_unless_nothing_else_of_it_works(env):
    env.wheel("alpha", "1.0", {"alpha/__init__.py": "", "alpha_magic.py": "import something_optional"})
    env.wheel("beta", "1.0", {"beta.py": "import something_needed"})
    env.wheel("gamma", "1.0", {"gamma.py": "", "gamma_other.py": "import gamma.nothing"})
    done = env.json(f"{_REFUSED}r, text = attempt('alpha')\nprint(json.dumps([text, *r.notes]))")
    assert done == ["", "alpha_magic needs something_optional, which nothing requires"]
    assert env.json(f"{_REFUSED}print(json.dumps(attempt('beta')[0]))") == ["beta"]
    assert env.json(f"{_REFUSED}print(json.dumps(attempt('gamma')[0]))") == ["gamma_other"]


def test_a_module_that_ends_the_interpreter_is_a_failure_and_the_others_are_tried(env):
    env.wheel(
        "alpha", "1.0", {"a.py": "", "b.py": "import os\nos.kill(os.getpid(), 11)", "c.py": "raise SystemExit(3)"}
    )
    done = env.json(f"{_REFUSED}print(json.dumps(attempt('alpha')))")
    assert done[0] == ["b", "c"] and "ended with status -11" in done[1]


def test_it_looks_at_all_that_waits_and_undo_takes_it_too(env):
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
