"""Environments of the version before the source tree was rearranged work with the current one.

Everything is made by the old wheel in real processes; then the new wheel replaces it, and all that follows is the new
one's, but for the copy of the old boot package that the old companions and start-up lines import.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from integration.lib.checks import left_overs, missing_files
from integration.lib.environments import Environment, user_variables
from integration.lib.previous_version import (
    COMMIT,
    LiveProcess,
    Versions,
    build_previous_wheel,
    copy_environment,
    download_dependencies,
    kill_starts,
    run_command,
    transaction_states,
)
from integration.lib.wheels import write_wheel


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Versions:
    """Both wheels, and small ones: alpha 1.0, 1.5 and 2.0, beta 1.0 and 2.0."""
    old = build_previous_wheel(tmp_path_factory.mktemp("old"))
    if old is None:
        pytest.skip(f"the version before is built from commit {COMMIT[:7]}, which is not here, or git is not")
    wheels = download_dependencies(tmp_path_factory.mktemp("offline"))
    for version in ("1.0", "1.5", "2.0"):
        write_wheel(wheels, "alpha", version, scripts=["alpha"])
    for version in ("1.0", "2.0"):
        write_wheel(wheels, "beta", version)
    return Versions(old, wheel, wheels)


@pytest.fixture
def old(versions: Versions, tmp_path: Path) -> Environment:
    """An environment with the old liveinstall, alpha 1.0 and beta 1.0."""
    return versions.make_environment(tmp_path / "venv")


def version_of(environment: Environment, name: str = "alpha", **variables: str) -> str:
    """The version that a new interpreter imports; it starts silently."""
    done = environment.run("-c", f"import {name}.late; print({name}.late.VERSION)", env=user_variables(**variables))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def stage(environment: Environment, versions: Versions, *requirements: str) -> None:
    """Stage an upgrade with the installed liveinstall."""
    result = run_command(environment, "install", "--when", "restart", *versions.offline, *requirements)
    assert len(result["staged"]) == len(requirements)


_WRONG = """
import json, liveinstall
check = liveinstall.check()
print(json.dumps([*check.broken, *map(str, check.damaged), *map(str, liveinstall.doctor())]))
"""


def assert_whole(environment: Environment) -> None:
    """No file is left over, missing or wrong."""
    assert left_overs(environment.site) == [] and list(missing_files(environment.site)) == []
    assert transaction_states(environment) == []
    assert environment.run("-c", _WRONG, check=True).stdout == "[]\n"


def boot_copies(environment: Environment) -> list[str]:
    """The names of the copies of the boot package in an environment's state directory."""
    return sorted(path.name for path in environment.site.glob(".liveinstall/_liveinstall_finalizer_*"))


def test_a_start_puts_in_place_what_was_pending_and_undo_takes_it_out(old: Environment, versions: Versions) -> None:
    stage(old, versions, "alpha==2.0")
    (copy,) = boot_copies(old)
    versions.install_new(old)
    assert boot_copies(old) == [copy]  # that of the old version swaps
    (companion,) = old.site.glob("*.part.pth")
    assert copy in companion.read_text(encoding="ascii")
    assert version_of(old) == "2.0"
    assert_whole(old)
    (past,) = run_command(old, "history")
    assert past["changes"][0]["new_version"] == "2.0" and not past["why_not"]
    run_command(old, "undo")
    assert version_of(old) == "1.0"
    assert_whole(old)


_PENDING = """
import liveinstall
print([(str(change), item.state) for item in liveinstall.pending() for change in item.changes])
"""


def test_what_was_pending_is_shown_and_cancelled(old: Environment, versions: Versions) -> None:
    stage(old, versions, "alpha==2.0", "beta==2.0")
    versions.install_new(old)
    with LiveProcess(old, finalizes=False) as process:
        shown = process.run(_PENDING)
        assert shown == "[('alpha 1.0 -> 2.0', 'pending'), ('beta 1.0 -> 2.0', 'pending')]"
        assert process.run("print(len(liveinstall.status().pending))") == "1"
        assert process.run("print([str(change) for change in liveinstall.cancel('beta')])") == "['beta 1.0 -> 2.0']"
        assert process.run(_PENDING) == "[('alpha 1.0 -> 2.0', 'pending')]"
        process.run("liveinstall.cancel()")
    assert (version_of(old), version_of(old, "beta")) == ("1.0", "1.0")
    assert_whole(old)


def test_what_was_pending_is_finalized_from_within(old: Environment, versions: Versions) -> None:
    stage(old, versions, "alpha==2.0")
    versions.install_new(old)
    with LiveProcess(old, finalizes=False) as process:
        done = process.run("import liveinstall; print([str(change) for change in liveinstall.finalize().installed])")
        assert done == "['alpha 1.0 -> 2.0']"
        assert process.run("import alpha; print(alpha.VERSION)") == "2.0"
    assert_whole(old)


