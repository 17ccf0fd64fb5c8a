"""Files that several distributions contain, through the verbs: install, upgrade, uninstall, undo, cancel, restart."""

from __future__ import annotations

import json
import shutil

import pytest
from helpers.environments import tree

INIT = '__path__ = __import__("pkgutil").extend_path(__path__, __name__)\n'


def state(env):
    return {path: digest for path, digest in tree(env.root).items() if not path.startswith(("wheels", "libraries"))}


def kept(env):
    root = env.site / ".liveinstall" / "replaced"
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def pair(env, **more):
    """Two distributions with a different `both.py`."""
    env.wheel("alpha", "1.0", {"both.py": "V = 'alpha'\n", "alpha.py": "", **more})
    env.wheel("beta", "1.0", {"both.py": "V = 'beta!'\n", "beta.py": "", **more})


def test_the_last_one_has_the_file_and_the_result_says_so(env):
    pair(env)
    told = env.json("""
        li.install("alpha")
        done = li.install("beta")
        (one,) = done.overlaps
        print(json.dumps([os.path.basename(one.path), one.owner, one.others, one.kept, one.before, str(done)]))
    """)
    assert told[:5] == ["both.py", "beta", ["alpha"], ["alpha"], "alpha"]
    assert "both.py is beta's, it was alpha's; the file of alpha is kept." in told[5]
    assert (env.site / "both.py").read_text() == "V = 'beta!'\n"
    assert kept(env) == ["alpha-1.0.part/both.py"]


@pytest.mark.parametrize("back", ["li.uninstall('beta')", "li.undo()", "li.install('beta==2.0')"])
def test_the_replaced_file_comes_back(env, back):
    pair(env)
    env.wheel("beta", "2.0", {"beta.py": ""})
    env.run("li.install('alpha')")
    before = (env.site / "both.py").read_bytes()
    env.run("li.install('beta==1.0')")
    after = state(env)
    done = env.run(f"done = {back}; print([each.owner for each in done.overlaps])")
    assert done.stdout == "['alpha']\n", done.stderr
    assert (env.site / "both.py").read_bytes() == before and kept(env) == []
    assert env.run("li.undo()").stderr == ""
    assert state(env) == after and kept(env) == ["alpha-1.0.part/both.py"]


def test_removing_the_loser_first_leaves_the_file_and_can_be_undone_to_the_same_order(env):
    pair(env)
    env.run("li.install('alpha'); li.install('beta')")
    both = state(env)
    env.run("li.uninstall('alpha')")
    assert (env.site / "both.py").read_text() == "V = 'beta!'\n" and kept(env) == []
    assert env.run("li.undo()").stderr == ""
    assert state(env) == both and kept(env) == ["alpha-1.0.part/both.py"]
    env.run("li.uninstall('alpha', 'beta')")
    assert not (env.site / "both.py").exists() and kept(env) == []
    assert env.run("li.undo()").stderr == ""
    assert state(env) == both and kept(env) == ["alpha-1.0.part/both.py"]


def test_an_upgrade_of_the_loser_takes_the_path_and_its_undo_gives_it_back(env):
    pair(env)
    env.run("li.install('alpha'); li.install('beta')")
    both = state(env)
    env.wheel("alpha", "2.0", {"both.py": "V = 'alpha 2'\n"})
    env.run("li.install('alpha==2.0')")
    assert (env.site / "both.py").read_text() == "V = 'alpha 2'\n" and kept(env) == ["beta-1.0.part/both.py"]
    assert env.run("li.undo()").stderr == ""
    assert state(env) == both and kept(env) == ["alpha-1.0.part/both.py"]


def test_what_shares_the_same_content_is_installed_and_stays_as_long_as_one_names_it(env):
    for name in "abc":
        env.wheel(f"ns-{name}", "1", {"ns/__init__.py": INIT, f"ns/{name}.py": ""})
    done = env.run("""
        done = li.install("ns-a", "ns-b"); print(done.overlaps)
        import ns, ns.a
        print(li.install("ns-c").staged, li.list()[0].name)
        import ns.c
    """)
    assert done.stdout == "()\n() ns-a\n", done.stderr
    for gone in ("ns-b", "ns-a"):
        env.run(f"li.uninstall({gone!r})")
        assert env.bare("import ns.c").returncode == 0
    env.run("li.uninstall('ns-c')")
    assert not (env.site / "ns").exists() and kept(env) == []
    env.run("li.undo(); li.undo(li.history()[2].transaction)")
    assert env.bare("import ns.c").returncode == 0


