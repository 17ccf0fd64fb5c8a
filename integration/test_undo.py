"""Undo of real packages: upgraded and restored with a running process, without a network."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.lib.cases import read_case
from integration.lib.checks import complaints, left_overs, missing_files, tree
from integration.lib.environments import Environment, NotOfferedError, user_variables
from integration.lib.interpreters import CURRENT
from integration.lib.undoing import prepare, undo

_OLD = {"numpy": "1.26.4", "pandas": "2.1.4", "rich": "13.7.0"}
_NEW = ["numpy==2.0.2", "pandas==2.2.3", "rich==13.9.4"]
_NEEDED = ["python-dateutil==2.8.2", "pytz==2023.3", "six==1.16.0", "tzdata==2024.2"]
_NEEDED += ["markdown-it-py==3.0.0", "mdurl==0.1.2", "pygments==2.17.2"]

# A process that has numpy, pandas and rich loaded; it changes the environment, continues, and prints its versions.
_LIVE = """
import json, subprocess, sys
import numpy, pandas, rich.console
import liveinstall

frame = pandas.DataFrame({"a": [1, 2]})
result = eval(sys.argv[1])
import numpy.fft, numpy.polynomial, pandas.io.formats.html, rich.table, rich.progress
frame.to_json(); frame.to_html(); numpy.fft.fft([1, 2])
child = [sys.executable, "-c", "import numpy, pandas; print(numpy.__version__, pandas.__version__)"]
print(json.dumps({
    "staged": {change.name: change.new_version for change in result.staged},
    "now": [change.name for change in result.installed],
    "conflicts": result.conflicts,
    "transaction": result.transaction,
    "mine": numpy.__version__,
    "child": subprocess.run(child, capture_output=True, text=True, check=True).stdout.split(),
}))
"""
# Neither the network nor pip may be used.
_OFFLINE = """
import sys
def refuse(event, arguments):
    asks_pip = event == "subprocess.Popen" and "_pip_child" in str(arguments)
    if asks_pip or event in ("socket.connect", "socket.getaddrinfo", "urllib.Request"):
        raise SystemExit(f"undo is not offline: {event} {arguments}")
