"""Undo in real processes of a venv: at once if no process is disturbed, otherwise at the next start."""

from __future__ import annotations

import json
import os
import sys

import pytest
from helpers.capabilities import can_symlink
from helpers.environments import record_row, tree

REFUSED = """
try: li.undo({arguments})
except li.errors.UndoError as error: print(json.dumps([type(error).__name__, error.what, error.todo]))
"""


@pytest.fixture
def upgraded(env):
    """alpha 1.0, and then 2.0 with a script, a data file and one module less; no process is running."""
    files = {"alpha/__init__.py": "__version__ = '1.0'\n", "alpha/late.py": "V = '1.0'\n"}
    files["alpha-1.0.data/data/share/alpha.txt"] = "one"
    env.wheel("alpha", "1.0", files, scripts={"alpha-run": "alpha:one"})
    env.run("li.install('alpha')")
    env.before = tree(env.root)
    files = {"alpha/__init__.py": "__version__ = '2.0'\n", "alpha-2.0.data/data/share/alpha.txt": "two"}
    env.wheel("alpha", "2.0", files, scripts={"alpha-run": "alpha:two", "alpha-new": "alpha:two"})
    env.run("li.install('alpha>=2')")
    (env.wheels / "alpha-1.0-py3-none-any.whl").unlink()  # it cannot come from there again
    del env.before["wheels/alpha-1.0-py3-none-any.whl"]
    env.before["wheels/alpha-2.0-py3-none-any.whl"] = tree(env.wheels)["alpha-2.0-py3-none-any.whl"]
    assert env.versions() == {"alpha": "2.0"}
    return env


def refusal(env, arguments=""):
    done = env.run(REFUSED.format(arguments=arguments))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_unused_upgrade_is_undone_at_once_byte_for_byte(upgraded):
    done = upgraded.run("r = li.undo(); import alpha.late; print(alpha.late.V, *map(str, r.installed))")
    assert (done.stdout, done.stderr) == ("1.0 alpha 2.0 -> 1.0\n", "")
    assert tree(upgraded.root) == upgraded.before
    assert upgraded.leftovers() == []


def test_an_undo_is_undone_like_anything_else(upgraded):
    after = tree(upgraded.root)
    for expected in (upgraded.before, after, upgraded.before, after):
        assert upgraded.run("li.undo()").stderr == ""
        assert tree(upgraded.root) == expected


def test_what_is_loaded_is_undone_at_the_next_start(upgraded):
    done = upgraded.run("""
        import alpha, subprocess
        r = li.undo()
        print(r.staged[0], r.staged[0].reason, r.restart_required)
        print(subprocess.run([sys.executable, "-c", "import alpha; print(alpha.__version__)"],
            capture_output=True, text=True).stdout, end="")
    """)
    assert done.stdout == "alpha 2.0 -> 1.0 alpha is imported here True\n2.0\n", done.stderr
    assert upgraded.bare("import alpha.late; print(alpha.late.V)").stdout == "1.0\n"
    assert tree(upgraded.root) == upgraded.before