def test_three_owners_give_it_back_one_after_the_other(env):
    for name in "abc":
        env.wheel(name, "1.0", {"x.py": f"V = {name!r}\n"})
    env.run("li.install('a'); li.install('b'); li.install('c')")
    assert kept(env) == ["a-1.0.part/x.py", "b-1.0.part/x.py"]
    for gone, left in (("c", "b"), ("b", "a")):
        env.run(f"li.uninstall({gone!r})")
        assert (env.site / "x.py").read_text() == f"V = {left!r}\n"
    env.run("li.undo(to=li.history()[2].transaction)")
    assert (env.site / "x.py").read_text() == "V = 'c'\n"


def test_in_one_request_what_needs_the_other_is_last_and_else_what_was_asked_for_last(env):
    env.wheel("base", "1.0", {"x.py": "V = 'base'\n"})
    env.wheel("aa-top", "1.0", {"x.py": "V = 'top'\n"}, requires=("base",))
    env.run("li.install('aa-top', 'base')")
    assert (env.site / "x.py").read_text() == "V = 'top'\n"
    env.wheel("one", "1.0", {"y.py": "V = 1\n"})
    env.wheel("two", "1.0", {"y.py": "V = 2\n"})
    env.run("li.install('two', 'one')")
    assert (env.site / "y.py").read_text() == "V = 1\n"
    env.run("li.uninstall('one')")
    assert (env.site / "y.py").read_text() == "V = 2\n"
    env.run("li.uninstall('two')")
    engine = "E = fake_engine.FakeEngine; resolve = E.resolve; E.resolve = lambda *a, **b: resolve(*a, **b)[::-1]"
    env.run(f"{engine}; li.install('two', 'one')")  # in any order of the engine
    assert (env.site / "y.py").read_text() == "V = 1\n"


def test_a_loaded_distribution_that_loses_a_file_makes_all_changes_pending_together(env):
    pair(env)
    told = env.json("""
        li.install("alpha")
        import alpha
        done = li.install("beta")
        waits = [c.reason for c in done.staged]
        import both
        print(json.dumps([both.V, waits, [c.name for c in li.pending()[0].changes], done.overlaps[0].owner]))
    """)
    assert told == ["alpha", ["it shares files with alpha: alpha is imported here"], ["beta"], "beta"]
    assert env.bare("import both, beta; print(both.V)").stdout == "beta!\n"
    told = env.json("""
        import beta, alpha
        waits = [c.reason for c in li.uninstall("beta").staged]
        li.cancel()
        print(json.dumps([waits, os.path.exists(beta.__file__)]))
    """)
    assert told == [["beta is imported here"], True]
    done = env.json("import alpha; print(json.dumps([c.reason for c in li.uninstall('beta').staged]))")
    assert done == ["it shares files with alpha: alpha is imported here"]
    assert env.bare("import both; print(both.V)").stdout == "alpha\n"


def test_when_now_is_refused_before_anything_changes(env):
    pair(env)
    done = env.run("""
        li.install("alpha")
        import alpha
        try: li.install("beta", when="now")
        except li.errors.RestartRequiredError as error: print(error.reasons)
    """)
    assert "alpha is imported here" in done.stdout, done.stderr
    assert env.versions() == {"alpha": "1.0"} and env.leftovers() == []


@pytest.mark.parametrize("content", ["C = 2\n", "C = 1\n"])
def test_code_that_moves_to_a_new_distribution_is_pending_with_the_old_one(env, content):
    env.wheel("split", "1", {"split/__init__.py": "", "split/core.py": "C = 1\n"})
    env.wheel("split", "2", {"split/__init__.py": ""}, requires=("split_core",))
    env.wheel("split_core", "1", {"split/core.py": content})
    told = env.json("""
        li.install("split==1")
        import split
        done = li.install("split==2")
        import split.core
        print(json.dumps([split.core.C, sorted(c.name for c in done.staged), len(li.pending()), len(done.overlaps)]))
    """)
    assert told == [1, ["split", "split-core"], 1, 0]
    assert env.bare("import split.core; print(split.core.C)").stdout == content[4:]
    assert env.versions() == {"split": "2", "split_core": "1"} and kept(env) == []
    env.run("li.undo()")
    assert env.bare("import split.core; print(split.core.C)").stdout == "1\n"


