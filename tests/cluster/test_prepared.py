"""One change for many environments: locked once, prepared without effect, armed by one rename, dropped in any state."""

from __future__ import annotations

import ast
import json
import os
import re

import pytest
from helpers.environments import caches_in, make_environment

from liveinstall._cluster.values import Lock, LockedWheel
from liveinstall.errors import LockError

BEGIN = (
    "from liveinstall import cluster\nlock = cluster.Lock.parse(os.environ['LOCK'])\nwheels = [os.environ['WHEELS']]\n"
)


@pytest.fixture
def upgrade(env):
    """Alpha 1.0 is installed, and a lock upgrades it to 2.0 and adds beta, which requires that."""
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    env.wheel("beta", "1.0", requires=("alpha>=2",))
    code = "from liveinstall import cluster\nprint(cluster.lock('beta').text)"
    done = env.run(code, **caches_in(env.root / "cache"))
    assert done.returncode == 0, done.stderr
    env.lock = done.stdout
    return env


def run(env, code, **more):
    done = env.run(BEGIN + code, LOCK=env.lock, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def records(env):
    return sorted(os.listdir(env.site / ".liveinstall" / "transactions"))


def test_a_change_has_no_effect_until_it_is_armed_and_then_unused_files_move_at_once(upgrade):
    out = run(upgrade, "one = cluster.prepare(lock, wheels)\nprint(one.id, one.state, *map(str, one.changes), sep=',')")
    id, state, *changes = out.strip().split(",")
    assert (state, sorted(changes)) == ("prepared", ["alpha 1.0 -> 2.0", "beta 1.0"])
    assert records(upgrade) == [f"{id}.prepared"]
    assert upgrade.bare("import alpha; print(alpha.__version__)").stdout == "1.0\n"
    assert upgrade.versions() == {"alpha": "1.0"} and not list(upgrade.site.glob("*.pth"))
    assert run(upgrade, "print(cluster.prepare(lock, wheels).id)") == f"{id}\n"
    assert run(upgrade, f"print(cluster.arm({id!r}).state, cluster.arm({id!r}).state)") == "applied applied\n"
    assert upgrade.versions() == {"alpha": "2.0", "beta": "1.0"}
    assert run(upgrade, "print(cluster.prepare(lock, wheels).state)") == "current\n"
    assert run(upgrade, f"print(cluster.drop({id!r}).state)") == "dropped\n"
    assert upgrade.versions() == {"alpha": "1.0"} and upgrade.leftovers() == [] and records(upgrade) == []


def test_an_armed_change_waits_for_users_of_the_old_version_and_can_be_dropped(upgrade):
    user = upgrade.start(
        "import alpha; li.hold(); print('uses', flush=True); input(); import alpha.late; print(alpha.late.V)"
    )
    assert user.stdout.readline() == "uses\n"
    look = "import alpha; print(alpha.__version__)"
    id = run(upgrade, "print(cluster.prepare(lock, wheels).id)").strip()
    assert upgrade.bare(look).stdout == "1.0\n"
    state, reason = run(upgrade, f"one = cluster.arm({id!r}); print(one.state, one.reason, sep=': ')").split(": ", 1)
    assert state == "pending" and f"pid {user.pid}" in reason
    assert upgrade.bare(look).stdout == "2.0\n"
    assert run(upgrade, f"print(cluster.drop({id!r}).state)") == "dropped\n"
    assert upgrade.bare(look).stdout == "1.0\n"
    assert user.communicate("\n")[0] == "1.0\n"


def test_a_change_that_is_prepared_over_a_pending_one_replaces_it_by_its_rename(upgrade):
    user = upgrade.start("import alpha; li.install('alpha>=2'); print('staged', flush=True); input()")
    assert user.stdout.readline() == "staged\n"
    upgrade.wheel("alpha", "3.0")
    upgrade.lock = run(upgrade, "print(cluster.lock('alpha>=3', 'beta').text)", **caches_in(upgrade.root / "cache"))
    one = run(upgrade, "print(cluster.prepare(lock, wheels).id)").strip()
    look = "import alpha; print(alpha.__version__)"
    assert upgrade.bare(look).stdout == "2.0\n"
    assert run(upgrade, f"print(cluster.arm({one!r}).state)") == "pending\n"
    assert records(upgrade) == [f"{one}.pending"] and upgrade.bare(look).stdout == "3.0\n"
    user.communicate("\n")
    assert upgrade.bare(look).stdout == "3.0\n"
    run(upgrade, "li.install('alpha')")  # the process that armed it ran from the part of 2.0; the next use removes that
    assert upgrade.versions() == {"alpha": "3.0", "beta": "1.0"} and upgrade.leftovers() == []


def test_a_start_opens_no_file_of_a_prepared_change(upgrade):
    run(upgrade, "cluster.prepare(lock, wheels)")
    shows = "lambda event, args: event == 'open' and sys.stderr.write(f'{args[0]}\\n') and None"
    hook = f"import sys; sys.addaudithook({shows})"
    (upgrade.site / "aaa.pth").write_text(hook + "\n")
    opened = upgrade.bare("import alpha").stderr.splitlines()
    assert any("alpha" in path for path in opened)
    assert [path for path in opened if ".part" in path or ".liveinstall" in path] == []


def test_a_change_that_is_not_armed_is_removed_after_an_hour_and_reported_once(upgrade):
    run(upgrade, "cluster.prepare(lock, wheels)")
    upgrade.wheel("gamma", "1.0")
    upgrade.wheel("delta", "1.0")
    assert "prepared by" not in run(upgrade, "print(li.install('gamma').notes)")
    (record,) = records(upgrade)
    os.utime(upgrade.site / ".liveinstall" / "transactions" / record, (1, 1))
    (note,) = ast.literal_eval(run(upgrade, "print(li.install('delta').notes)"))
    assert note.startswith("alpha 2.0, beta 1.0: prepared by `liveinstall cluster`, and removed after an hour")
    assert upgrade.leftovers() == [] and records(upgrade) == []
    assert "prepared by" not in run(upgrade, "print(li.uninstall('delta').notes)")


def test_what_a_living_process_has_prepared_is_kept(upgrade):
    owner = upgrade.start(BEGIN + "print(cluster.prepare(lock, wheels).id, flush=True); input()", LOCK=upgrade.lock)
    id = owner.stdout.readline().strip()
    os.utime(upgrade.site / ".liveinstall" / "transactions" / f"{id}.prepared", (1, 1))
    upgrade.wheel("gamma", "1.0")
    run(upgrade, "li.install('gamma')")
    assert records(upgrade) == [f"{id}.prepared"]
    owner.communicate("\n")


def test_of_ten_at_once_one_unpacks_and_the_others_find_it(upgrade):
    code = BEGIN + (
        "import time; from liveinstall._cluster import steps\n"
        "unpacked, engine = [], steps.LockEngine\nsteps.LockEngine = lambda *a: unpacked.append(1) or engine(*a)\n"
        "time.sleep(1); one = cluster.prepare(lock, wheels, timeout=60)\nprint(json.dumps([one.id, len(unpacked)]))"
    )
    started = [upgrade.start(code, LOCK=upgrade.lock) for _ in range(10)]
    found = [json.loads(process.communicate(timeout=120)[0]) for process in started]
    assert len({id for id, _ in found}) == 1
    assert sum(unpacked for _, unpacked in found) == 1
    assert len(list(upgrade.site.glob("*.part"))) == 2


def error_of(env, code, **more):
    done = env.run(BEGIN + code, LOCK=env.lock, **more)
    assert done.returncode == 1
    return done.stderr


def test_what_does_not_fit_is_refused_by_name_and_leaves_nothing(upgrade):
    prepare = "cluster.prepare(lock, wheels)"
    assert "beta-1.0-py3-none-any.whl of the lock is missing" in error_of(
        upgrade,
        "cluster.prepare(lock, wheels[:0])".replace(
            "wheels[:0]", "[os.environ['WHEELS'] + '/alpha-2.0-py3-none-any.whl']"
        ),
    )
    for change, message in (
        (
            (r'python = "cpython [0-9.]*"', 'python = "cpython 3.1"'),
            "the lock is for cpython 3.1, and this environment is",
        ),
        ((r'platform = ".*"', 'platform = "linux-s390x"'), "the lock is for linux-s390x"),
        ((r'sha256 = "....', 'sha256 = "0000'), "is not the wheel of the lock"),
        ((r"beta-1.0-py3-none-any", "beta-1.0-cp39-cp39-win32"), "of the lock is missing"),
        (
            (r'(?s)\[\[packages\]\]\nname = "alpha".*?(true|false)\n', ""),
            "beta requires alpha>=2, but alpha 1.0 is installed",
        ),
    ):
        before, upgrade.lock = upgrade.lock, re.sub(*change, upgrade.lock, count=1)
        assert upgrade.lock != before
        assert message in error_of(upgrade, prepare)
        upgrade.lock = before
    assert upgrade.versions() == {"alpha": "1.0"} and upgrade.leftovers() == [] and records(upgrade) == []


def test_a_wheel_for_another_platform_is_refused_before_it_is_unpacked(upgrade):
    path = upgrade.wheels / "beta-1.0-py3-none-any.whl"
    path.rename(path.with_name("beta-1.0-cp311-cp311-manylinux_2_99_x86_64.whl"))
    upgrade.lock = upgrade.lock.replace(path.stem, "beta-1.0-cp311-cp311-manylinux_2_99_x86_64")
    assert "is not for this interpreter and platform" in error_of(upgrade, "cluster.prepare(lock, wheels)")
    assert upgrade.leftovers() == [] and records(upgrade) == []


def test_a_change_that_no_longer_fits_is_not_armed_and_is_prepared_again(upgrade):
    id = run(upgrade, "print(cluster.prepare(lock, wheels).id)").strip()
    upgrade.wheel("alpha", "1.5")
    run(upgrade, "li.install('alpha==1.5')")
    assert f"{id} cannot be armed: an installed distribution was removed" in error_of(upgrade, f"cluster.arm({id!r})")
    assert "is not a prepared change" in error_of(upgrade, "cluster.arm('20200101T000000-00000000')")
    again = run(upgrade, "print(cluster.prepare(lock, wheels).id)").strip()
    assert again != id and run(upgrade, f"print(cluster.arm({again!r}).state)") == "applied\n"
    assert upgrade.versions() == {"alpha": "2.0", "beta": "1.0"}


def test_a_failing_trial_leaves_nothing(upgrade):
    upgrade.wheel("beta", "2.0", {"beta/__init__.py": "1 / 0\n"})
    upgrade.lock = run(upgrade, "print(cluster.lock('beta==2.0').text)", **caches_in(upgrade.root / "cache"))
    assert "VerificationError" in error_of(upgrade, "cluster.prepare(lock, wheels, verify=True)")
    assert upgrade.leftovers() == [] and records(upgrade) == []


def test_one_lock_fits_environments_with_different_versions(upgrade, tmp_path):
    """Distributions with different versions are part of the lock, so that all environments are equal afterwards."""
    other = make_environment(tmp_path / "other")
    other.wheel("alpha", "1.5")
    other.run("li.install('alpha')")
    seen = other.run(
        "from liveinstall import cluster; e = cluster.look(); print(repr((e.id, e.installed, e.requires)))"
    )
    code = f"""
from dataclasses import replace
id, installed, requires = {seen.stdout.strip()}
over = [cluster.look(), replace(cluster.look(), id=id, installed=installed, requires=requires)]
print(sorted(cluster.lock("alpha", over=over).pins), sorted(cluster.lock("alpha").pins))
try:
    cluster.lock("alpha", over=[over[0], replace(over[1], platform="other-amd64")])
except li.errors.LockError as error:
    print(error)
"""
    first, refused = run(upgrade, code, **caches_in(tmp_path / "cache")).splitlines()
    assert first == "['alpha==2.0'] []"
    assert "the platform of" in refused and "is other-amd64, and here it is" in refused


def test_the_cache_gives_the_wheels_of_a_lock_and_a_lock_survives_its_text(upgrade):
    same = "one == cluster.Lock.parse(one.text), len(cluster.pack(one).files), one.digest == lock.digest"
    code = f"one = cluster.lock('beta'); print({same})"
    assert run(upgrade, code, **caches_in(upgrade.root / "cache2")) == "True 2 True\n"
    assert "is missing" in error_of(upgrade, "cluster.pack(lock)", **caches_in(upgrade.root / "cache3"))
    assert run(upgrade, "print(len(cluster.pack(lock, wheels).files))", **caches_in(upgrade.root / "c4")) == "2\n"


WHEEL = LockedWheel("a", "1", "a-1-py3-none-any.whl", "0" * 64, 3, requested=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not toml =",
        'lock-version = "2.0"',
        Lock((WHEEL,)).text.replace("0" * 64, "xyz"),
        Lock((WHEEL,)).text.replace("a-1-py3", "../a-1-py3"),
        Lock((WHEEL,)).text.replace('name = "a"', 'name = "b"'),
        'lock-version = "1.0"\npackages = 3\n',
    ],
)
def test_what_is_not_a_lock_is_a_typed_error(text):
    with pytest.raises(LockError):
        Lock.parse(text)