def test_if_one_change_has_to_wait_all_wait_so_that_an_undo_is_one_transaction(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    env.wheel("beta", "1.0")
    env.run("li.install('alpha>=2', 'beta')")
    done = env.run("import alpha; r = li.undo(); print([f'{c}: {c.reason}' for c in r.staged], r.changed, r.removed)")
    assert done.stdout == (
        "['alpha 2.0 -> 1.0: alpha is imported here', "
        "'beta 1.0 removed: it is applied together with alpha, which is pending'] True ()\n"
    ), done.stderr
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "1.0\n"
    assert env.versions() == {"alpha": "1.0"}
    assert env.run("print(li.undo().transaction == li.history()[0].transaction)").stdout == "True\n"
    assert env.versions() == {"alpha": "2.0", "beta": "1.0"}


def test_what_another_process_holds_is_undone_when_it_has_ended(upgraded):
    upgraded.wheel("beta", "1.0")
    upgraded.run("li.install('beta')")
    upgraded.run("li.install('beta', reinstall=True)")
    name = json.loads(upgraded.run("print(json.dumps([p.transaction for p in li.history()]))").stdout)[2]
    holder = upgraded.start("import alpha; li.hold(); print('up', flush=True); input()")
    holder.stdout.readline()
    done = upgraded.run(f"print(li.undo({name!r}).staged[0].reason)")
    holder.kill()
    holder.communicate()
    assert f"pid {holder.pid}: " in done.stdout and " uses alpha" in done.stdout, done.stderr
    assert upgraded.bare("import alpha; print(alpha.__version__)").stdout == "1.0\n"


def test_undoing_a_fresh_install_removes_it_and_undoing_that_brings_it_back(env):
    env.wheel("alpha", "1.0", requires=("beta",), scripts={"alpha-run": "alpha:run"})
    env.wheel("beta", "1.0")
    env.run("pass")
    before = tree(env.root)
    env.run("li.install('alpha')")
    after = tree(env.root)
    (env.site / "alpha" / "mine.cfg").write_text("mine")
    done = env.run("r = li.undo(); print(*map(str, r.removed), r.changed)")
    assert done.stdout == "alpha 1.0 removed beta 1.0 removed True\n", done.stderr
    assert (env.site / "alpha" / "mine.cfg").read_text() == "mine"  # no RECORD lists it
    (env.site / "alpha" / "mine.cfg").unlink()
    (env.site / "alpha").rmdir()
    assert tree(env.root) == before
    assert env.run("li.undo(); import alpha, beta", WHEELS="/nowhere").stderr == ""
    assert tree(env.root) == after


def test_everything_after_a_point_is_undone_as_one(env):
    for version in ("1.0", "2.0", "3.0"):
        env.wheel("alpha", version)
        env.run(f"li.install('alpha=={version}')")
    env.wheel("beta", "1.0")
    env.run("li.install('beta')")
    done = env.run("""
        point = li.history()[3].transaction
        r = li.undo(to=point)
        print(*map(str, [*r.installed, *r.removed]))
        print(li.history()[0].requests == (f"undo to {point}",), li.history()[0].transaction == r.transaction)
        print(li.undo(to=r.transaction))
    """)
    assert done.stdout == "alpha 3.0 -> 1.0 beta 1.0 removed\nTrue True\nNothing to do.\n", done.stderr
    assert env.versions() == {"alpha": "1.0"}


def test_one_in_the_middle_is_undone_if_nothing_has_touched_it_since(env):
    for name in ("alpha", "beta"):
        env.wheel(name, "1.0")
    env.run("li.install('alpha'); li.install('beta')")
    env.wheel("alpha", "2.0")
    env.run("li.install('alpha>=2')")
    done = env.run("""
        last, middle, first = li.history()
        print([str(c) for c in middle.changes], last.undoable, middle.undoable, first.undoable, first.why_not)
        li.undo(middle.transaction)
    """)
    last = env.run("print(li.history()[1].transaction)").stdout.strip()
    first = env.run("print(li.history()[3].transaction)").stdout.strip()
    assert done.stdout == (f"['beta 1.0'] True True False alpha was changed by {last} after {first}.\n"), done.stderr
    assert env.versions() == {"alpha": "2.0"}
    kind, what, todo = refusal(env, repr(first))
    assert kind == "MovedOnError" and f"changed by {last}" in what and f"Undo {last} first" in todo


def test_the_history_has_a_limit_and_can_be_of_packages(env):
    for name in ("alpha", "beta"):
        env.wheel(name, "1.0")
    env.run("li.install('alpha'); li.install('beta')")
    env.wheel("alpha", "2.0")
    env.run("li.install('alpha>=2')")
    found = env.json("""
        shown = lambda *names, **more: [str(c) for past in li.history(*names, **more) for c in past.changes]
        found = [shown(limit=2), shown('Al*'), shown('alpha', 'beta', limit=1), shown('gamma'), shown(limit=0)]
        print(json.dumps(found))
    """)
    newest = "alpha 1.0 -> 2.0"
    assert found == [[newest, "beta 1.0"], [newest, "alpha 1.0"], [newest], [], []]
    assert "limit=-1 is negative" in env.run("li.history(limit=-1)").stderr


def test_what_pip_has_changed_since_is_left_alone(upgraded):
    record = next(upgraded.site.glob("alpha-2.0.dist-info/RECORD"))
    record.write_text(record.read_text() + "alpha/pip_was_here.py,,\n")
    before = tree(upgraded.root)
    kind, what, _ = refusal(upgraded)
    assert kind == "MovedOnError" and "alpha was changed by something else" in what
    assert "something else" in upgraded.run("print(li.history()[0].why_not)").stdout
    assert tree(upgraded.root) == before


def test_what_pip_has_removed_since_cannot_be_undone(upgraded):
    import shutil

    shutil.rmtree(upgraded.site / "alpha-2.0.dist-info")
    assert refusal(upgraded)[0] == "MovedOnError"


@pytest.fixture
def as_by_pip(env):
    """alpha 1.0 with a RECORD as pip writes it for a wheel that contains bytecode, and with all other peculiarities."""
    env.wheel("alpha", "1.0", {"alpha/__init__.py": "__version__ = '1.0'\n", "alpha/late.py": "V = 1\n"})
    env.run("li.install('alpha')")
    record = env.site / "alpha-1.0.dist-info" / "RECORD"
    (env.site / "alpha" / "sourceless.pyc").write_bytes(b"code without a source")
    stale = "sha256=zd9yf0Ycn-ffRFlFlSAZzXZuBjj2t-2rX1pwgtsyCPk,14202\n"
    cached = f"alpha/__pycache__/late.{sys.implementation.cache_tag}.pyc"
    late = record_row("alpha/late.py", b"V = 1\n")
    more = [f"{cached},,\n{cached},{stale}", f"alpha/__pycache__/gone.pyc,{stale}", f"alpha/late.pyc,{stale}"]
    more += [f"alpha/late.py,,\n{late}", f"alpha/late.py,{stale}"]  # e.g. rewritten by a second file of that name
    more += [record_row("alpha/sourceless.pyc", b"code without a source")]
    script = "import alpha\n"  # an old pip has rewritten its first line after it was recorded
    (env.python.parent / "alpha-tool").write_text(f"#!{env.python}\n{script}")
    path = os.path.relpath(env.python.parent / "alpha-tool", env.site).replace(os.sep, "/")
    more += [record_row(path, f"#!python\n{script}".encode())]
    record.write_text(record.read_text() + "".join(more))
    (env.site / cached).parent.mkdir(exist_ok=True)
    (env.site / cached).write_bytes(b"compiled by pip")
    return env


def test_bytecode_and_repeated_rows_of_a_record_stop_neither_undo_nor_a_check(as_by_pip):
    env, before = as_by_pip, tree(as_by_pip.site)
    script = (env.python.parent / "alpha-tool").read_text()
    problems = "print(json.dumps([len(li.doctor()), len(li.check().damaged), li.check().ok]))"
    assert env.json(problems) == [0, 0, True]
    env.wheel("alpha", "2.0")
    env.run("li.install('alpha>=2')")
    assert env.json("print(json.dumps(li.history()[0].why_not))") == ""
    for _ in range(2):
        assert env.run("li.undo(); import alpha.late").stderr == ""
        assert tree(env.site) == before
        assert (env.python.parent / "alpha-tool").read_text() == script
        assert env.json(problems) == [0, 0, True]
        assert env.run("li.undo()").stderr == ""  # 2.0 again
        assert env.versions() == {"alpha": "2.0"}
    assert env.run("li.undo(); li.uninstall('alpha')").stderr == ""
    assert not (env.site / "alpha").exists()


def test_repeated_rows_of_a_record_hide_no_damage(as_by_pip):
    env = as_by_pip
    (env.site / "alpha" / "late.py").write_text("V = 7\n")
    (env.site / "alpha" / "sourceless.pyc").unlink()
    assert sorted(env.json("print(json.dumps([f.kind for f in li.doctor()]))")) == ["missing"]
    assert "late.py" in env.run("print(*li.doctor())").stdout
    env.wheel("alpha", "2.0")
    env.run("li.install('alpha>=2')")
    assert "late.py does not match its RECORD" in env.json("print(json.dumps(li.history()[0].why_not))")
    assert refusal(env)[0] == "RetiredError"


@pytest.mark.parametrize("damage", ["changed", "gone", "record", "tree", "script"])
def test_missing_or_damaged_old_files_are_refused_before_anything_moves(upgraded, damage):
    import shutil

    part = next(upgraded.site.glob(".liveinstall/retired/*/alpha-1.0.part"))
    victim = {
        "record": part / "alpha-1.0.dist-info" / "RECORD",
        "script": part / "alpha-1.0.data" / "scripts" / upgraded.script("alpha-run").name,
    }.get(damage, part / "alpha" / "late.py")
    if damage == "tree":
        shutil.rmtree(part.parent)
    elif damage == "gone":
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes() + b"# tampered\n")
    before = tree(upgraded.root)
    kind, what, todo = refusal(upgraded)
    assert kind == "RetiredError" and "alpha" in what and todo
    assert upgraded.json("print(json.dumps(li.history()[0].why_not))") == what  # as for undo()
    assert tree(upgraded.root) == before and upgraded.leftovers() == []


