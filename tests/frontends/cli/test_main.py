from __future__ import annotations

import io
import json
import os
import shutil
import subprocess

import pytest
from helpers.capabilities import has_terminals

from liveinstall._frontends.cli import main


@pytest.fixture
def command(env):
    (env.root / "libraries" / "cli.py").write_text(
        "import sys, fake_engine\nfrom liveinstall._frontends.cli.main import main\nsys.exit(main())\n"
    )

    def run(*arguments):
        return subprocess.run(
            [env.python, "-m", "cli", *arguments], env=env.variables(), capture_output=True, text=True, check=False
        )

    return run


def envelope(done):
    return json.loads(done.stdout)


def test_install_status_finalize_and_cancel_as_json(env, command):
    env.wheel("alpha", "1.0")
    done = command("install", "alpha", "--when", "restart", "--json")
    assert done.returncode == 0, done.stderr
    told = envelope(done)
    assert (told["liveinstall"], told["command"], told["ok"]) == (1, "install", True)
    assert told["result"]["staged"][0]["name"] == "alpha" and told["result"]["restart_required"] is True
    # The next command's own start swaps it.
    assert envelope(command("status", "--json"))["result"]["pending"] == []
    assert (env.site / "alpha").is_dir()
    assert command("finalize").stdout == "No pending changes.\n"
    failed = command("cancel", "alpha", "--json")
    assert failed.returncode == 1
    assert envelope(failed)["error"]["type"] == "NotPendingError"


def test_statuses_are_honest(env, command):
    assert command("install", "nothing").returncode == 1
    assert command("install", "not>>valid").returncode == 2
    assert command("instal").returncode == 2
    assert "Nothing was changed." in command("install", "nothing").stderr
    env.wheel("alpha", "1.0")
    holder = env.start("li.install('alpha', when='restart'); print('up', flush=True); input()")
    holder.stdout.readline()
    waiting = command("finalize")
    shown = command("status")
    told = envelope(command("status", "--json"))["result"]
    forced = command("finalize", "--force")
    holder.kill()
    holder.communicate()
    assert waiting.returncode == 3 and "used by another Python (pid" in waiting.stdout
    assert f"waiting for: the exit of this process; another Python (pid {holder.pid}: " in shown.stdout
    assert (told["holders"][0]["pid"], type(told["holders"][0]["uses"])) == (holder.pid, list)
    assert forced.returncode == 0 and "alpha 1.0" in forced.stdout


def test_plan_and_dry_run_change_nothing(env, command):
    env.wheel("alpha", "1.0")
    assert command("plan", "alpha").stdout.startswith("Would be installed now:\n  alpha 1.0")
    assert command("install", "--dry-run", "alpha").stdout.startswith("Would be installed now:")
    assert list(env.site.iterdir()) == []


def test_help_names_every_verb(command):
    text = command("--help").stdout
    assert all(verb in text for verb in ("install", "plan", "status", "finalize", "cancel", "history", "undo", "prune"))


def test_history_undo_and_prune_as_json_and_in_words(env, command):
    assert command("history").stdout == "No transactions yet.\n"
    assert command("prune").stdout == "Nothing to remove.\n"
    for version in ("1.0", "2.0"):
        env.wheel("alpha", version)
        command("install", "-U", "alpha")
    told = envelope(command("history", "--json"))["result"]
    assert [past["changes"][0]["new_version"] for past in told] == ["2.0", "1.0"]
    assert [past["undoable"] for past in told] == [True, False] and "changed by" in told[1]["why_not"]
    first = told[1]["transaction"]
    assert "alpha 1.0 -> 2.0" in command("history").stdout and "requested alpha" in command("history", first).stdout
    assert [past["transaction"] for past in envelope(command("history", first, "--json"))["result"]] == [first]
    unknown = command("history", "nothing")
    assert (unknown.returncode, "NotHappenedError: no transaction has changed nothing." in unknown.stderr) == (
        1,
        True,
    )
    undone = command("undo", "--to", first, "--json")
    assert undone.returncode == 0, undone.stderr
    assert envelope(undone)["result"]["installed"][0]["new_version"] == "1.0"
    again = command("undo")
    assert (again.returncode, "alpha 1.0 -> 2.0" in again.stdout) == (0, True), again.stderr
    refused = command("undo", first, "--json")
    assert refused.returncode == 1
    assert envelope(refused)["error"] | {"message": "", "todo": ""} == {
        "type": "MovedOnError",
        "message": "",
        "unchanged": "Nothing was changed.",
        "todo": "",
        "transaction": first,
        "name": "alpha",
    }
    assert command("undo", first, "--to", first).returncode == 2
    assert command("prune", "--keep", "-1").returncode == 2
    pruned = command("prune", "--keep", "1").stdout.splitlines()
    assert len(pruned) == 2 and all(line.startswith("Undo data removed for: ") for line in pruned)
    assert len(envelope(command("prune", "--json"))["result"]) == 1