def test_an_environment_has_one_id_however_many_ask_at_once(env):
    started = [env.start("from liveinstall import cluster; print(cluster.look().id)") for _ in range(6)]
    assert len({process.communicate(timeout=60)[0] for process in started}) == 1


def test_the_command_line_has_the_same_steps(upgrade):
    upgrade.put_liveinstall_in()
    (upgrade.wheels / "pylock.toml").write_text(upgrade.lock)

    def call(*words, status=0):
        arguments = f"import runpy; sys.argv = ['liveinstall', 'cluster', *{words!r}]"
        done = upgrade.run(f"{arguments}; runpy.run_module('liveinstall', run_name='__main__')")
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    one = json.loads(call("prepare", str(upgrade.wheels / "pylock.toml"), "--json"))["result"]
    assert one["state"] == "prepared" and len(one["changes"]) == 2
    seen = json.loads(call("status", "--json"))["result"]
    assert seen["prepared"] == [one] and seen["installed"]["alpha"] == "1.0"
    assert call("arm", one["id"]).startswith(f"applied ({one['id']})\n")
    assert call("drop", one["id"]).startswith("dropped")
    assert "takes the id of a change" in call("arm", status=2)
    assert "is not a prepared change" in call("arm", "x", status=1)


@pytest.mark.skipif(os.name == "nt", reason="a list of mounts has no paths with drives")
def test_an_environment_whose_locks_do_not_reach_other_machines_is_refused(upgrade):
    mounts = upgrade.root / "mounts"
    mounts.write_text("37 22 0:42 / / rw,relatime - nfs server:/export rw,vers=3,nolock,local_lock=all\n")
    code = f"""
from liveinstall._system import network_mounts
network_mounts.MOUNTS = {str(mounts)!r}
try:
    cluster.prepare(lock, wheels)
except li.errors.TargetError as error:
    print(error.site, error)
"""
    out = run(upgrade, code)
    assert out.startswith(f"{upgrade.site} ") and "(nfs with local_lock=all, nolock)" in out
    assert upgrade.leftovers() == [] and records(upgrade) == []