def test_an_unowned_file_is_refused_unless_it_is_the_same_and_then_it_stays(env):
    pair(env)
    (env.site / "both.py").write_text("mine")
    before = tree(env.root)
    done = env.run("""
        try: li.install("alpha")
        except li.errors.FileConflictError as error: print(os.path.basename(error.path), repr(error.owner))
    """)
    assert done.stdout == "both.py ''\n", done.stderr
    assert tree(env.root) == before
    (env.site / "both.py").write_text("V = 'alpha'\n")
    env.run("li.install('alpha')")
    assert env.versions() == {"alpha": "1.0"}
    env.run("li.uninstall('alpha')")
    assert (env.site / "both.py").read_text() == "V = 'alpha'\n" and not (env.site / "alpha.py").exists()


def test_a_host_may_refuse_every_overlap(env):
    pair(env)
    env.wheel("same", "1.0", {"both.py": "V = 'alpha'\n"})
    env.run("li.install('alpha')")
    before = tree(env.root)
    for name in ("beta", "same"):
        for verb in ("install", "ensure"):
            done = env.run(f"""
                try: li.{verb}({name!r}, overlap="refuse")
                except li.errors.FileConflictError as error: print(os.path.basename(error.path), error.owner)
            """)
            assert done.stdout == "both.py alpha\n", done.stderr
    assert tree(env.root) == before
    done = env.run("""
        try: li.install("beta", overlap="maybe")
        except li.errors.RequirementError as error: print(error)
    """)
    assert "allow or refuse" in done.stdout


def test_scripts_and_data_files_follow_the_same_rules(env):
    for name in ("alpha", "beta"):
        env.wheel(
            name,
            "1.0",
            {f"{name}.py": "run = print\n", f"{name}-1.0.data/data/share/x.txt": name},
            scripts={"tool": f"{name}:run"},
        )
    env.run("li.install('alpha')")
    first = state(env)
    told = env.json("print(json.dumps([os.path.basename(each.path) for each in li.install('beta').overlaps]))")
    tool = env.script("tool").name
    assert sorted(told) == [tool, "x.txt"]
    assert (env.root / "share/x.txt").read_text() == "beta" and "beta" in env.script_text("tool")
    assert f"alpha-1.0.part/alpha-1.0.data/scripts/{tool}" in kept(env)
    env.run("li.uninstall('beta')")
    assert state(env) == first and kept(env) == []


def test_a_file_where_another_one_has_a_directory_is_refused_by_name(env):
    env.wheel("alpha", "1.0", {"thing/x.py": ""})
    env.wheel("beta", "1.0", {"thing": ""})
    env.wheel("gamma", "1.0", {"other": ""})
    env.wheel("delta", "1.0", {"other/y.py": ""})
    before = tree(env.root)
    for first, second, where in (("alpha", "beta", "thing"), ("gamma", "delta", "other")):
        done = env.run(f"""
            li.install({first!r})
            try: li.install({second!r})
            except li.errors.FileConflictError as error: print(os.path.basename(error.path))
            li.uninstall({first!r})
        """)
        assert done.stdout == f"{where}\n", done.stderr
    assert tree(env.root) == before


def as_pip_does(env, name, files):
    """Install a distribution as pip would, over existing files."""
    wheel = env.wheel(name, "1.0", files)
    shutil.unpack_archive(str(wheel), str(env.site), "zip")
    wheel.unlink()


def test_what_pip_has_installed_both_of_stays_and_comes_back(env):
    as_pip_does(env, "ns-a", {"ns/__init__.py": INIT, "ns/a.py": ""})
    as_pip_does(env, "ns-b", {"ns/__init__.py": INIT, "ns/b.py": ""})
    before = state(env)
    env.run("li.uninstall('ns-a')")
    assert env.bare("import ns.b").returncode == 0 and not (env.site / "ns/a.py").exists()
    env.run("li.uninstall('ns-b')")
    assert not (env.site / "ns").exists()
    env.run("li.undo(to=li.history()[1].transaction); li.undo(li.history()[2].transaction)")
    assert state(env) == before


def test_a_removal_by_pip_is_reported_and_the_kept_file_is_not_lost(env):
    pair(env)
    env.run("li.install('alpha'); li.install('beta')")
    for path in ("both.py", "beta.py", "beta-1.0.dist-info"):
        target = env.site / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    told = env.json("print(json.dumps([f.kind for f in li.check().damaged]))")
    assert told == ["missing"]
    assert env.run("print(li.repair('alpha')[0].outcome)").stdout == "repaired\n"
    assert (env.site / "both.py").read_text() == "V = 'alpha'\n"
    assert env.run("li.uninstall('alpha')").stderr == ""
    assert not (env.site / "both.py").exists()


