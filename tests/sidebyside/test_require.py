"""require(), versions(), install(parallel=True) and liveinstall.auto, in real interpreters."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from helpers.capabilities import has_forkserver
from helpers.environments import make_environment, tree


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """alpha 2.0 and top are installed; alpha 1.0, 1.5, 2.0rc1 and their dependents are stored side by side."""
    env = make_environment(tmp_path_factory.mktemp("world") / "env")
    for version in ("1.0", "1.5", "2.0", "3.0rc1"):
        env.wheel("alpha", version, {"alpha/__init__.py": f"V = {version!r}\n", "alpha/late.py": ""})
    env.wheel("top", "1.0", {"top.py": "import alpha\nV = alpha.V\n"}, requires=("alpha>=2",))
    env.wheel("old", "1.0", {"old.py": "import alpha\nV = alpha.V\n"}, requires=("alpha<2",))
    env.wheel("both", "1.0", requires=("old", "needs-new"))
    env.wheel("needs-new", "1.0", requires=("alpha>=2",))
    env.wheel("deep", "1.0", requires=("old",))
    env.wheel("far", "1.0", {"far.py": "V = 'far'\n"}, requires=('extra-thing; extra == "more"',))
    env.wheel("extra-thing", "1.0")
    code = """
        li.install("alpha==2.0", "top", "needs-new")
        li.install("alpha==1.0", "deep", parallel=True, quiet=True)
        for text in ("alpha==1.5", "alpha==3.0rc1", "both"):
            li.install(text, parallel=True, deps=False)
    """
    done = env.run(code)
    assert done.returncode == 0, done.stderr
    return env


def test_installing_side_by_side_leaves_the_environment_unchanged_and_reports_it(env):
    env.wheel("alpha", "1.0", requires=("beta",), scripts={"alpha-run": "alpha:run"})
    env.wheel("beta", "1.0")
    before = tree(env.root)
    code = """
        first, again = (li.install("alpha", parallel=True) for _ in range(2))
        try:
            import alpha
        except ModuleNotFoundError:
            print(json.dumps([list(map(str, first.installed)), list(map(str, first.staged)), first.transaction,
                              list(map(str, again.installed)), [c.name for c in again.unchanged], str(first)]))
    """
    *found, shown = env.json(code)
    assert found == [["alpha 1.0", "beta 1.0"], [], None, [], ["alpha", "beta"]]
    assert shown.startswith(
        "Installed side by side, outside of the environment:\n  alpha 1.0\n  beta 1.0\nNote: import it with require()"
    )
    assert tree(env.root) == before


@pytest.mark.parametrize("option", ["dry_run=True", "when='now'", "user=True", "requester='x'"])
def test_options_that_make_no_sense_side_by_side_are_refused(world, option):
    code = f"""
        try:
            li.install("alpha", parallel=True, {option})
        except li.errors.RequirementError as error:
            print(json.dumps(str(error)))
    """
    assert "contradict" in world.json(code)


def test_what_the_environment_has_is_used_where_it_fits(world):
    code = "a = li.require('top'); import top; print(json.dumps([top.V, [str(d) for d in a.distributions], a.source]))"
    in_env = ["top 1.0 (in the environment)", "alpha 2.0 (in the environment)"]
    assert world.json(code) == ["2.0", in_env, ""]


def test_the_first_answer_loads_nothing_that_only_installing_needs(world):
    unneeded = {
        "packaging.requirements",
        "packaging.tags",
        "installer",
        "email",
        "logging",
        "concurrent",
        "subprocess",
        "tempfile",
        "zipfile",
    }
    code = f"import sys, liveinstall; liveinstall.require('deep'); print({unneeded!r} & set(sys.modules))"
    done = subprocess.run([world.python, "-c", code], env=world.variables(), capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_another_version_is_activated_before_the_first_import(world):
    code = """
        a = li.require("alpha<2")
        import alpha, alpha.late
        from importlib.metadata import version
        s = li.status().active
        print(json.dumps([alpha.V, version("alpha"), [d.version for d in a.distributions], list(a.conflicts), s.why]))
    """
    conflicts = ["needs-new 1.0 requires alpha>=2", "top 1.0 requires alpha>=2"]
    assert world.json(code) == ["1.5", "1.5", ["1.5"], conflicts, "require('alpha<2')"]


def test_a_pre_release_is_the_last_choice(world):
    code = "print(json.dumps([d.version for text in (%r,) for d in li.require(text).distributions]))"
    assert world.json(code % "alpha!=2.0") == ["1.5"] and world.json(code % "alpha>2") == ["3.0rc1"]


def test_dependencies_are_activated_with_what_needs_them_and_chosen_together(world):
    code = "a = li.require('deep'); import old; print(json.dumps([old.V, sorted(map(str, a.distributions))]))"
    beside = [f"{name} (side by side)" for name in ("alpha 1.5", "deep 1.0", "old 1.0")]
    assert world.json(code) == ["1.5", beside]


def test_two_calls_add_up_and_are_one_activation(world):
    code = """
        li.require("alpha==1.0")
        a = li.require("old")
        import alpha, old
        ours = [type(f).__name__ for f in sys.meta_path].count("_RegistryFinder")
        used = [d.version for d in a.distributions if d.name == "alpha"]
        print(json.dumps([alpha.V, old.V, used, ours, li.status().active.why]))
    """
    assert world.json(code) == ["1.0", "1.0", ["1.0"], 1, "require('alpha==1.0'); require('old')"]


REFUSED = """
    try:
        {code}
    except li.errors.ActivationError as error:
        print(json.dumps([type(error).__name__, error.name, str(error), error.chains]))
