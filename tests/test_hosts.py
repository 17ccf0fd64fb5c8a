"""Applications with plugins: consent, restart, protection, removal; and what their administrators can disable."""

from __future__ import annotations

import json
import subprocess

import pytest
from helpers.environments import tree

from liveinstall._system import programs
from liveinstall.errors import RequirementError, TrialError
from liveinstall.hosts import Host, start_again

HOST = """
from liveinstall.hosts import Host
said = []
def consent(plugin, plan):
    said.append(["consent", plugin, sorted(str(c) for c in plan.changes)])
    return os.environ.get("CONSENT", "yes") == "yes"
host = Host("app", protect=["core<2"], consent=consent,
            restart=lambda plugin, result: said.append(["restart", plugin, sorted(str(c) for c in result.staged)]),
            on_event=lambda plugin, event: said.append([type(event).__name__, plugin]))
def show(**more):
    print(json.dumps({"said": said, "plugins": host.plugins(), **more}))
"""


@pytest.fixture
def app(env):
    for name, version, requires in (
        ("core", "1.0", ()), ("core", "2.0", ()),
        ("plot", "1.0", ("shared", "only-plot")), ("shared", "1.0", ()), ("only-plot", "1.0", ()),
        ("table", "1.0", ("shared",)), ("greedy", "1.0", ("core>=2",)),
    ):  # fmt: skip
        env.wheel(name, version, requires=requires)
    env.run("li.install('core==1.0')")
    return env


def test_a_plugin_gets_what_it_needs_after_consent_and_asks_only_once(app):
    told = app.json(HOST + "host.ensure('Plot', 'plot'); host.ensure('Plot', 'plot'); show()")
    consents = [each for each in told["said"] if each[0] == "consent"]
    assert consents == [["consent", "Plot", ["only-plot 1.0", "plot 1.0", "shared 1.0"]]]
    assert [each[0] for each in told["said"] if each[0] != "Staging"] == [
        *("Planning", "Planned", "consent", "Committing", "Done")
    ]
    assert told["plugins"] == {"Plot": ["plot"]}


def test_without_consent_nothing_changes(app):
    before = tree(app.site)
    done = app.run(
        HOST + "try: host.install('Plot', 'plot')\nexcept li.errors.DeclinedError as e:\n"
        " show(what=str(e), plugin=e.plugin, plan=len(e.plan.changes))",
        CONSENT="no",
    )
    told = json.loads(done.stdout)
    assert (told["what"], told["plan"]) == ("the request of Plot was declined. Nothing was changed.", 3)
    assert (told["plugins"], told["plugin"]) == ({}, "Plot")
    assert tree(app.site) == before
    assert app.json(HOST + "host.install('Plot', 'plot', dry_run=True); show()", CONSENT="no")["plugins"] == {}


@pytest.mark.parametrize("answer", ["'yes'", "1", "None"])
def test_only_true_is_consent(app, answer):
    done = app.run(f"from liveinstall.hosts import Host\nHost('app', consent=lambda *_: {answer}).ensure('P', 'plot')")
    assert "DeclinedError" in done.stderr and app.versions() == {"core": "1.0"}


def test_no_plugin_breaks_the_host_and_restart_is_called_if_changes_are_pending(app):
    told = app.json(
        HOST + "import core\ntry: host.install('Greedy', 'greedy')\n"
        "except li.errors.ProtectedError as error: why = str(error)\n"
        "host.protect = ()\nhost.install('Greedy', 'greedy'); show(why=why)"
    )
    assert "app/Greedy" in told["why"] and "the host requires core<2" in told["why"]
    assert [each for each in told["said"] if each[0] == "restart"] == [
        ["restart", "Greedy", ["core 1.0 -> 2.0", "greedy 1.0"]]
    ]


def test_a_plugin_that_goes_takes_along_what_only_it_needed(app):
    app.run("li.install('only-plot')")  # installed by the user: it stays
    told = app.json(
        HOST + "host.ensure('Plot', 'plot'); host.ensure('Table', 'table', 'core')\nr = host.remove('Plot')\n"
        "show(removed=sorted(c.name for c in r.removed))"
    )
    assert (told["removed"], told["plugins"]) == (["plot"], {"Table": ["table", "core"]})
    told = app.json(HOST + "r = host.remove('Table'); show(removed=sorted(c.name for c in r.removed))")
    assert (told["removed"], told["plugins"]) == (["shared", "table"], {})  # `shared` was installed for Plot
    assert app.versions() == {"core": "1.0", "only_plot": "1.0"}
    assert app.json(HOST + "r = host.remove('Nobody'); show(changed=r.changed)")["changed"] is False


def test_what_another_plugin_or_the_host_asks_for_stays(app):
    told = app.json(
        HOST
        + "for one in 'AB': host.ensure(one, 'plot', 'shared')\nhost.ensure('C', 'table')\nfirst = host.remove('A')\n"
        "host.protect = ['only-plot']; second = host.remove('B')\n"
        "show(removed=[[c.name for c in r.removed] for r in (first, second)])"
    )
    assert (told["removed"], told["plugins"]) == ([[], ["plot"]], {"C": ["table"]})
    told = app.json(
        HOST + "host.ensure('B', 'shared'); r = host.remove('C'); show(removed=[c.name for c in r.removed])"
    )
    assert told["removed"] == ["only-plot", "table"]  # it is no longer protected, and B requests `shared`


