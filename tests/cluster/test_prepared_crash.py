"""A preparation that is killed, or gets a disk error, at any point: starts use the old version, nothing is left.

One process forks a child for each point, because loading liveinstall for each would take most of the time.
"""

from __future__ import annotations

import inspect
import json

from helpers.capabilities import can_fork
from helpers.environments import caches_in
from helpers.started import CHANGES, is_change

DRIVER = """
import errno, subprocess
import liveinstall._changes.execution, liveinstall._staging.installer_adapter, liveinstall._verbs.undo
from liveinstall import cluster
from liveinstall._environment.target import find_target
from liveinstall._system.lock import environment_lock
from liveinstall._transactions import transaction as transactions

site = find_target().site
lock, wheels = cluster.Lock.parse(os.environ["LOCK"]), [os.environ["WHEELS"]]

def attempt(action, at, name):
    '''Kill the action before its file change number `at`, or refuse that; (exit status, changes counted).'''
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        counted = int(os.read(read, 9) or -1)
        os.close(read)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), counted
    status, counted = 1, 0
    def hook(event, arguments):
        nonlocal counted
        if is_change(event, arguments):
            counted += 1
            if counted - 1 == at:
                if not name:
                    os._exit(9)
                raise OSError(getattr(errno, name), os.strerror(getattr(errno, name)))
    try:
        sys.addaudithook(hook)
        action()
        status = 0
    except li.LiveInstallError:
        status = 3
    finally:
        at = -1
        os.write(write, str(counted).encode())
        os._exit(status)

def next_use():
    with environment_lock(site, who="test"):
        transactions.recover(site)

def parts():
    return sorted(name for name in os.listdir(site) if ".part" in name)

def version():
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    code = "import alpha; print(alpha.__version__)"
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True).stdout.strip()

def left():
    "What is left after the next use; records of prepared changes are dropped, as if an hour had passed."
    names = os.listdir(f"{site}/.liveinstall/transactions")
    for name in names:
        if name.endswith(".prepared"):
            os.utime(f"{site}/.liveinstall/transactions/{name}", (1, 1))
    next_use()
    state = [name for name in os.listdir(f"{site}/.liveinstall") if "draft" in name]
    return parts() + state + [name for name in os.listdir(f"{site}/.liveinstall/transactions") if "dropped" not in name]
"""
PREPARES = """
prepare = lambda: cluster.prepare(lock, wheels)
_, points = attempt(prepare, -1, "")
left()
found = []
for name in ("", "ENOSPC", "EROFS"):
    for at in range(len(name) // 3, points, 2 if not name else 6):
        status, _ = attempt(prepare, at, name)
        seen = version() if at % 8 == 0 else "1.0"
        found.append((name, at, status, seen, left()))
print(json.dumps([points, found]))
"""
ARMS = """
code = "import liveinstall; liveinstall.hold(); import alpha; print(1, flush=True); input()"
user = subprocess.Popen([sys.executable, "-c", code],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
user.stdout.readline()
def once(at):
    "Prepare, kill the arming, inspect, and revert everything."
    assert attempt(lambda: cluster.prepare(lock, wheels), -1, "")[0] == 0
    (id,) = [item.id for item in cluster.look().prepared]
    status, points = attempt(lambda: cluster.arm(id), at, "")
    states = sorted(name.partition(".")[2] for name in os.listdir(f"{site}/.liveinstall/transactions") if id in name)
    seen = version()
    assert attempt(lambda: cluster.drop(id), -1, "")[0] == 0
    return points, status, states, seen, version(), parts()
points, *_ = once(-1)
found = [once(at) for at in range(points)]
user.kill(); user.communicate()
print(json.dumps([points, found]))
"""


def lock_of(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    env.wheel("alpha", "2.0")
    env.wheel("beta", "1.0", requires=("alpha>=2",))
    code = "from liveinstall import cluster\nprint(cluster.lock('beta').text)"
    return env.run(code, **caches_in(env.root / "cache")).stdout


def drive(env, code):
    changes = f"CHANGES = {CHANGES!r}\n{inspect.getsource(is_change)}"
    done = env.run(changes + DRIVER + code, LOCK=lock_of(env))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@can_fork
def test_a_preparation_that_is_killed_or_refused_at_any_point_leaves_the_old_version_and_nothing_else(env):
    points, found = drive(env, PREPARES)
    assert points > 20
    for name, at, status, seen, left in found:
        assert (seen, left) == ("1.0", []), (name, at)
        assert status == 9 if not name else status in (0, 3), (name, at, status)
    assert env.versions() == {"alpha": "1.0"}


@can_fork
def test_arming_that_is_killed_at_any_point_leaves_a_prepared_or_a_pending_change(env):
    points, found = drive(env, ARMS)
    assert points > 5
    outcomes = {(tuple(states), seen) for _, _, states, seen, _, _ in found}
    assert {(("prepared",), "1.0"), (("pending",), "2.0")} == outcomes
    assert {(dropped, *left) for _, _, _, _, dropped, left in found} == {("1.0",)}
