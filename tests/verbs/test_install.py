"""install() in real processes of a venv, with a fake engine: new distributions now, loaded ones at the restart."""

from __future__ import annotations

import os
import shutil

import pytest
from helpers.capabilities import has_exec

SHOW = """
def show(r):
    print(json.dumps({
        "installed": [[c.name, c.old_version, c.new_version] for c in r.installed],
        "staged": [[c.name, c.old_version, c.new_version] for c in r.staged],
        "unchanged": [c.name for c in r.unchanged],
        "reasons": {c.name: c.reason for c in (*r.installed, *r.staged)},
        "transaction": r.transaction, "restart": r.restart_required, "notes": list(r.notes),
    }))
"""


def test_a_change_stays_pending_when_a_process_that_runs_from_its_part_installs(env):
    for name in ("alpha", "beta"):
        for version in ("1.0", "2.0", "3.0"):
            env.wheel(name, version)
    env.wheel("gamma", "1.0", requires=("alpha>=2",))
    env.json("li.install('alpha==1.0', 'beta==1.0'); print('{}')")
    with env.start("import alpha, beta\nli.install('alpha==2.0')\nprint(1, flush=True)\ninput()") as holder:
        assert holder.stdout.readline() == "1\n"
        done = env.json(
            "import alpha\nassert alpha.__version__ == '2.0'\nr = [li.install('beta==2.0'), li.install('gamma')]\n"
            "r += [li.install('alpha==3.0')]\n"
            "print(json.dumps([[[c.name for c in x.installed], [str(c) for c in x.staged]] for x in r]"
            " + [sorted(str(c) for p in li.pending() for c in p.changes)]))"
        )
        beta, gamma, alpha = "beta 1.0 -> 2.0", "gamma 1.0", "alpha 1.0 -> 3.0"
        assert done == [[[], [beta]], [[], [gamma]], [[], [alpha]], [alpha, beta, gamma]]
        holder.communicate("\n")
    assert env.run("import alpha, beta, gamma; print(alpha.__version__, beta.__version__)").stdout == "3.0 2.0\n"


def test_a_fresh_package_is_importable_on_the_next_line(env):
    env.wheel("alpha", "1.0", requires=("beta",))
    env.wheel("beta", "2.0", scripts={"beta-run": "beta:run"})
    seen = env.json("""
        before = set(os.listdir(os.path.dirname(sys.executable)))
        r = li.install("alpha")
        import alpha, beta, importlib.metadata as m
        print(json.dumps([alpha.__version__, beta.__version__, m.version("alpha"), r.changed, r.restart_required,
            [e.name for e in m.entry_points(group="console_scripts")]]))
    """)
    assert seen == ["1.0", "2.0", "1.0", True, False, ["beta-run"]]
    assert env.leftovers() == []
    assert os.access(env.script("beta-run"), os.X_OK)
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "1.0\n"