def test_what_a_user_asked_for_in_the_same_transaction_stays(app):
    told = app.json(
        HOST + "host.install('Plot', 'plot', when='restart'); li.install('table', when='restart')\n"
        "r = host.remove('Plot'); show(left=[c.name for p in li.pending() for c in p.changes])"
    )
    assert told["left"] == ["shared", "table"]


@pytest.mark.parametrize(
    ("later", "removed"),
    [
        ("li.uninstall('plot'); li.install('plot')", []),
        ("li.install('plot==2.0')", []),
        ("li.uninstall('plot'); host.install('Plot', 'plot')", ["only-plot", "plot", "shared"]),
        ("li.install('table', upgrade=True)", ["only-plot", "plot"]),
    ],
)
def test_what_a_user_has_asked_for_since_stays(app, later, removed):
    app.run(HOST + "host.ensure('Plot', 'plot')")
    app.wheel("plot", "2.0", requires=("shared", "only-plot"))
    told = app.json(HOST + f"{later}\nr = host.remove('Plot')\nshow(removed=sorted(c.name for c in r.removed))")
    assert told["removed"] == removed


def test_pending_changes_of_a_plugin_are_cancelled_with_its_removal(app):
    told = app.json(
        HOST + "host.ensure('Plot', 'plot'); import plot\nhost.remove('Plot', when='auto')\n"
        "host.install('Table', 'table', when='restart'); before = [c.name for p in li.pending() for c in p.changes]\n"
        "host.remove('Table'); show(before=before, left=[c.name for p in li.pending() for c in p.changes])"
    )
    assert "table" in told["before"] and "table" not in told["left"]


@pytest.mark.parametrize("protect", ["numpy", ["not a requirement"], 1])
def test_what_a_host_protects_is_requirements(protect):
    with pytest.raises(RequirementError, match="protect="):
        Host("app", protect=protect)


def test_a_plugin_that_was_not_removed_is_not_forgotten(app):
    app.run(HOST + "host.ensure('Plot', 'plot')")
    done = app.run(HOST + "host.remove('Plot')", CONSENT="no")
    assert "DeclinedError" in done.stderr
    assert app.json(HOST + "show()")["plugins"] == {"Plot": ["plot"]}


@pytest.mark.parametrize(
    "change",
    [
        *("li.install('plot')", "li.uninstall('core')", "li.undo()", "li.prune()", "li.finalize()", "li.guard('on')"),
        *("li.cancel()", "li.repair()", "li.hosts.Host('app').remove('Plot')", "li.ensure('plot')"),
    ],
)
def test_every_change_is_refused_where_it_is_switched_off(app, change):
    before = tree(app.site, ignore=("__pycache__", "holds"))
    done = app.run(change, LIVEINSTALL_DISABLE="Ask it@example.org")
    assert done.stderr.splitlines()[-1] == (
        "liveinstall.errors.DisabledError: changes of this environment are disabled by LIVEINSTALL_DISABLE: "
        "Ask it@example.org. Nothing was changed. Ask your administrator, or use an environment of your own."
    )
    assert tree(app.site, ignore=("__pycache__", "holds")) == before


@pytest.mark.parametrize("value", ["", "0", "No", "off", "false"])
def test_a_plain_no_switches_nothing_off(app, value):
    assert app.run("li.install('plot')", LIVEINSTALL_DISABLE=value).returncode == 0


def test_what_changes_nothing_is_still_there(app):
    looks = "li.plan('plot'), li.status(), li.check(), li.ensure('core'), li.install('plot', dry_run=True), li.doctor()"
    assert app.run(looks, LIVEINSTALL_DISABLE="1").returncode == 0


def test_an_application_in_a_directory_with_spaces_starts_again_with_its_arguments_and_the_new_versions(app, tmp_path):
    app.wheel("table", "2.0")
    program = tmp_path / "My App" / "an app.py"
    program.parent.mkdir()
    program.write_text(
        "import os, sys\n"
        "import liveinstall as li, fake_engine\n"
        "from liveinstall.hosts import start_again\n"
        "import table\n"
        "print(table.__version__, *sys.argv[1:], sep='|')\n"
        "if table.__version__ == '1.0':\n"
        "    li.install('table==2.0')\n"
        "    start_again()\n"
    )
    app.run("li.install('table==1.0')")
    command = [str(app.python), str(program), "a b", 'say "x"', ""]
    done = subprocess.run(command, env=app.variables(), capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == '1.0|a b|say "x"|\n2.0|a b|say "x"|\n'


def test_a_program_that_cannot_be_restarted_continues(tmp_path):
    with pytest.raises(OSError, match="missing"):
        start_again([tmp_path / "missing"])


def test_a_program_that_cannot_be_started_is_named_even_if_the_systems_error_has_no_name(monkeypatch):
    def refuse(*_, **__):
        raise FileNotFoundError(2, "File not found")

    monkeypatch.setattr(programs.subprocess, "Popen", refuse)
    for start in (programs.run_captured, programs.run_in_foreground):
        with pytest.raises(TrialError, match="missing"):
            start(["missing"], {})