def test_a_prune_without_a_limit_requires_all_unless_the_user_agrees(env, command):
    for version in ("1.0", "2.0"):
        env.wheel("alpha", version)
        command("install", "-U", "alpha")
    refused = command("prune")
    assert refused.returncode == 2 and "Add --all, or a limit" in refused.stderr
    assert command("prune", "--all", "--keep", "1").returncode == 2
    assert envelope(command("history", "--json"))["result"][0]["undoable"]
    pruned = command("prune", "--all")
    assert pruned.returncode == 0 and "Undo data removed for: " in pruned.stdout
    assert command("prune").stdout == "Nothing to remove.\n"


@has_terminals
@pytest.mark.parametrize(("answer", "status", "left"), [("n", 1, True), ("", 1, True), ("y", 0, False)])
def test_a_prune_without_a_limit_asks_at_a_terminal(env, command, answer, status, left):
    import pty

    for version in ("1.0", "2.0"):
        env.wheel("alpha", version)
        command("install", "-U", "alpha")
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = subprocess.run(
        [env.python, "-m", "cli", "prune"],
        env=env.variables(),
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        check=False,
    )
    asked = os.read(ours, 10000).decode()
    os.close(ours), os.close(theirs)
    assert done.returncode == status and "1 transaction can be undone now" in asked
    assert envelope(command("history", "--json"))["result"][0]["undoable"] is left