"""


def refused(world, code):
    return world.json(REFUSED.format(code=code.replace("; ", "\n        ")))


def test_a_conflict_is_refused_with_the_chain_of_who_required_what(world):
    kind, name, told, chains = refused(world, "li.require('both')")
    assert (kind, name) == ("ActivationError", "alpha")
    assert chains == [
        ["both was requested", "both 1.0 requires old", "old 1.0 requires alpha<2"],
        ["both was requested", "both 1.0 requires needs-new", "needs-new 1.0 requires alpha>=2"],
    ]
    assert "Nothing was activated." in told and 'run --with "both"' in told


def test_what_is_loaded_in_another_version_is_not_replaced(world):
    kind, name, told, _ = refused(world, "import alpha; li.require('alpha<2')")
    assert (kind, name) == ("AlreadyLoadedError", "alpha") and "alpha 2.0" in told and "run --with" in told
    kind, name, told, chains = refused(world, "import alpha; li.require('deep')")
    assert kind == "AlreadyLoadedError" and chains[0][-1] == "old 1.0 requires alpha<2" and "deep" in told
    code = "li.require('alpha<2,!=1.5'); import alpha; sys.path.insert(0, 'x'); li.require('alpha!=1.0')"
    assert refused(world, code)[0] == "ActivationError"


def test_calls_of_several_threads_add_up(world):
    code = """
        import threading, time
        from liveinstall._sidebyside import require
        activate = require.apply
        def slow(*args):
            time.sleep(0.3)
            return activate(*args)
        require.apply = slow
        calls = [threading.Thread(target=li.require, args=(text,)) for text in ("alpha<2", "far")]
        [call.start() for call in calls]
        [call.join() for call in calls]
        import alpha, far
        print(json.dumps([alpha.V, far.V]))
    """
    world.run("li.install('far', parallel=True)")
    assert world.json(code) == ["1.5", "far"]
    forget = world.site / ".liveinstall/store/far-1.0-py3-none-any"
    shutil.rmtree(forget)


def test_calls_that_contradict_each_other_are_refused(world):
    for one, other in (("alpha<2", "alpha>=2"), ("alpha>=2,<3", "alpha<2"), ("deep", "alpha>=2"), ("alpha<2", "top")):
        kind, name, _, chains = refused(world, f"li.require('{one}'); li.require('{other}')")
        assert (kind, name) == ("ActivationError", "alpha") and len(chains) == 2, (one, other)
    code = "li.require('alpha<2'); li.require('alpha<1.5'); import alpha; print(json.dumps(alpha.V))"
    assert world.json(code) == "1.0"


def test_what_something_loaded_requires_is_not_taken_from_it(world):
    kind, name, told, _ = refused(world, "import top; sys.modules.pop('alpha'); li.require('alpha<2')")
    assert (kind, name) == ("ActivationError", "alpha") and "top 1.0 requires alpha>=2, which is imported" in told


def test_a_share_of_a_namespace_that_is_loaded_is_not_replaced(world):
    for version in ("1.0", "2.0"):
        world.wheel("share", version, {"shared_by_many/x.py": f"V = {version!r}\n"})
    world.run("[li.install(f'share=={v}', parallel=True) for v in ('1.0', '2.0')]")
    code = "li.require('share<2'); import shared_by_many.x; li.require('share', 'share!=1.0')"
    assert refused(world, code)[0] in ("ActivationError", "AlreadyLoadedError")
    code = "sys.path.insert(0, li.require('share<2').distributions[0].place); import shared_by_many.x"
    assert world.json(code + "\nprint(json.dumps(shared_by_many.x.V))") == "1.0"


def test_a_module_that_only_the_active_version_has_is_not_left_behind(world):
    world.wheel("part", "2.0", {"parts_of_many/old.py": ""})
    world.wheel("part", "1.0", {"parts_of_many/new.py": ""})
    world.run("[li.install(f'part=={v}', parallel=True) for v in ('1.0', '2.0')]")
    code = "li.require('part'); import parts_of_many.old; li.require('part<2')"
    assert refused(world, code)[0] == "AlreadyLoadedError"


def test_a_missing_version_is_reported_with_the_available_ones(world):
    kind, name, told, _ = refused(world, "li.require('alpha>9')")
    assert (kind, name) == ("NotStoredError", "alpha") and "2.0 (default), 1.5, 1.0, 3.0rc1" in told
    assert refused(world, "li.require('nowhere')")[0] == "NotStoredError"


def test_an_unknown_option_is_refused_even_if_nothing_is_fetched(world):
    code = """
        for options in ({"nonsense": 1}, {"user": True}):
            try:
                li.require("top", **options)
            except li.errors.RequirementError as error:
                print(json.dumps(True) if options == {"user": True} else "", end="")
    """
    assert world.json(code) is True


@pytest.mark.parametrize("text", ["", "'https://x/y.whl'", "'./x.whl'", "'not a requirement!'"])
def test_a_requirement_without_a_name_is_refused(world, text):
    code = f"""
        try:
            li.require({text})
        except li.errors.RequirementError as error:
            print(json.dumps("ok"))
    """
    assert world.json(code) == "ok"


def test_what_is_missing_is_fetched_on_request_with_its_extras(world):
    assert refused(world, "li.require('far[more]')")[0] == "NotStoredError"
    code = """
        a = li.require("far[more]", install=True, quiet=True)
        import far, extra_thing
        print(json.dumps([far.V, sorted(d.name for d in a.distributions)]))
    """
    assert world.json(code) == ["far", ["extra-thing", "far"]]
    assert "far" not in world.versions()


def test_versions_tells_default_stored_pending_and_active(world):
    code = """
        v = li.versions("Alpha")
        first = [v.name, v.default, v.stored, v.pending, v.active]
        li.require("alpha<2")
        print(json.dumps([first, li.versions("alpha").active, li.versions("nowhere").stored, str(v)]))
    """
    first, active, nowhere, shown = world.json(code)
    assert first == ["alpha", "2.0", ["1.5", "1.0", "3.0rc1"], "", "2.0"]
    assert active == "1.5" and nowhere == [] and "1.5" in shown


MAIN = """
__requires__ = ["alpha<2"]
import liveinstall.auto
import multiprocessing, alpha