def test_the_new_version_adds_to_what_was_pending(old: Environment, versions: Versions) -> None:
    offline = f"no_index=True, find_links={str(versions.wheels)!r}"
    with LiveProcess(old) as process:  # alpha is not swapped while it is running
        process.run(f"import alpha, liveinstall; liveinstall.install('alpha==2.0', {offline})")
        versions.install_new(old)
        stage(old, versions, "beta==2.0")
        shown = old.run("-c", _PENDING, check=True).stdout
        assert "alpha 1.0 -> 2.0" in shown and "beta 1.0 -> 2.0" in shown
    assert (version_of(old), version_of(old, "beta")) == ("2.0", "2.0")
    assert_whole(old)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_what_a_kill_left_is_brought_to_an_end(old: Environment, versions: Versions, tmp_path: Path) -> None:
    stage(old, versions, "alpha==2.0")
    states = set()
    for killed in kill_starts(old, tmp_path):
        states |= (here := set(transaction_states(killed)))
        versions.install_new(killed)
        other = copy_environment(killed, tmp_path / "other")
        assert version_of(killed) == "2.0"  # the old copy of the boot package, if there is one, or the next use
        assert_whole(killed)
        with LiveProcess(other, finalizes=False) as process:
            process.run("import liveinstall; liveinstall.status(); liveinstall.finalize()")
            assert process.run("import alpha; print(alpha.VERSION, len(liveinstall.history()))") == "2.0 1", here
        assert_whole(other)
        killed.remove()
        other.remove()
    assert states == {"pending", "swapping", "committed"}


def test_a_guarded_environment_stays_guarded(old: Environment, versions: Versions) -> None:
    run_command(old, "guard", "on")
    versions.install_new(old)
    with LiveProcess(old) as process:  # it holds the environment by the old copy
        process.run("import alpha")
        status = run_command(old, "status")
        assert status["guarded"] and process.pid in [holder["pid"] for holder in status["holders"]]
        result = run_command(old, "install", *versions.offline, "alpha==2.0")
        assert [change["name"] for change in result["staged"]] == ["alpha"]
        assert version_of(old) == "2.0"  # from its part
        assert process.run("import alpha.late; print(alpha.late.VERSION)") == "1.0"
    assert version_of(old) == "2.0"
    run_command(old, "guard", "off")
    assert run_command(old, "status")["guarded"] is False
    assert_whole(old)


def test_a_live_process_of_the_old_version_is_seen(old: Environment, versions: Versions) -> None:
    offline = f"no_index=True, find_links={str(versions.wheels)!r}"
    with LiveProcess(old) as process:
        process.run(f"import alpha, liveinstall; liveinstall.install('alpha==2.0', {offline})")
        versions.install_new(old)
        status = run_command(old, "status")
        (holder,) = [holder for holder in status["holders"] if holder["pid"] == process.pid]
        assert "alpha" in holder["uses"]
        (pending,) = run_command(old, "pending")
        assert pending["changes"][0]["new_version"] == "2.0" and str(process.pid) in pending["waits_for"]
        assert version_of(old) == "2.0"  # from its part
        waits = old.run("-m", "liveinstall", "finalize", "--json")
        assert waits.returncode == 3, waits.stdout
        assert process.run("import alpha.late; print(alpha.late.VERSION)") == "1.0"
    assert version_of(old) == "2.0"
    assert_whole(old)


def test_a_registry_is_looked_for_by_the_old_line(old: Environment, versions: Versions) -> None:
    run_command(old, "registry", "create", "env1", *versions.offline, "alpha==2.0")
    run_command(old, "registry", "create", "env2", "--exclusive", *versions.offline, "alpha==1.5")
    run_command(old, "registry", "enable")
    assert version_of(old, LIVEINSTALL_REGISTRY="env1") == "2.0"
    (line,) = old.site.glob("_liveinstall_registry.*")
    written = line.read_text(encoding="ascii")
    versions.install_new(old)
    assert version_of(old) == "1.0"
    assert version_of(old, LIVEINSTALL_REGISTRY="env1") == "2.0"
    assert version_of(old, LIVEINSTALL_REGISTRY="env2") == "1.5"
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import alpha; print(alpha.VERSION)'])"
    assert old.run("-c", child, env=user_variables(LIVEINSTALL_REGISTRY="env1"), check=True).stdout == "2.0\n"
    status = "import liveinstall; print(*liveinstall.status().active.distributions)"
    done = old.run("-c", status, env=user_variables(LIVEINSTALL_REGISTRY="env1"), check=True)
    assert done.stdout == "alpha 2.0 (side by side)\n"
    assert {each["name"]: each["problems"] for each in run_command(old, "registry", "list")} == {"env1": [], "env2": []}
    assert line.read_text(encoding="ascii") == written
    run_command(old, "registry", "enable")  # in the format of the new version
    assert version_of(old, LIVEINSTALL_REGISTRY="env1") == "2.0"
    run_command(old, "registry", "disable")
    assert version_of(old, LIVEINSTALL_REGISTRY="env1") == "1.0"
    assert_whole(old)