def test_pending_changes_are_planned_again_if_an_immediate_one_has_the_same_file(env):
    pair(env)
    env.wheel("gamma", "1.0", {"both.py": "V = 'alpha'\n"})
    told = env.json("""
        li.install("alpha", when="restart")
        print(json.dumps([bool(li.install("gamma").installed), [c.name for c in li.install("beta").staged]]))
    """)
    assert told == [True, ["beta"]]  # it has another file than alpha, and is pending
    assert (env.site / "both.py").read_text() == "V = 'alpha'\n"
    assert env.bare("import both; print(both.V)").stdout == "beta!\n"
    assert kept(env) == ["alpha-1.0.part/both.py", "gamma-1.0.part/both.py"]
    env.run("li.undo()")
    assert (env.site / "both.py").read_text() == "V = 'alpha'\n" and kept(env) == []


def test_check_list_and_doctor_know_whose_a_file_is_and_repair_gives_it_back(env):
    pair(env)
    told = env.json("""
        li.install("alpha"); li.install("beta")
        alpha, beta = li.list()
        print(json.dumps([
            li.check().ok, [each.owner for each in li.check().overlaps], str(li.check()), len(li.doctor()),
            [(each.owner, each.others, each.kept) for each in alpha.overlaps], alpha.overlaps == beta.overlaps,
            [(each.kind, each.what, each.mend) for each in li.doctor("alpha")], len(li.doctor("beta")),
            len(li.repair()),
        ]))
    """)
    assert told[:2] == [True, ["beta"]] and "both.py is beta's; the file of alpha is kept." in told[2]
    assert told[3:6] == [0, [["beta", ["alpha"], ["alpha"]]], True]
    assert told[6:] == [[["replaced", "both.py is beta's", "restore the files of alpha"]], 0, 0]
    shutil.rmtree(env.wheels)  # from this disk
    before = state(env)
    assert env.run("print(li.repair('alpha', dry_run=True)[0].kind)").stdout == "replaced\n"
    assert state(env) == before
    done = env.run("print(li.repair('alpha')[0].outcome)")
    assert done.stdout == "repaired\n", done.stderr
    assert (env.site / "both.py").read_text() == "V = 'alpha'\n" and kept(env) == ["beta-1.0.part/both.py"]
    assert env.run("print(li.repair('beta')[0].outcome, li.check().ok)").stdout == "repaired True\n"
    assert state(env) == before


def test_an_edited_file_is_still_reported_as_changed(env):
    pair(env)
    env.run("li.install('alpha'); li.install('beta')")
    (env.site / "both.py").write_text("V = 'somebody else'\n")
    told = env.json("print(json.dumps(sorted((each.kind, each.name) for each in li.doctor())))")
    assert told == [["changed", "alpha"], ["changed", "beta"]]


def test_what_another_tool_has_upgraded_leaves_nothing_behind(env):
    pair(env)
    env.run("li.install('alpha'); li.install('beta')")
    (env.site / "alpha-1.0.dist-info").rename(env.site / "alpha-1.1.dist-info")
    metadata = env.site / "alpha-1.1.dist-info/METADATA"
    metadata.write_text(metadata.read_text().replace("1.0", "1.1"))
    env.wheel("other", "1.0", {"other.py": ""})
    env.run("li.install('other')")
    assert kept(env) == []


def test_finalize_waits_for_processes_that_would_lose_a_file(env):
    pair(env)
    done = env.run("""
        li.install("alpha")
        import alpha
        li.install("beta")
        print(li.finalize().staged[0].reason)
    """)
    assert done.stdout == "alpha is imported here\n", done.stderr


def test_a_process_that_uses_the_one_that_loses_a_file_is_waited_for(env):
    pair(env)
    env.run("li.install('alpha')")
    holder = env.start("import alpha; li.hold(); print('held', flush=True); input()")
    assert holder.stdout.readline() == "held\n"
    done = env.run("print([c.reason for c in li.install('beta').staged])")
    assert f"it shares files with alpha: another Python (pid {holder.pid}" in done.stdout, done.stderr
    assert env.bare("import both; print(both.V)").stdout == "beta!\n"  # from the part
    assert (env.site / "both.py").read_text() == "V = 'alpha'\n"
    holder.communicate("\n")
    assert env.bare("pass").returncode == 0
    assert (env.site / "both.py").read_text() == "V = 'beta!'\n"