@pytest.mark.skipif(not shutil.which("bash"), reason="needs a shell with PIPESTATUS")
def test_a_reader_that_closes_the_pipe_is_not_a_failure(env, command):
    command("history")
    line = f"'{env.python}' -m cli history | true; exit ${{PIPESTATUS[0]}}"
    for _ in range(3):
        done = subprocess.run(["bash", "-c", line], env=env.variables(), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_options_may_stand_among_requirements_as_for_pip(env, command):
    for name in ("alpha", "beta"):
        env.wheel(name, "1.0")
    done = command("plan", "alpha", "--pre", "beta", "--no-deps", "--json")
    assert [change["name"] for change in envelope(done)["result"]["changes"]] == ["alpha", "beta"], done.stderr
    assert command("install", "--", "alpha").returncode == 0
    assert envelope(command("install", "--json", "--", "-e ."))["error"]["type"] == "UsageError"
    assert command("install", "alpha", "--nonsense").returncode == 2
    refused = command("install", "beta", "--no-index", "-i", "https://h", "--json")
    assert (refused.returncode, envelope(refused)["error"]["type"]) == (2, "RequirementError")


def test_a_group_and_a_script_are_requirements(env, command, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[dependency-groups]\ndev = ["alpha"]\n')
    (tmp_path / "tool.py").write_text("# /// script\n# dependencies = ['beta']\n# ///\n")
    for name in ("alpha", "beta"):
        env.wheel(name, "1.0")
    done = command(
        "install", "--group", f"{tmp_path}/pyproject.toml:dev", "--requirements-from-script", str(tmp_path / "tool.py")
    )
    assert done.returncode == 0 and env.versions() == {"alpha": "1.0", "beta": "1.0"}, done.stderr
    last = envelope(command("history", "--json"))["result"][0]["transaction"]
    assert "requested alpha, beta" in command("history", last).stdout


def test_pending_changes_are_shown_separately(env, command):
    assert command("pending").stdout == "No pending changes.\n"
    assert envelope(command("pending", "--json"))["result"] == []
    env.wheel("alpha", "1.0")
    with env.start("li.install('alpha', when='restart'); print('up', flush=True); input()") as holder:
        holder.stdout.readline()
        told, shown = envelope(command("pending", "--json"))["result"], command("pending").stdout
        holder.communicate("\n")
    assert told[0]["changes"][0]["name"] == "alpha" and told[0]["state"] == "pending"
    assert shown.startswith("Pending since ") and "alpha 1.0" in shown


def test_a_command_line_without_sense_is_json_too(command):
    for words in (["instal", "--json"], ["install", "alpha", "--nonsense", "--json"], ["--json"], ["guard", "--json"]):
        done = command(*words)
        told = envelope(done)
        assert (done.returncode, told["ok"], told["error"]["type"]) == (2, False, "UsageError"), words
        assert told["error"]["unchanged"] == "Nothing was changed." and done.stderr == ""


def test_an_error_is_one_line_and_with_debug_a_traceback_and_the_log(env, command):
    plain, debug = command("install", "nothing", "-q"), command("install", "nothing", "-q", "--debug")
    assert (plain.returncode, debug.returncode) == (1, 1)
    assert plain.stderr.count("\n") == 1 and plain.stderr.startswith("ResolutionError: nothing fits nothing.")
    assert "Traceback" in debug.stderr and debug.stderr.endswith(plain.stderr)
    told = envelope(command("install", "nothing", "--debug", "--json"))
    assert told["error"]["type"] == "ResolutionError"


def test_the_engine_and_the_reason_are_in_the_result_and_shown_if_verbose(env, command):
    env.wheel("alpha", "1.0")
    env.wheel("beta", "1.0")
    done = command("install", "alpha", "--engine", "pip", "--verbose")
    assert done.stdout.splitlines()[-1] == "Engine: pip, because it was requested."
    assert "Engine" not in command("install", "alpha", "--engine", "pip").stdout
    result = json.loads(command("install", "beta", "--engine", "uv", "--json", "-v").stdout)["result"]
    assert (result["engine"], result["engine_reason"]) == ("uv", "it was requested")
    satisfied = json.loads(command("ensure", "beta", "--json").stdout)["result"]
    assert (satisfied["engine"], satisfied["engine_reason"]) == ("", ""), "none was needed"


def test_an_error_without_a_type_of_ours_is_one_line_too(env, command):
    env.wheel("alpha", "1.0")
    (env.root / "libraries" / "cli.py").write_text(
        "import sys\nfrom liveinstall._frontends.cli import verbs\nfrom liveinstall._frontends.cli.main import main\n"
        "def fail(_): raise OSError(28, 'No space left on device')\n"
        "verbs.VERBS['status'] = fail\nsys.exit(main())\n"
    )
    done, debug, told = command("status"), command("status", "-v"), command("status", "--json")
    assert [each.returncode for each in (done, debug, told)] == [5, 5, 5]
    assert done.stderr.count("\n") == 1 and "OSError: No space left on device." in done.stderr
    assert "Traceback" in debug.stderr and "half done" in done.stderr
    assert envelope(told)["error"]["type"] == "OSError"


def test_an_interrupt_has_its_status(env, command):
    (env.root / "libraries" / "cli.py").write_text(
        "import sys\nfrom liveinstall._frontends.cli import verbs\nfrom liveinstall._frontends.cli.main import main\n"
        "def stop(_): raise KeyboardInterrupt\nverbs.VERBS['status'] = stop\nsys.exit(main())\n"
    )
    done, told = command("status"), command("status", "--json")
    assert (done.returncode, done.stderr) == (130, "KeyboardInterrupt: Interrupted. Nothing was changed.\n")
    assert (told.returncode, envelope(told)["error"]["type"]) == (130, "KeyboardInterrupt")


def test_a_script_of_another_environment_than_the_active_one_says_so(env, command):
    script = env.root / "liveinstall"
    script.write_text("import sys, fake_engine\nfrom liveinstall._frontends.cli.main import main\nsys.exit(main())\n")

    def run(active):
        variables = env.variables(VIRTUAL_ENV=str(active))
        return subprocess.run([env.python, script, "status"], env=variables, capture_output=True, text=True, check=True)

    assert run(env.root).stderr == ""
    assert run("/other").stderr == (
        f"Note: this is the liveinstall of {env.root}, but the activated environment is /other.\n"
    )


def test_colours_are_forced_and_forbidden(env, command, monkeypatch):
    env.wheel("alpha", "1.0")
    assert "\033[" not in command("install", "alpha").stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\033[32mNo problems found.\033[0m" in command("check").stdout
    assert command("install", "-q", "nothing").stderr.startswith("\033[31mResolutionError\033[0m: ")
    assert "\033[" not in command("check", "--json").stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert command("check").stdout == "No problems found.\n"


def test_while_a_program_runs_under_a_hold_nothing_is_replaced(env, command):
    for version in ("1.0", "2.0"):
        env.wheel("alpha", version)
    command("install", "alpha==1.0")
    code = "print('up', flush=True); input(); import alpha; print(alpha.__version__); raise SystemExit(7)"
    line = [env.python, "-m", "cli", "hold", "--", env.python, "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, env=env.variables(), stdin=pipe, stdout=pipe, text=True) as process:
        process.stdout.readline()
        staged = command("install", "alpha==2.0").stdout
        out, _ = process.communicate("\n", timeout=60)
    assert "Staged for the next start of Python:" in staged and f"pid {process.pid}" in staged
    assert (out, process.returncode) == ("1.0\n", 7)
    assert env.bare("import alpha; print(alpha.__version__)").stdout == "2.0\n"


def test_a_hold_needs_a_program_that_can_be_started(env, command):
    assert (command("hold").returncode, command("hold", "--").returncode) == (2, 2)
    done = command("hold", "/nowhere/program", "--json")
    assert done.returncode == 2 and "could not be started" in done.stderr
    assert command("hold", env.python, "-c", "import os; os.kill(os.getpid(), 9)").returncode == (
        9 if os.name == "nt" else 137
    )
    assert envelope(command("hold", "--json", env.python, "-c", "raise SystemExit(3)"))["result"] == 3


def test_list_freeze_and_show_take_pips_options(env, command):
    env.wheel("alpha", "1.0", requires=("beta",))
    env.wheel("beta", "1.0")
    command("install", "alpha")
    assert command("list", "--format=freeze", "-l").stdout == "alpha==1.0\nbeta==1.0\n"
    assert command("list", "--format=freeze", "-l", "a*").stdout == "alpha==1.0\n"
    assert command("list", "--format", "columns", "-l").stdout.splitlines()[:3] == [
        *("Package Version", "------- -------", "alpha   1.0")
    ]
    named = command("list", "--not-required", "--format=json", "--local", "--no-input")
    assert json.loads(named.stdout) == [{"name": "alpha", "version": "1.0"}]
    assert command("freeze", "-l", "--exclude", "Alpha").stdout == "beta==1.0\n"
    shown = command("show", "Beta").stdout.splitlines()
    assert shown[0] == "Name: beta" and f"Location: {env.site}" in shown and "Required-by: alpha" in shown
    assert "Requires: beta" in command("show", "alpha", "beta").stdout.partition("---")[0]
    missing = command("show", "nothing")
    assert missing.returncode == 2 and "nothing: not installed" in missing.stderr


def test_show_has_what_pip_shows_and_the_pending_version(env, command):
    env.wheel("alpha", "1.0")
    command("install", "alpha")
    env.wheel("alpha", "2.0")
    (metadata,) = env.site.glob("alpha-*.dist-info/METADATA")
    metadata.write_text(
        "Metadata-Version: 2.4\nName: alpha\nVersion: 1.0\nSummary: first\nLicense: MIT\n more text\n"
        "Project-URL: Source, https://host/code\nProject-URL: Home Page, https://host/\n"
    )
    assert command("show", "alpha").stdout.splitlines()[2:6] == [
        *("Summary: first", "Home-page: https://host/", "License: MIT", f"Location: {env.site}")
    ]
    with env.start("li.install('alpha', upgrade=True, when='restart'); print('up', flush=True); input()") as holder:
        assert holder.stdout.readline() == "up\n"
        shown = command("show", "alpha").stdout
        told = envelope(command("show", "alpha", "--json"))["result"][0]
        holder.communicate("\n", timeout=60)
    assert "\nPending: 2.0\n" in shown and told["pending"] == "2.0"


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "\\udcff and é\n"), ("ascii", "\\udcff and \\xe9\n")])
def test_what_the_output_cannot_encode_is_escaped(monkeypatch, encoding, shown):
    """A damaged record may have any bytes in a name."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    monkeypatch.setattr("sys.stdout", stream)
    main._print("\udcff and é")
    assert stream.buffer.getvalue().decode(encoding) == shown