def test_a_store_with_two_versions_serves(old: Environment, versions: Versions) -> None:
    for version in ("1.5", "2.0"):
        run_command(old, "install", "--parallel", *versions.offline, f"alpha=={version}")
    versions.install_new(old)
    assert run_command(old, "versions", "alpha")["stored"] == ["2.0", "1.5"]
    for version in ("1.5", "2.0", "1.0"):
        code = f"import liveinstall; liveinstall.require('alpha=={version}'); import alpha; print(alpha.VERSION)"
        assert old.run("-c", code, check=True).stdout == f"{version}\n"
    done = old.run("-m", "liveinstall", "run", "--with", "alpha==1.5", "-c", "import alpha; print(alpha.VERSION)")
    assert done.stdout == "1.5\n", done.stderr
    run_command(old, "store", "remove", "alpha==1.5")
    assert [entry["version"] for entry in run_command(old, "store", "list")] == ["2.0"]
    assert version_of(old) == "1.0"


def test_a_home_runs_and_is_removed(old: Environment, versions: Versions, tmp_path: Path) -> None:
    home = tmp_path / "home"
    run_command(old, "home", "create", str(home), *versions.offline, "alpha==2.0")
    versions.install_new(old)
    code = "import alpha; print(alpha.VERSION)"
    done = old.run("-m", "liveinstall", "home", "run", str(home), "-c", code)
    assert (done.stdout, done.stderr) == ("2.0\n", "")
    assert version_of(Environment.at(home)) == "2.0"
    looked = f"import liveinstall; print(liveinstall.homes.look({str(home)!r}).distributions)"
    assert old.run("-c", looked, check=True).stdout == "(('alpha', '2.0'),)\n"
    run_command(old, "home", "remove", str(home))
    assert not home.exists()


def test_what_happened_is_history_and_can_be_undone(old: Environment, versions: Versions) -> None:
    run_command(old, "install", *versions.offline, "alpha==1.5")
    run_command(old, "install", *versions.offline, "alpha==2.0", "beta==2.0")
    run_command(old, "uninstall", "beta")
    before = run_command(old, "history")
    versions.install_new(old)
    history = run_command(old, "history")
    assert history == before and [len(past["changes"]) for past in history] == [1, 2, 1]
    run_command(old, "undo", history[0]["transaction"])
    assert (version_of(old), version_of(old, "beta")) == ("2.0", "2.0")
    run_command(old, "undo", history[1]["transaction"])
    assert (version_of(old), version_of(old, "beta")) == ("1.5", "1.0")
    run_command(old, "undo", "--to", history[0]["transaction"])
    assert version_of(old, "alpha") == "2.0"
    run_command(old, "prune")
    assert all(past["why_not"] for past in run_command(old, "history"))
    assert_whole(old)


def test_what_requesters_need_is_kept(old: Environment, versions: Versions) -> None:
    run_command(old, "ensure", *versions.offline, "--requester", "app/plot", "alpha<2")
    versions.install_new(old)
    code = "from liveinstall.hosts import Host; print(Host('app').plugins())"
    assert old.run("-c", code, check=True).stdout == "{'plot': ('alpha<2',)}\n"
    error = run_command(old, "install", *versions.offline, "alpha==2.0", fails=True)
    assert error["type"] == "ProtectedError" and "app/plot" in json.dumps(error)
    assert version_of(old) == "1.0"


@pytest.mark.parametrize("verb", ["finalize", "cancel"])
def test_what_was_set_aside_is_shown_and_tried_again_or_dropped(
    old: Environment, versions: Versions, verb: str
) -> None:
    stage(old, versions, "alpha==2.0")
    record = old.site / "alpha-1.0.dist-info" / "RECORD"
    before = record.read_bytes()
    record.write_bytes(before + b"\n")
    assert "set aside" in old.run("-c", "import alpha").stderr
    record.write_bytes(before)
    versions.install_new(old)
    (item,) = run_command(old, "pending")
    assert (item["state"], item["changes"][0]["name"]) == ("failed", "alpha")
    assert version_of(old) == "1.0"
    run_command(old, verb)
    assert version_of(old) == ("2.0" if verb == "finalize" else "1.0")
    assert_whole(old)


def test_the_old_version_replaces_itself_by_the_new_one_and_back(old: Environment, versions: Versions) -> None:
    result = run_command(old, "install", *versions.offline, "--force-reinstall", "--no-deps", str(versions.new))
    assert [change["name"] for change in result["staged"]] == ["liveinstall"]
    assert version_of(old) == "1.0"  # any start
    assert old.site.joinpath("liveinstall", "_verbs").is_dir()
    assert_whole(old)
    assert len(run_command(old, "history")) == 1
    run_command(old, "undo")
    assert version_of(old) == "1.0"
    assert old.site.joinpath("liveinstall", "session").is_dir()
    assert_whole(old)