def test_an_upgrade_of_a_loaded_distribution_is_pending_until_the_next_start(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    seen = env.json(
        SHOW
        + """
import alpha
r = li.install("alpha", upgrade=True)
import alpha.late, subprocess
assert alpha.late.V == alpha.__version__ == "1.0"
child = subprocess.run([sys.executable, "-c", "import alpha; print(alpha.__version__)"], capture_output=True, text=True)
assert child.stdout == "1.0\\n" and child.stderr == "", child
show(r)
"""
    )
    assert seen["staged"] == [["alpha", "1.0", "2.0"]] and seen["installed"] == []
    assert seen["reasons"]["alpha"] == "alpha is imported here"
    assert env.versions() == {"alpha": "1.0"}
    assert sorted(env.leftovers()) == ["alpha-2.0.part", "alpha-2.0.part.pth"]
    after = env.bare("import alpha, alpha.late; print(alpha.__version__, alpha.late.V)")
    assert (after.stdout, after.stderr) == ("2.0 2.0\n", "")
    assert env.leftovers() == [] and env.versions() == {"alpha": "2.0"}


def test_an_upgrade_of_an_unused_distribution_is_applied_now(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0", {"alpha/__init__.py": "__version__ = '2.0'\n"})
    seen = env.json(SHOW + "show(li.install('alpha>=2'))")
    assert seen["installed"] == [["alpha", "1.0", "2.0"]]
    assert not (env.site / "alpha" / "late.py").exists()


def test_a_new_package_that_depends_on_a_pending_one_is_pending_with_it(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    env.wheel("gamma", "1.0", requires=("alpha>=2", "delta"))
    env.wheel("delta", "1.0")
    seen = env.json(
        SHOW
        + """
import alpha
r = li.install("gamma")
import delta
try: import gamma
except ImportError as error: assert "staged" in str(error) and "estart" in str(error), error
else: raise SystemExit("gamma came in")
import importlib.util
assert importlib.util.find_spec("gamma") is None
show(r)
"""
    )
    assert sorted(name for name, *_ in seen["staged"]) == ["alpha", "gamma"]
    assert [name for name, *_ in seen["installed"]] == ["delta"]
    assert seen["reasons"]["gamma"] == "it depends on alpha 2.0, which is pending"
    assert env.bare("import alpha, gamma; print(alpha.__version__)").stdout == "2.0\n"


def test_several_requests_in_one_session_end_as_one_transaction(env):
    for name in ("alpha", "beta"):
        env.wheel(name, "1.0")
    env.run("li.install('alpha', 'beta')")
    for name in ("alpha", "beta"):
        env.wheel(name, "2.0")
        env.wheel(name, "3.0")
    seen = env.json("""
        import alpha, beta
        a = li.install("alpha==2.0"); b = li.install("beta>=2"); c = li.install("alpha==3.0")
        waiting = li.pending()
        d = li.cancel("beta")
        print(json.dumps([len({a.transaction, b.transaction, c.transaction}), len(waiting),
            sorted(str(x) for x in waiting[0].changes), [str(x) for x in d],
            [str(x) for x in li.pending()[0].changes]]))
    """)
    assert seen == [1, 1, ["alpha 1.0 -> 3.0", "beta 1.0 -> 3.0"], ["beta 1.0 -> 3.0"], ["alpha 1.0 -> 3.0"]]
    assert env.bare("import alpha, beta; print(alpha.__version__, beta.__version__)").stdout == "3.0 1.0\n"
    assert env.leftovers() == []


def test_cancelling_a_dependency_cancels_what_needs_it_and_what_only_that_needed(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0", requires=("helper",))
    env.wheel("gamma", "1.0", requires=("alpha>=2",))
    env.wheel("helper", "1.0")
    seen = env.json("""
        import alpha
        li.install("gamma", when="restart")
        print(json.dumps([sorted(c.name for c in li.cancel("alpha")), len(li.pending())]))
    """)
    assert seen == [["alpha", "gamma", "helper"], 0]
    assert env.leftovers() == []


def test_going_back_to_the_installed_version_takes_the_staged_one_away(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    seen = env.json(
        SHOW + "import alpha\nli.install('alpha>=2')\nr = li.install('alpha==1.0')\nassert not li.pending()\nshow(r)"
    )
    assert seen["staged"] == [] and seen["unchanged"] == ["alpha"]
    assert env.leftovers() == []


def test_when_now_refuses_and_changes_nothing(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    done = env.run("""
        import alpha
        try: li.install("alpha>=2", when="now")
        except li.errors.RestartRequiredError as error: print(error.reasons["alpha"])
    """)
    assert done.stdout == "alpha is imported here\n"
    assert env.leftovers() == [] and env.versions() == {"alpha": "1.0"}


def test_when_restart_makes_everything_wait(env):
    env.wheel("alpha", "1.0")
    done = env.run("print(li.install('alpha', when='restart').staged[0].reason)")
    assert done.stdout == "deferred as requested\n"
    assert env.bare("import alpha").returncode == 0


def test_an_unrelated_interpreter_has_the_new_version_at_once_and_the_stager_keeps_the_old(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    stager = env.start("""
        import alpha
        li.install('alpha>=2')
        print('staged', flush=True); input()
        import alpha.late
        print(alpha.late.V)
    """)
    assert stager.stdout.readline() == "staged\n"
    look = (
        "import alpha, alpha.late, importlib.metadata as m; print(alpha.__version__, alpha.late.V, m.version('alpha'))"
    )
    for _ in range(2):
        other = env.bare(look)
        assert (other.stdout, other.stderr, other.returncode) == ("2.0 2.0 2.0\n", "", 0)
        assert env.versions() == {"alpha": "1.0"}
    assert stager.communicate("\n")[0] == "1.0\n"
    assert env.versions() == {"alpha": "1.0"}
    assert env.bare(look).stdout == "2.0 2.0 2.0\n"
    assert env.versions() == {"alpha": "2.0"} and env.leftovers() == []
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"


def test_a_child_that_outlives_its_stager_keeps_the_old_version_until_it_ends(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    child = "import alpha; print(alpha.__version__, flush=True); input(); import alpha.late; print(alpha.late.V)"
    stager = env.start(f"""
        import alpha, subprocess, time
        li.install("alpha>=2")
        subprocess.Popen([sys.executable, "-c", {child!r}])
        time.sleep(2)  # until the child has begun: one that starts after its parent has exited uses the newest version
    """)
    assert stager.stdout.readline() == "1.0\n"
    stager.wait()
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"
    assert env.versions() == {"alpha": "1.0"}
    out, err = stager.communicate("\n", timeout=60)
    assert (out, err) == ("1.0\n", "")
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"


@has_exec
def test_a_staging_process_that_replaces_itself_blocks_nothing(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    done = env.run("""
        import alpha
        li.install("alpha>=2")
        os.execv(sys.executable, [sys.executable, "-c", "import alpha; print(alpha.__version__)"])
    """)
    assert (done.stdout, done.stderr) == ("2.0\n", "")


def test_spawned_workers_see_what_their_parent_sees(env, tmp_path):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    script = tmp_path / "main.py"
    script.write_text("""
import fake_engine, liveinstall as li
def version(_):
    import alpha
    return alpha.__version__
if __name__ == "__main__":
    import alpha, concurrent.futures as f, multiprocessing as m
    li.install("alpha>=2")
    with f.ProcessPoolExecutor(1, mp_context=m.get_context("spawn")) as pool:
        print(list(pool.map(version, [0])))
""")
    import subprocess

    done = subprocess.run([env.python, script], env=env.variables(), capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("['1.0']\n", "")


def test_finalize_swaps_for_interpreters_that_never_ran_site(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha', when='restart')")
    done = env.run("print([str(c) for c in li.finalize().installed])", "-S")
    assert done.stdout == "['alpha 1.0']\n", done.stderr
    assert env.leftovers() == []


def test_finalize_leaves_what_is_loaded_and_says_so(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    done = env.run("import alpha; li.install('alpha>=2'); print(li.finalize().staged[0].reason)")
    assert done.stdout == "alpha is imported here\n"


def test_finalize_waits_for_other_holders_unless_forced(env):
    env.wheel("alpha", "1.0")
    stager = env.start("li.install('alpha', when='restart'); print('staged', flush=True); input()")
    stager.stdout.readline()
    done = env.run("r = li.finalize(); print(r.staged[0].reason); print(len(li.finalize(force=True).installed))")
    stager.kill()
    stager.communicate()
    assert done.stdout.startswith("used by another Python (pid ") and done.stdout.endswith("\n1\n")


def test_an_environment_that_someone_else_holds_is_not_changed_under_it(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    env.wheel("beta", "1.0")
    holder = env.start("li.install('beta'); print('up', flush=True); input(); import alpha; print(alpha.__version__)")
    holder.stdout.readline()
    now = env.run("print(li.install('alpha>=2').installed[0])")
    assert now.stdout == "alpha 1.0 -> 2.0\n"  # it holds the environment, and does not use alpha
    out, _ = holder.communicate("\n")
    assert out == "2.0\n"
    holder = env.start("li.hold(); import alpha; print('up', flush=True); input()")
    holder.stdout.readline()
    done = env.run("print(li.install('alpha<2').staged[0].reason)")
    holder.kill()
    holder.communicate()
    assert done.stdout.startswith(f"another Python (pid {holder.pid}: ") and done.stdout.endswith(") uses alpha\n")


def test_a_dry_run_and_a_plan_write_nothing(env):
    env.wheel("alpha", "1.0")
    seen = env.json("""
        r = li.install("alpha", dry_run=True); p = li.plan("alpha", when="restart")
        print(json.dumps([r.dry_run, [str(c) for c in r.installed], p.restart_required, str(p).splitlines()[0]]))
    """)
    assert seen == [True, ["alpha 1.0"], True, "Would be pending until the next start of Python:"]
    assert [path.name for path in env.site.iterdir()] == []


def test_what_will_run_at_every_start_is_shown_in_the_plan_and_in_the_result(env):
    env.wheel("alpha", "1.0", {"alpha.py": "", "alpha.pth": "import alpha\n", "sub/sitecustomize.py": ""})
    for call in ("plan", "install"):
        assert env.json(f"print(json.dumps(li.{call}('alpha').notes))") == [
            "alpha: alpha.pth runs at every start of Python"
        ]


def test_a_distribution_earlier_on_the_path_is_reported(env):
    env.wheel("alpha", "1.0", {"alpha.py": "V = 1\n"})
    assert env.run("li.install('alpha')").returncode == 0
    first = env.root / "first"
    first.mkdir()
    for path in env.site.glob("alpha*"):
        path.rename(first / path.name)
    shutil.rmtree(env.site / "__pycache__", ignore_errors=True)
    path = os.pathsep.join([str(first), env.variables()["PYTHONPATH"]])
    env.wheel("alpha", "2.0", {"alpha.py": "V = 2\n"})
    told = env.json("print(json.dumps(li.install('alpha>=2').notes))", PYTHONPATH=path)
    assert told == [f"alpha 1.0 in {first} comes first on sys.path, so it is still imported"]
    assert env.run("import alpha; print(alpha.V)", PYTHONPATH=path).stdout == "1\n"
    assert env.bare("import alpha; print(alpha.V)").stdout == "2\n"


def test_new_pth_paths_take_effect_at_once_and_after_a_staged_swap(env):
    env.wheel("alpha", "1.0", {"alpha_src/alpha.py": "V = 1\n", "alpha.pth": "alpha_src\n"})
    assert env.run("li.install('alpha'); import alpha; print(alpha.V)").stdout == "1\n"
    env.wheel("alpha", "2.0", {"alpha_two/alpha.py": "V = 2\n", "alpha_two.pth": "alpha_two\n"})
    assert env.run("import alpha; li.install('alpha>=2'); print(alpha.V)").stdout == "1\n"
    after = env.bare("import alpha; print(alpha.V)")
    assert (after.stdout, after.stderr) == ("2\n", "")


def test_what_a_bare_start_imports_is_swapped_before_its_own_pth_runs(env):
    pth = "import alpha_start\n"
    env.wheel("alpha_start", "1.0", {"alpha_start.py": "V = 1\n", "a_alpha.pth": pth})
    env.run("li.install('alpha_start')")
    env.wheel("alpha_start", "2.0", {"alpha_start.py": "V = 2\n", "a_alpha.pth": pth})
    done = env.run("r = li.install('alpha_start>=2'); print(len(r.staged))")
    assert done.stdout == "1\n", done.stderr
    assert (env.site / "!alpha_start-2.0.part.pth").exists()
    assert env.bare("import alpha_start; print(alpha_start.V)").stdout == "2\n"


def test_namespace_packages_stay_whole(env):
    env.wheel("ns-a", "1.0", {"ns/a.py": "V = 1\n"})
    env.wheel("ns-b", "1.0", {"ns/b.py": "V = 1\n"})
    env.run("li.install('ns-a', 'ns-b')")
    env.wheel("ns-a", "2.0", {"ns/a.py": "V = 2\n", "ns/extra.py": ""})
    env.run("import ns.a; li.install('ns-a>=2')")
    after = env.bare("import ns.a, ns.b, ns.extra; print(ns.a.V, ns.b.V)")
    assert (after.stdout, after.stderr) == ("2 1\n", "")


def test_foreign_files_survive_an_upgrade(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    (env.site / "alpha" / "user.cfg").write_text("mine")
    env.bare("import alpha.late")
    env.wheel("alpha", "2.0", {"alpha/__init__.py": "__version__ = '2.0'\n"})
    env.run("import alpha; li.install('alpha>=2')")
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"
    assert (env.site / "alpha" / "user.cfg").read_text() == "mine"
    assert not list(env.site.glob("alpha/late.py")) and not list(env.site.glob("alpha/__pycache__/late*"))


def test_a_package_that_becomes_a_module_and_back(env):
    env.wheel("alpha", "1.0")
    env.wheel("alpha", "2.0", {"alpha.py": "__version__ = '2.0'\n"})
    env.run("li.install('alpha==1.0'); import alpha; li.install('alpha==2.0')")
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"
    env.run("import alpha; li.install('alpha==1.0')")
    assert env.bare("import alpha.late; print(alpha.late.V)").stdout == "1.0\n"


def test_old_bytecode_never_outlives_its_source(env):
    env.wheel("alpha", "1.0", {"alpha.py": "V = 1\n"})
    env.run("li.install('alpha'); import alpha")
    env.wheel("alpha", "2.0", {"alpha/__init__.py": "V = 2\n"})
    env.run("import alpha; li.install('alpha>=2')")
    assert env.bare("import alpha; print(alpha.V)").stdout == "2\n"
    assert not list((env.site / "__pycache__").glob("alpha.*"))


def test_the_second_of_two_installs_at_once_waits_and_replans(env):
    for name in ("alpha", "beta"):
        env.wheel(name, "1.0", requires=("shared",))
    env.wheel("shared", "1.0")
    first, second = (env.start(f"li.install('{name}'); import {name}, shared") for name in ("alpha", "beta"))
    for process in (first, second):
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert env.versions() == {"alpha": "1.0", "beta": "1.0", "shared": "1.0"}


def test_a_lock_that_is_held_names_its_holder(env):
    env.wheel("alpha", "1.0")
    holder = env.start("""
        from liveinstall._system.lock import environment_lock
        from liveinstall._environment.target import find_target
        with environment_lock(find_target().site, who="somebody else"):
            print("locked", flush=True); input()
    """)
    assert holder.stdout.readline() == "locked\n"
    done = env.run("""
        try: li.install("alpha", timeout=0.2)
        except li.errors.LockTimeoutError as error: print(error.holder)
    """)
    holder.kill()
    holder.communicate()
    assert done.stdout == f"pid {holder.pid} (somebody else)\n", done.stderr


def test_liveinstall_can_replace_what_it_runs_on(env, tmp_path):
    """packaging comes from the environment itself here, so liveinstall has loaded it and the change must be pending."""
    own = tmp_path / "own"
    for directory in env.variables()["PYTHONPATH"].split(os.pathsep):
        shutil.copytree(directory, own, dirs_exist_ok=True)
    real = own / "packaging"
    files = {f"packaging/{p.relative_to(real)}": p.read_bytes() for p in real.rglob("*.py")}
    env.wheel("packaging", "90.0", files)
    env.wheel("packaging", "91.0", files)
    assert env.run("li.install('packaging==90.0')", PYTHONPATH=str(own)).returncode == 0
    shutil.rmtree(real)
    done = env.run("r = li.install('packaging==91.0'); print(r.staged[0].reason)", PYTHONPATH=str(own))
    assert done.stdout == "packaging is imported here\n", done.stderr
    assert env.bare("import packaging").returncode == 0
    assert env.versions() == {"packaging": "91.0"}


@pytest.mark.parametrize("flag", ["-I", "-E", "-s"])
def test_every_way_to_start_python_swaps(env, flag):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha', when='restart')")
    assert env.bare("import alpha; print(alpha.__version__)", flag).stdout == "1.0\n"
    assert env.leftovers() == []


def test_idle_means_that_no_file_of_ours_is_there_for_a_start_to_read(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha'); import alpha; li.install('alpha', reinstall=True)")
    env.bare("pass")
    audit = """
        import sys
    """
    assert env.leftovers() == [] and not list(env.site.glob("*.pth")), audit
