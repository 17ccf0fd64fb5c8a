"""doctor() reports and changes nothing; repair() repairs, loses nothing, and can be killed."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from helpers.environments import tree
from helpers.in_process_site import KILLED, Place

from liveinstall._repair.journal import Todo, decode_todo, encode_todo, move_aside, put_back, unfinished

SHOW = "print(json.dumps([[f.kind, f.name, f.outcome] for f in {}]))"


@pytest.fixture
def alpha(env):
    env.wheel("alpha", "1.0")
    env.wheel("beta", "1.0")
    assert env.run("li.install('alpha', 'beta')").returncode == 0
    return env


def doctor(env):
    before = tree(env.root)
    found = env.json(SHOW.format("li.doctor()"))
    assert tree(env.root) == before
    return found


def repair(env, *names):
    return env.json(SHOW.format(f"li.repair(*{names!r})"))


def healthy(env):
    assert doctor(env) == []
    done = env.bare("import alpha, alpha.late; print(alpha.__version__, alpha.late.V)")
    assert done.stdout == "1.0 1.0\n", done.stderr


def info(env):
    return env.site / "alpha-1.0.dist-info"


def test_nothing_is_wrong_with_a_healthy_environment(alpha):
    healthy(alpha)
    assert repair(alpha) == []


def _delete(env):
    (env.site / "alpha/late.py").unlink()


def _change(env):
    (env.site / "alpha/late.py").write_text("V = 'other'\n")


def _no_record(env):
    (info(env) / "RECORD").unlink()
    (info(env) / "INSTALLER").unlink()


def _absurd_size(env):
    record = info(env) / "RECORD"
    rows = record.read_text().splitlines()
    record.write_text(
        "".join(f"{row.rpartition(',')[0]},{'9' * 5000}\n" if "late.py" in row else f"{row}\n" for row in rows)
    )


def _cut_record(env):
    (info(env) / "RECORD").write_text("alpha/__init__.py,sha\0\n")


def _no_metadata(env):
    (info(env) / "METADATA").unlink()
    (info(env) / "RECORD").unlink()


def _pip_killed_early(env):
    """The old code is removed, its dist-info is not yet."""
    (env.site / "alpha").rename(env.site / "~lpha")


def _pip_killed_in_the_middle(env):
    """The old version is removed, the new one is half installed."""
    (env.site / "alpha").rename(env.site / "~lpha")
    info(env).rename(env.site / "~lpha-1.0.dist-info")
    (env.site / "alpha").mkdir()
    (env.site / "alpha/half.py").write_text("")


def _pip_killed_late(env):
    """All is done, except for the removal of the old version's backup."""
    shutil.copytree(env.site / "alpha", env.site / "~lpha")
    shutil.copytree(info(env), env.site / "~lpha-1.0.dist-info")


def _older_twin(env):
    shutil.copytree(info(env), env.site / "alpha-0.9.dist-info")
    metadata = env.site / "alpha-0.9.dist-info/METADATA"
    metadata.write_text(metadata.read_text().replace("1.0", "0.9"))


def _newer_twin_that_does_not_fit(env):
    twin = env.site / "alpha-2.0.dist-info"
    shutil.copytree(info(env), twin)
    for file in ("METADATA", "RECORD"):
        (twin / file).write_text((twin / file).read_text().replace("1.0", "2.0").replace("late.py", "later.py"))


def _empty_twin(env):
    (env.site / "alpha-3.0.dist-info").mkdir()


def _lost_part(env):
    (env.site / "gamma-1.0.part").mkdir()
    (env.site / "gamma-1.0.part/.manifest").write_text("liveinstall-manifest 1\n")


def _damaged_transaction(env):
    (env.site / ".liveinstall/transactions/20200101T000000-00000000.pending").write_text("garbage")