def test_editing_what_was_brought_back_leaves_what_is_kept_as_it_was(upgraded):
    """Hard links would share the edit: small files are copied."""
    upgraded.run("li.undo()")
    late = upgraded.site / "alpha" / "late.py"
    late.write_text(late.read_text() + "# my debugging\n")
    first = upgraded.run("print(li.history()[1].transaction)").stdout.strip()
    upgraded.run("li.undo()")  # 2.0 again; the edited 1.0 goes to its retired files
    assert refusal(upgraded)[0] == "RetiredError"  # which do not match their RECORD
    done = upgraded.run(f"li.undo({first!r}); import alpha.late")  # but those of the first upgrade are
    assert done.stderr == ""
    assert tree(upgraded.root) == upgraded.before


def test_a_file_in_the_way_is_a_conflict_and_not_overwritten(upgraded):
    (upgraded.site / "alpha" / "late.py").write_text("mine")
    before = tree(upgraded.root)
    done = upgraded.run("""
        try: li.undo()
        except li.errors.FileConflictError as error: print(os.path.basename(error.path))
    """)
    assert done.stdout == "late.py\n", done.stderr
    assert tree(upgraded.root) == before


def test_pending_changes_are_for_cancel(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    done = env.run("""
        import alpha
        waiting = li.install("alpha>=2").transaction
        for arguments in ({}, {"to": li.history()[0].transaction}, {"transaction": waiting}):
            try: li.undo(**arguments)
            except li.errors.NotHappenedError as error: print(waiting in error.what, "cancel()" in error.todo)
        assert [p.transaction for p in li.history()] != [waiting]
        li.cancel()
        assert len(li.undo().staged) == 1  # alpha is loaded, so its removal is pending
    """)
    assert done.stdout == "True True\n" * 3, done.stderr
    assert env.bare("import alpha").returncode == 1
    assert env.versions() == {}


def test_unknown_transactions_are_refused(env):
    assert refusal(env)[:2] == ["NotHappenedError", "there is no transaction to undo."]
    assert refusal(env, "'nonsense'")[0] == "NotHappenedError"
    assert refusal(env, "to='nonsense'")[0] == "NotHappenedError"
    done = env.run("""
        try: li.undo("a", to="b")
        except li.errors.RequirementError as error: print("not both" in str(error))
    """)
    assert done.stdout == "True\n"


def test_a_staged_undo_can_be_cancelled(upgraded):
    after = tree(upgraded.root)
    done = upgraded.run("import alpha; li.undo(); print(*map(str, li.cancel()))")
    assert done.stdout == "alpha 2.0 -> 1.0\n", done.stderr
    assert tree(upgraded.root) == after and upgraded.leftovers() == []
    assert upgraded.run("li.undo()").stderr == ""  # the kept files are still there
    assert tree(upgraded.root) == upgraded.before


def test_undoing_twice_in_one_session_is_one_transaction(upgraded):
    upgraded.run("import alpha; last = li.history()[0].transaction; li.undo(last); li.undo(last)")
    assert upgraded.bare("import alpha; print(alpha.__version__)").stdout == "1.0\n"
    assert tree(upgraded.root) == upgraded.before and upgraded.leftovers() == []


def test_an_undo_is_merged_with_pending_changes(upgraded):
    upgraded.wheel("alpha", "3.0")
    upgraded.wheel("beta", "1.0")
    done = upgraded.run("""
        import alpha
        last = li.history()[0].transaction
        li.install("alpha>=3", "beta", when="restart")
        li.undo(last)
        print(sorted(str(c) for item in li.pending() for c in item.changes))
    """)
    assert done.stdout == "['alpha 2.0 -> 1.0', 'beta 1.0']\n", done.stderr
    assert upgraded.bare("import alpha, beta; print(alpha.__version__)").stdout == "1.0\n"
    assert upgraded.leftovers() == []


def test_what_an_undo_breaks_is_reported_like_an_install(upgraded):
    upgraded.wheel("gamma", "1.0", requires=("alpha>=2",))
    upgraded.run("li.install('gamma')")
    name = upgraded.run("print(li.history()[1].transaction)").stdout.strip()
    done = upgraded.run(f"r = li.undo({name!r}); print(r.conflicts)")
    assert done.stdout == "('gamma 1.0 requires alpha>=2, but alpha will be 1.0',)\n", done.stderr


def test_files_that_moved_between_distributions_move_back(env):
    env.wheel("alpha", "1.0", {"alpha.py": "", "shared.py": "A = 1\n"})
    env.run("li.install('alpha')")
    before = tree(env.root)
    env.wheel("alpha", "2.0", {"alpha.py": "V = 2\n"}, requires=("beta",))
    env.wheel("beta", "1.0", {"shared.py": "A = 2\n"})
    env.run("li.install('alpha>=2')")
    assert env.run("import shared; assert shared.A == 2").returncode == 0
    done = env.run("r = li.undo(); print(*map(str, [*r.installed, *r.removed]))")
    assert done.stdout == "alpha 2.0 -> 1.0 beta 1.0 removed\n", done.stderr
    assert {k: v for k, v in tree(env.root).items() if "wheels" not in k} == {
        k: v for k, v in before.items() if "wheels" not in k
    }


def test_big_files_are_linked_and_small_ones_copied(env):
    env.wheel("alpha", "1.0", {"alpha/__init__.py": "", "alpha/big.bin": b"x" * 2**20, "alpha/small.bin": b"y" * 100})
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    env.run("li.install('alpha>=2'); li.undo()")
    assert [(env.site / "alpha" / f"{name}.bin").stat().st_nlink for name in ("big", "small")] == [2, 1]


@can_symlink
def test_links_and_files_without_a_hash_come_back_as_they_were(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    (env.site / "alpha" / "link.py").symlink_to("late.py")
    (env.site / "alpha" / "generated.txt").write_text("made here")
    record = env.site / "alpha-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + "alpha/link.py,,\nalpha/generated.txt,,\nalpha/never.pyc,,\n")
    before = tree(env.site)
    env.wheel("alpha", "2.0")
    env.run("li.install('alpha>=2')")
    assert env.run("li.undo()").stderr == ""
    assert tree(env.site) == before and (env.site / "alpha" / "link.py").is_symlink()


def test_history_says_who_when_what_and_from_where_without_credentials(env):
    import time

    env.wheel("alpha", "1.0")
    start = time.time()
    env.run("""
        from liveinstall._engines.select import ENGINES
        from dataclasses import replace
        class Told(ENGINES["pip"]):
            def resolve(self, *args, **options):
                return [replace(c, url="https://****@host/alpha-1.0.whl", sha256="5" * 64)
                        for c in super().resolve(*args, **options)]
        ENGINES["pip"] = ENGINES["uv"] = Told
        li.install("alpha", str(next(__import__("pathlib").Path(os.environ["WHEELS"]).glob("*"))))
        li.install("alpha @ https://me:hunter2@host/alpha-1.0.whl", when="restart", reinstall=True)
    """)
    seen = env.json("""
        from dataclasses import asdict
        print(json.dumps([{**asdict(p), "undoable": p.undoable, "text": str(p)} for p in li.history()]))
    """)
    assert "hunter2" not in json.dumps(seen)
    first = seen[-1]
    assert first["requests"][0] == "alpha" and first["pid"] > 0 and first["command"].startswith("python")
    assert start < first["when"] < time.time()
    assert first["sources"]["alpha"] == {"url": "https://****@host/alpha-1.0.whl", "sha256": "5" * 64}
    assert first["changes"][0]["old_version"] is None and first["changes"][0]["new_version"] == "1.0"
    assert "can be undone" in first["text"] and "alpha 1.0  https://****@host" in first["text"]


def test_what_comes_back_says_where_it_once_came_from(env):
    env.wheel("alpha", "1.0")
    code = """
        from liveinstall._engines.select import ENGINES
        from dataclasses import replace
        class Told(ENGINES["pip"]):
            def resolve(self, *args, **options):
                return [replace(c, url="https://host/" + c.version) for c in super().resolve(*args, **options)]
        ENGINES["pip"] = ENGINES["uv"] = Told
        li.install("alpha", upgrade=True)
    """
    env.run(code)
    env.wheel("alpha", "2.0")
    env.run(code)
    assert env.run("li.undo(); print(li.history()[0].sources['alpha'].url)").stdout == "https://host/1.0\n"


def test_pruning_ends_undo_and_nothing_else(upgraded):
    after = tree(upgraded.root)
    assert upgraded.run("print(len(li.prune(keep=1)))").stdout == "0\n"
    done = upgraded.run("p = li.prune(); print(len(p), p[0].why_not); print(len(li.history()), len(li.prune()))")
    lines = done.stdout.splitlines()
    assert "have been removed" in lines[0] and lines[0].startswith("1 ") and lines[1] == "2 0", done.stderr
    assert refusal(upgraded)[0] == "RetiredError"
    assert tree(upgraded.root) == after
    assert (
        upgraded.run("""
        for limit in ({"keep": -1}, {"days": "x"}, {"bytes": True}):
            try: li.prune(**limit)
            except ValueError as error: print(type(error).__name__)
    """).stdout.split()
        == ["RequirementError"] * 3
    )
