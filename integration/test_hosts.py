"""The example application with plugins, on real packages: consent, conflict, restart, removal; and offline."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.lib.checks import left_overs
from integration.lib.environments import ROOT, Environment, add_liveinstall, user_variables
from integration.lib.interpreters import CURRENT, find_python, find_uv

_PLUGINS = {
    "table": ("tabulate>=0.9",),
    "age": ("humanize==4.9.0",),
    "older": ("humanize<4.9",),
    "any": ("idna",),
    "new": ("idna>=3.10",),
    "greedy": ("packaging<22",),
    "plain": (),
}
_IMPORTS = {"table": "tabulate", "age": "humanize", "any": "idna", "new": "idna"}
_PLUGIN = """
REQUIRES = {requires!r}

def run():
    import {module} as used
    print("{name} runs", getattr(used, "__version__", ""))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Environment]:
    """An environment with liveinstall only, and a directory of plugins."""
    base = find_python(CURRENT)
    assert base
    made = Environment.make(tmp_path_factory.mktemp("hosts") / "venv", base)
    add_liveinstall(made, wheel)
    for name, requires in _PLUGINS.items():
        text = _PLUGIN.format(name=name, requires=requires, module=_IMPORTS.get(name, "sys"))
        plugins(made).mkdir(exist_ok=True)
        (plugins(made) / f"{name}.py").write_text(text)
    yield made
    made.remove()


def plugins(place: Environment) -> Path:
    return place.path.parent / "plugins"


def app(place: Environment, *words: str, say: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """The application, run by a user who types `say`."""
    command = [ROOT / "examples/plugin_host.py", plugins(place), *words]
    return place.run(*command, input=say, env=user_variables(**variables))


def test_plugins_come_after_consent_work_at_once_and_go_again(place: Environment) -> None:
    refused = app(place, "run", "table", say="no\n")
    assert refused.returncode == 1 and "the request of table was declined. Nothing was changed." in refused.stdout
    done = app(place, "run", "table", "plain", "age", say="y\ny\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "Would be installed now:\n  tabulate 0." in done.stdout
        and "[table] tabulate is unpacked, 1 of 1" in done.stdout
    )
    assert "table runs 0." in done.stdout and "plain runs" in done.stdout and "age runs 4.9.0" in done.stdout
    again = app(place, "run", "table", "age")  # no question
    assert (again.returncode, "[y/N]" in again.stdout) == (0, False), again.stdout
    clash = app(place, "--yes", "run", "older")
    assert clash.returncode == 1 and "plugin-host/age" in clash.stdout and "humanize==4.9.0" in clash.stdout
    greedy = app(place, "--yes", "run", "greedy")
    assert greedy.returncode == 1 and "the host requires packaging>=22" in greedy.stdout, greedy.stdout
    listed = app(place, "list").stdout
    assert "table: needs tabulate>=0.9 (installed for it)" in listed and "older: needs humanize<4.9\n" in listed
    assert "tabulate" in app(place, "--yes", "remove", "table").stdout
    assert "Removed:" not in app(place, "--yes", "remove", "table").stdout
    assert app(place, "list").stdout.count("(installed for it)") == 1
    assert left_overs(place.site) == []


def test_what_has_to_wait_is_there_after_the_restart(place: Environment) -> None:
    place.add("idna==3.6")
    done = app(place, "run", "any", "new", say="y\nn\n")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.count("any runs 3.6") == 1 and "new needs a restart for idna 3.6 -> 3." in done.stdout
    place.run("-c", "pass")  # a start, so the pending changes are applied
    place.add("idna==3.6")
    done = app(place, "--yes", "run", "any", "new")
    assert done.returncode == 0, done.stdout + done.stderr
    first, _, second = done.stdout.partition("new needs a restart for idna 3.6 -> 3.")
    assert "any runs 3.6" in first and "new runs" not in first
    assert "any runs 3." in second and "new runs 3." in second and "3.6" not in second
    assert left_overs(place.site) == []


def test_an_administrator_can_switch_changes_off(place: Environment) -> None:
    done = app(place, "--yes", "run", "older", "plain", LIVEINSTALL_DISABLE="ask the help desk")
    assert done.returncode == 1 and "LIVEINSTALL_DISABLE: ask the help desk. Nothing was changed." in done.stdout
    assert "plain runs" in done.stdout


@pytest.mark.parametrize("engine", ["pip", "uv"])
def test_offline_only_what_is_on_this_disk_counts(
    place: Environment, wheels: Path, engine: str, tmp_path: Path
) -> None:
    if engine == "uv" and not find_uv():
        pytest.skip("there is no uv")
    beside = f"{Path(find_uv() or sys.executable).parent}"
    variables = user_variables(
        LIVEINSTALL_OFFLINE="1", UV_CACHE_DIR=str(tmp_path), PATH=f"{beside}:/usr/bin:/bin", PIP_NO_CACHE_DIR="1"
    )

    def install(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return place.run("-m", "liveinstall", "install", "--engine", engine, *words, env=variables)

    done = install("six")
    assert done.returncode == 1 and "LIVEINSTALL_OFFLINE is set" in done.stderr, done.stderr
    done = install("https://example.org/x-1.0-py3-none-any.whl")
    assert "is not on this disk" in done.stderr
    done = install("gamma", "-f", wheels)
    assert done.returncode == 0, done.stderr
    place.run("-m", "liveinstall", "uninstall", "gamma", "alpha", check=True)