DAMAGES = {
    _delete: [["missing", "alpha"]],
    _change: [["changed", "alpha"]],
    _absurd_size: [["changed", "alpha"]],
    _no_record: [["broken", "alpha"]],
    _cut_record: [["broken", "alpha"]],
    _no_metadata: [["broken", "alpha"]],
    _pip_killed_early: [["left over", ""], ["missing", "alpha"]],
    _pip_killed_in_the_middle: [["left over", "alpha"], ["left over", ""]],
    _pip_killed_late: [["left over", "alpha"], ["left over", ""]],
    _older_twin: [["duplicate", "alpha"]],
    _newer_twin_that_does_not_fit: [["duplicate", "alpha"]],
    _empty_twin: [["duplicate", "alpha"]],
    _lost_part: [["left over", ""]],
    _damaged_transaction: [["unreadable", ""]],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_and_repaired(alpha, damage):
    damage(alpha)
    found = doctor(alpha)
    assert [row[:2] for row in found if row[0] != "unowned"] == DAMAGES[damage]
    before = tree(alpha.root, ignore=("__pycache__",))
    alpha.run("li.repair(dry_run=True)")
    assert tree(alpha.root, ignore=("__pycache__",)) == before
    assert {row[2] for row in repair(alpha) if row[0] != "unowned"} <= {"repaired"}
    healthy(alpha)
    assert alpha.versions() == {"alpha": "1.0", "beta": "1.0"}
    assert not [path.name for path in alpha.site.iterdir() if path.name.startswith("~")]


def test_only_the_named_distributions_are_repaired(alpha):
    _delete(alpha)
    (alpha.site / "beta/late.py").unlink()
    assert repair(alpha, "Beta") == [["missing", "beta", "repaired"]]
    assert [row[:2] for row in doctor(alpha)] == [["missing", "alpha"]]


def test_what_is_loaded_is_staged(alpha):
    _change(alpha)
    done = alpha.run("import alpha; " + SHOW.format("li.repair()"))
    assert json.loads(done.stdout) == [["changed", "alpha", "staged for the next start of Python"]]
    assert "other" in (alpha.site / "alpha/late.py").read_text()
    alpha.bare("pass")
    healthy(alpha)


def test_what_cannot_be_installed_again_is_put_back(alpha):
    _no_record(alpha)
    (alpha.wheels / "alpha-1.0-py3-none-any.whl").unlink()
    before = tree(alpha.root)
    kind, name, outcome = repair(alpha)[0]
    assert (kind, name) == ("broken", "alpha") and outcome.startswith("not repaired: ")
    assert tree(alpha.root) == before
    assert doctor(alpha)[0][0] == "broken"


def test_code_that_a_live_process_has_imported_is_not_moved(alpha):
    _no_record(alpha)
    done = alpha.run("import alpha; " + SHOW.format("li.repair()"))
    assert json.loads(done.stdout)[0][2] == (
        "not repaired: this process has imported it; repair it from the command line"
    )
    assert (alpha.site / "alpha/late.py").exists()


def test_unowned_code_is_reported_and_not_changed(alpha):
    (alpha.site / "mine").mkdir()
    (alpha.site / "mine/__init__.py").write_text("")
    (alpha.site / "mine.txt").write_text("")
    assert repair(alpha) == [["unowned", "", ""]]
    assert (alpha.site / "mine/__init__.py").exists()


def test_what_a_newer_liveinstall_wrote_is_left_alone(alpha):
    record = alpha.site / ".liveinstall/transactions/20200101T000000-00000000.pending"
    record.write_text("liveinstall-transaction 9\n")
    assert repair(alpha) == [["unreadable", "", ""]]
    assert record.exists()


def test_what_other_tools_manage_is_not_judged(alpha):
    (info(alpha) / "INSTALLER").write_text("conda\n")
    _change(alpha)
    (info(alpha) / "RECORD").unlink()
    assert [row for row in doctor(alpha) if row[0] != "unowned"] == []


def test_a_repair_that_is_killed_is_finished_by_the_next_one(alpha):
    _pip_killed_in_the_middle(alpha)
    killed = alpha.run("""
        from liveinstall._verbs import repair as room
        room.install = lambda *a, **k: os._exit(9)
        li.repair()
    """)
    assert killed.returncode == 9 and not (alpha.site / "alpha").exists()
    assert ["unfinished", "alpha"] in [row[:2] for row in doctor(alpha)]
    repair(alpha)
    healthy(alpha)


def test_the_command_line_tells_by_its_exit_status(alpha):
    def run(*words):
        code = f"from liveinstall._frontends.cli.main import main; sys.exit(main({list(words)!r}))"
        done = alpha.run(code)
        return done.returncode, done.stdout

    assert run("doctor") == (0, "No problems found.\n")
    _delete(alpha)
    status, out = run("repair", "--dry-run")
    assert status == 4
    assert out == "missing: alpha: alpha/late.py is missing.\n  repair would install alpha 1.0 again\n"
    status, out = run("repair", "--json")
    assert status == 0 and json.loads(out)["result"][0]["outcome"] == "repaired"


def test_moving_aside_is_whole_at_every_kill(tmp_path):
    """The next repair knows all moved files: `todo` is written before the first move."""
    world = Place(tmp_path / "world")
    for name in ("one", "two"):
        (world.site / name).mkdir()
        (world.site / name / "x.py").write_text(name)
    paths = [str(world.site / name) for name in ("one", "two")]
    _, events = world.copy(tmp_path / "count").fork(lambda: None)
    place = world.copy(tmp_path / "dry")
    _, events = place.fork(lambda: move_aside(str(place.site), [p.replace("world", "dry") for p in paths], "x==1"))
    assert events > 4
    for at in range(events):
        place = world.copy(tmp_path / f"at{at}")
        here = [path.replace("world", f"at{at}") for path in paths]
        status, _ = place.fork(lambda here=here, place=place: move_aside(str(place.site), here, "x==1"), at=at)
        assert status == KILLED
        left = list(unfinished(str(place.site)))
        assert left or all(map(os.path.exists, here)), at
        for directory, todo in left:
            assert todo == Todo("x==1", ("one", "two"))
            put_back(str(place.site), directory)
        assert all(os.path.exists(os.path.join(path, "x.py")) for path in here), at
        assert list(unfinished(str(place.site))) == []


def test_a_todo_survives_its_text():
    todo = Todo("alpha==1.0", ("alpha", "~lpha"))
    assert decode_todo(encode_todo(todo)) == todo


@pytest.mark.parametrize("text", ["", "garbage", "liveinstall-repair 2\nend\n", "liveinstall-repair 1\nmoved\tx\n"])
def test_a_todo_that_is_none_is_refused(text):
    assert decode_todo(text) is None