sys.addaudithook(refuse)
"""


@pytest.fixture
def real(old_numpy: Callable[..., Environment]) -> Environment:
    """A Python 3.11 with numpy 1, pandas and rich as pip or uv install them, and liveinstall."""
    return old_numpy(*(f"{name}=={version}" for name, version in _OLD.items()), *_NEEDED)


def live(environment: Environment, code: str, *, offline: bool) -> dict[str, object]:
    """Run the process with `code`, which changes its environment."""
    dead = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "UV_OFFLINE": "1"}
    dead |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    done = environment.run(
        "-c", (_OFFLINE if offline else "") + _LIVE, code, env=user_variables(**(dead if offline else {}))
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def restart(environment: Environment) -> dict[str, str]:
    """The imports of a new, unrelated interpreter, which uses them, without output on stderr."""
    code = """if True:
        import json, numpy, pandas, rich, numpy.linalg, importlib.metadata as m
        assert pandas.DataFrame({"a": numpy.arange(3)}).to_html() and numpy.linalg.det(numpy.eye(2)) == 1
        names = ("numpy", "pandas", "rich")
        assert numpy.__version__ == m.version("numpy") and pandas.__version__ == m.version("pandas")
        print(json.dumps({name: m.version(name) for name in names}))
    """
    done = environment.run("-c", code, check=True)
    assert done.stderr == ""
    return dict(json.loads(done.stdout))


def assert_tidy(environment: Environment, complaints_before: set[str]) -> None:
    """No file is left over or missing, and pip finds no new problems."""
    assert left_overs(environment.site) == []
    assert list(missing_files(environment.site)) == []
    assert complaints(environment) == complaints_before


def test_a_real_upgrade_is_undone_offline_under_a_live_process_byte_for_byte(real: Environment) -> None:
    before, said = tree(real.path), complaints(real)
    assert said == set()
    told = live(real, f"liveinstall.install(*{_NEW!r})", offline=False)
    new = dict(requirement.split("==") for requirement in _NEW)
    assert told["staged"] == new
    assert restart(real) == new
    upgraded = tree(real.path)
    assert_tidy(real, said)

    told = live(real, "liveinstall.undo()", offline=True)
    assert (told["staged"], told["now"], told["conflicts"]) == (_OLD, [], [])
    assert (told["mine"], told["child"]) == ("2.0.2", ["2.0.2", "2.2.3"])
    assert restart(real) == _OLD
    assert tree(real.path) == before
    assert_tidy(real, said)

    # And redone, at once, because this time no process has it loaded; and undone by its id.
    done = real.run("-m", "liveinstall", "undo", "--json", check=True)
    assert {change["name"] for change in json.loads(done.stdout)["result"]["installed"]} == set(new)
    assert tree(real.path) == upgraded
    listed = json.loads(real.run("-m", "liveinstall", "history", "--json", check=True).stdout)["result"]
    assert [past["undoable"] for past in listed] == [True, False, True]  # the first upgrade is installed again
    assert all(source["url"].endswith(".whl") and source["sha256"] for source in listed[-1]["sources"].values())
    real.run("-m", "liveinstall", "undo", listed[-1]["transaction"], check=True)
    assert restart(real) == _OLD
    assert tree(real.path) == before
    assert_tidy(real, said)
    real.remove()


def test_what_pip_changes_after_an_upgrade_is_not_undone(real: Environment) -> None:
    real.run("-m", "liveinstall", "install", "rich==13.9.4", "--no-deps", check=True)
    real.add("rich==13.8.0")
    before = tree(real.path)
    done = real.run("-m", "liveinstall", "undo")
    assert (done.returncode, "MovedOnError: rich was changed by something else" in done.stderr) == (1, True)
    assert tree(real.path) == before
    real.remove()


def test_a_killed_undo_is_old_or_new_and_can_be_asked_for_again(real: Environment) -> None:
    """Real files, real kills, at a few moments; every point is killed in tests/boot/test_crash_undo.py."""
    before = tree(real.path)
    real.run("-m", "liveinstall", "install", *_NEW, "--no-deps", check=True)
    upgraded, id = tree(real.path), _newest(real)
    killed = 0
    for seconds in (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3):
        process = subprocess.Popen(
            [real.python, "-m", "liveinstall", "undo", id],
            env=user_variables(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
        restart(real)
        real.run("-m", "liveinstall", "finalize", check=True)  # recovers, and removes incomplete staging directories
        state = tree(real.path)
        assert state in (upgraded, before)
        assert left_overs(real.site) == []
        if state == before:
            break
    real_state = tree(real.path)
    if real_state != before:
        real.run("-m", "liveinstall", "undo", id, check=True)
    assert killed
    assert tree(real.path) == before
    real.remove()


def _newest(environment: Environment) -> str:
    listed = json.loads(environment.run("-m", "liveinstall", "history", "--json", check=True).stdout)["result"]
    return str(listed[0]["transaction"])


def test_what_pip_itself_installed_with_its_bytecode_is_undone(old_numpy: Callable[..., Environment]) -> None:
    """Pip compiles its files, and numpy's wheel contains a .pyc: that is in the RECORD twice, once out of date."""
    environment = old_numpy()
    pip = [sys.executable, "-m", "pip", "--python", environment.python, "install", "-q", "--no-deps", "numpy==1.26.4"]
    done = subprocess.run(pip, check=False, capture_output=True, text=True, env=user_variables())
    if "No matching distribution" in done.stderr:
        pytest.skip("the index does not have numpy 1.26.4")
    assert done.returncode == 0, done.stderr
    record = (environment.site / "numpy-1.26.4.dist-info/RECORD").read_text().splitlines()
    listed = [row.partition(",")[0] for row in record]
    assert len(set(listed)) < len(listed)
    before = tree(environment.path)
    environment.run("-m", "liveinstall", "install", "numpy==2.0.2", check=True)
    past = json.loads(environment.run("-m", "liveinstall", "history", "--json", check=True).stdout)["result"][0]
    assert past["undoable"]
    environment.run("-m", "liveinstall", "undo", check=True)
    assert tree(environment.path) == before
    environment.run("-c", "import numpy, numpy.distutils; assert numpy.__version__ == '1.26.4'", check=True)
    environment.run("-m", "liveinstall", "check", check=True)
    environment.remove()


@pytest.mark.parametrize(
    ("id", "installer"),
    [pytest.param("django", "old pip", marks=pytest.mark.full), ("tabulate-mod2pkg", "pip")],
)
def test_a_real_upgrade_is_undone_file_by_file_for_each_installer(
    id: str, installer: str, tmp_path: Path, wheel: Path
) -> None:
    """All of them: `nox -s undo-3.11`, and so on."""
    case = read_case(id)
    try:
        assert undo(case, prepare(case, installer, CURRENT, tmp_path / "venv", wheel), CURRENT) == []
    except NotOfferedError as error:
        pytest.skip(str(error))