def look(queue):
    import alpha
    queue.put(alpha.V)

if __name__ == "__main__":
    found = [alpha.V]
    for kind in ("spawn", "forkserver"):
        context = multiprocessing.get_context(kind)
        queue = context.Queue()
        child = context.Process(target=look, args=(queue,))
        child.start()
        found.append(queue.get(timeout=50))
        child.join()
    print(found)
"""


def run_script(world, tmp_path, text, **more):
    script = tmp_path / "main.py"
    script.write_text(text)
    command = [world.python, script]
    return subprocess.run(command, env=world.variables(**more), capture_output=True, text=True, timeout=100)


@has_forkserver
def test_a_main_program_says_what_it_requires_and_its_spawned_children_see_it_too(world, tmp_path):
    done = run_script(world, tmp_path, MAIN)
    assert done.stdout == "['1.5', '1.5', '1.5']\n", done.stderr


SPAWN = """
import liveinstall
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

if __name__ == "__main__":
    liveinstall.require("alpha<2")  # a child that imports this again does not do so
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        print(pool.submit(eval, "__import__('alpha').V").result())
"""


def test_children_that_do_not_require_by_themselves_see_what_their_parent_sees(world, tmp_path):
    done = run_script(world, tmp_path, SPAWN)
    assert done.stdout == "1.5\n", done.stderr


def test_other_children_see_it_where_starts_look_for_a_registry(world):
    code = """
        import subprocess
        li.require("alpha<2")
        child = [sys.executable, "-c", "import alpha; print(alpha.V)"]
        print(json.dumps(subprocess.check_output(child, text=True).strip()))
    """
    assert world.json(code) == "2.0"
    imports = "from liveinstall._sidebyside.registry import files as registries"
    enable = imports + "; registries.enable(li.status().target.site, on={})"
    world.run(enable.format(True))
    try:
        assert world.json(code) == "1.5"
    finally:
        world.run(enable.format(False))


def test_a_main_program_without_requirements_is_an_error(world, tmp_path):
    done = run_script(world, tmp_path, "import liveinstall.auto")
    assert done.returncode == 1 and "no __requires__" in done.stderr
