"""P1 and lazy imports (PEP 810): unused modules are not loaded; after the first use they are like any other."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.version_info < (3, 15), reason="lazy imports are from Python 3.15 on")


def versions(env) -> None:
    for version in ("1.0", "2.0"):
        env.wheel("alpha", version)
    env.json("li.install('alpha<2'); print('[]')")


def changed(result: str) -> str:
    return f"[[str(c) for c in {result}.installed], [str(c) for c in {result}.staged]]"


def test_what_is_imported_lazily_and_not_used_yet_is_upgraded_at_once(env):
    versions(env)
    code = f"""
lazy import alpha
lazy from alpha.late import V
r = li.install("alpha>=2", quiet=True)
print(json.dumps([*{changed("r")}, alpha.__version__, V]))
"""
    assert env.json(code) == [["alpha 1.0 -> 2.0"], [], "2.0", "2.0"]


def test_a_used_lazy_import_makes_all_modules_of_its_distribution_pending(env):
    versions(env)
    code = f"""
lazy import alpha
lazy import alpha.late
lazy from alpha.late import V
alpha.__version__
r = li.install("alpha>=2", quiet=True)
print(json.dumps([*{changed("r")}, alpha.__version__, alpha.late.V, V]))
"""
    assert env.json(code) == [[], ["alpha 1.0 -> 2.0"], "1.0", "1.0", "1.0"]


@pytest.mark.parametrize("used", ["before the hold", "after it", "later"])
def test_other_processes_hold_what_they_have_used(env, used):
    versions(env)
    process = env.start(f"""
lazy import alpha
lazy import alpha.late
{"alpha.__version__" if used == "before the hold" else ""}
li.hold()
{"alpha.__version__" if used == "after it" else ""}
print("held", flush=True); input()
print(alpha.__version__, alpha.late.V)
""")
    assert process.stdout.readline() == "held\n"
    found = env.json(f"r = li.install('alpha>=2', quiet=True); print(json.dumps({changed('r')}))")
    told = process.communicate("\n", timeout=60)
    if used == "later":
        assert (found, told) == ([["alpha 1.0 -> 2.0"], []], ("2.0 2.0\n", ""))
    else:
        assert (found, told) == ([[], ["alpha 1.0 -> 2.0"]], ("1.0 1.0\n", ""))


def test_the_first_use_of_what_is_only_staged_raises_the_same_error_as_its_import(env):
    versions(env)
    env.wheel("gamma", "1.0", requires=("alpha>=2",))
    code = """
import alpha
lazy import gamma
r = li.install("gamma", quiet=True)
found = []
for use in (lambda: gamma.__version__, lambda: __import__("gamma")):
    try: use()
    except li.errors.StagedImportError as error: found.append([error.name, "pending until a restart" in str(error)])
print(json.dumps([len(r.staged), found]))
"""
    assert env.json(code) == [2, [["gamma", True], ["gamma", True]]]


def test_the_first_use_of_a_fresh_install_imports_it(env):
    env.wheel("alpha", "1.0")
    code = "lazy import alpha\nli.install('alpha', quiet=True); print(json.dumps(alpha.__version__))"
    assert env.json(code) == "1.0"


ALL = ("-X", "lazy_imports=all")


def run(env, code: str, *options: str, **more: str):
    done = env.run("fake_engine.FakeEngine\n" + code, *options, **more)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("how", ["option", "variable"])
def test_where_all_imports_are_lazy_requests_work_and_holds_name_what_is_used(env, how):
    versions(env)
    options, more = (ALL, {}) if how == "option" else ((), {"PYTHON_LAZY_IMPORTS": "all"})
    code = f"""
import alpha
first = "alpha" in sys.modules
alpha.__version__
r = li.install("alpha>=2", quiet=True)
import alpha.late
[hold] = [path for path in os.listdir({str(env.site)!r} + "/.liveinstall/holds") if path.startswith(str(os.getpid()))]
text = open({str(env.site)!r} + "/.liveinstall/holds/" + hold).read()
print(json.dumps([first, *{changed("r")}, alpha.late.V, "uses alpha" in text, len(li.pending())]))
"""
    assert run(env, code, *options, **more).strip() == '[false, [], ["alpha 1.0 -> 2.0"], "1.0", true, 1]'
    assert run(env, "import alpha; print(alpha.__version__)", *options, **more) == "2.0\n"


def test_where_all_imports_are_lazy_versions_side_by_side_and_homes_work(env, tmp_path):
    versions(env)
    code = f"""
li.require("alpha>=2", install=True)
import alpha, alpha.late, importlib.metadata, subprocess
print(alpha.__version__, alpha.late.V, importlib.metadata.version("alpha"), flush=True)
from liveinstall import homes
home = homes.create({str(tmp_path / "home")!r}, "alpha==2.0")
subprocess.run([home.python, "-X", "lazy_imports=all", "-c", "import alpha; print(alpha.__version__)"], check=True)
"""
    assert run(env, code, *ALL) == "2.0 2.0 2.0\n2.0\n"


def test_where_all_imports_are_lazy_a_registry_decides_what_is_imported(env):
    versions(env)
    cli = "from liveinstall.__main__ import main\nsys.argv[1:] = ['registry', *{}]\nsys.exit(main())"
    for words in (["create", "new", "alpha==2.0", "--quiet"], ["enable"]):
        run(env, cli.format(words), *ALL)
    code = (
        "import alpha, importlib.metadata as m; from alpha.late import V; print(alpha.__file__, V, m.version('alpha'))"
    )
    assert run(env, code, *ALL, LIVEINSTALL_REGISTRY="new").endswith("alpha/__init__.py 2.0 2.0\n")


def test_where_all_imports_are_lazy_a_trial_works(env):
    versions(env)
    code = """
import alpha
alpha.__version__
li.install("alpha>=2", quiet=True)
t = li.trial("import alpha; print(alpha.__version__)", env={"PYTHON_LAZY_IMPORTS": "all"})
print(json.dumps([t.stdout, t.stderr]))
"""
    assert run(env, code, *ALL).strip() == '["2.0\\n", ""]'