def test_a_plan_names_the_files_of_wheels_that_are_here_and_what_would_wait(env):
    pair(env)
    told = env.json("""
        li.install("alpha")
        import alpha
        plan = li.plan("beta")
        dry = li.install("beta", dry_run=True)
        print(json.dumps([[(os.path.basename(o.path), o.owner, o.others) for o in each.overlaps]
            for each in (plan, dry)] + [[c.reason for c in plan.waiting], str(plan)]))
    """)
    assert told[0] == told[1] == [["both.py", "beta", ["alpha"]]]
    assert told[2] == ["it shares files with alpha: alpha is imported here"] and "both.py is beta's" in told[3]
    told = env.json("""
        li.install("beta")
        done = li.uninstall("beta", dry_run=True)
        print(json.dumps([(o.owner, o.before) for o in done.overlaps]))
    """)
    assert told == [["alpha", "beta"]] and env.versions() == {"alpha": "1.0", "beta": "1.0"}


def test_the_command_line_says_whose_files_are_whose(env):
    pair(env)

    def run(*words):
        done = env.run(f"from liveinstall._frontends.cli.main import main; sys.exit(main({list(words)!r}))")
        return done.returncode, done.stdout, done.stderr

    assert run("install", "alpha")[0] == 0
    status, out, err = run("install", "beta", "--overlap", "refuse")
    assert status == 1 and "both.py" in out + err and "alpha" in out + err
    status, out, _ = run("install", "beta", "--json")
    assert (
        json.loads(out)["result"]["overlaps"][0]["owner"] == "beta"
        if "result" in json.loads(out)
        else "overlaps" in out
    )
    assert "both.py is beta's; the file of alpha is kept" in run("list")[1]
    assert run("check")[0] == 0
    status, out, _ = run("doctor", "alpha")
    assert "replaced: alpha: both.py is beta's." in out and status == 0  # nothing is wrong


def test_a_cancelled_overlap_leaves_everything_as_it_was(env):
    pair(env)
    env.run("li.install('alpha')")
    before = tree(env.root)
    env.run("li.install('beta', when='restart'); li.cancel()")
    assert tree(env.root) == before
    assert json.loads(env.run("print(json.dumps([f.kind for f in li.doctor()]))").stdout) == []


def test_verify_tries_the_environment_with_the_files_as_they_will_be(env):
    env.wheel("alpha", "1.0", {"both.py": "V = 'alpha'\n"})
    env.wheel("beta", "1.0", {"both.py": "raise RuntimeError('beta is broken')\n"})
    done = env.run("""
        li.install("alpha", verify=True)
        try: li.install("beta", verify=True)
        except li.errors.VerificationError as error: print("beta is broken" in str(error))
    """)
    assert done.stdout == "True\n", done.stderr
    assert env.versions() == {"alpha": "1.0"} and kept(env) == []


@pytest.mark.parametrize("where", ["ns/x.py", "b-1.0.data/purelib/ns/x.py", "b-1.0.data/data/{site}/ns/x.py"])
def test_two_new_distributions_share_a_file_in_a_new_directory(env, where):
    where = where.format(site=env.site.relative_to(env.root).as_posix())
    env.wheel("a", "1.0", {"ns/x.py": "V = 'a'\n", "a.py": ""})
    env.wheel("b", "1.0", {where: "V = 'b!'\n", "b.py": ""}, requires=["a"])
    told = env.json("""
        done = li.install("b")
        print(json.dumps([[os.path.basename(each.path), each.owner, each.others] for each in done.overlaps]))
    """)
    assert told == [["x.py", "b", ["a"]]]
    assert (env.site / "ns" / "x.py").read_text() == "V = 'b!'\n" and kept(env) == ["a-1.0.part/ns/x.py"]


def test_a_new_distribution_for_an_existing_directory_takes_no_file_of_nobody(env):
    (env.site / "ns").mkdir()
    (env.site / "ns" / "x.py").write_text("mine")
    env.wheel("a", "1.0", {"ns/x.py": "V = 'a'\n", "ns/y.py": ""})
    env.wheel("b", "1.0", {"other/x.py": ""})
    done = env.run("""
        try:
            from liveinstall.errors import FileConflictError
            li.install("a", "b")
        except FileConflictError as error:
            print(os.path.basename(error.path))
    """)
    assert done.stdout == "x.py\n", done.stderr
    assert (env.site / "ns" / "x.py").read_text() == "mine" and not (env.site / "other").exists()
