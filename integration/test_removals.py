"""Removals of real packages: with a running process, from the command line, and compared with pip."""

from __future__ import annotations

import json
from collections.abc import Callable

from integration.lib.checks import complaints, left_overs, missing_files
from integration.lib.environments import Environment

_OLD = ["numpy==1.26.4", "pandas==2.1.4"]
_NEEDED = ["python-dateutil==2.8.2", "pytz==2023.3", "six==1.16.0", "tzdata==2024.2"]


def test_what_a_live_process_uses_goes_when_it_has_ended(old_numpy: Callable[..., Environment]) -> None:
    environment = old_numpy(*_OLD, *_NEEDED)
    done = environment.run(
        "-c",
        "import json, numpy, subprocess, sys, liveinstall as li\n"
        "r = li.uninstall('pandas', 'numpy', with_unused=True)\n"
        "import numpy.fft, numpy.polynomial, numpy.random.mtrand\n"
        "command = [sys.executable, '-c', 'import numpy; print(numpy.__version__)']\n"
        "child = subprocess.run(command, capture_output=True)\n"
        "print(json.dumps([[c.name for c in r.removed], [c.name for c in r.staged], child.stdout.decode().strip()]))",
        check=True,
    )
    removed, staged, child = json.loads(done.stdout)
    assert "numpy" in staged and child == "1.26.4"
    assert "pandas" in removed + staged
    gone = environment.run("-c", "import importlib.util as u; print([u.find_spec(n) for n in ('numpy', 'pandas')])")
    assert (gone.stdout, gone.stderr) == ("[None, None]\n", "")
    assert complaints(environment) == set() and left_overs(environment.site) == []
    assert list(missing_files(environment.site)) == []
    back = environment.run(
        "-c",
        "import liveinstall as li\nfor past in li.history():\n    li.undo(past.transaction)\n"
        "import pandas; print(pandas.Series([1, 2]).sum())",
    )
    assert back.stdout == "3\n", back.stderr
    assert complaints(environment) == set()


def test_the_command_line_removes_and_lists_as_pip_does(environment: Environment) -> None:
    # pip, because uv marks dependencies as requested, too
    environment.run("-m", "pip", "install", "-q", "requests==2.32.3", check=True)
    ours = environment.run("-m", "liveinstall", "freeze", check=True).stdout
    pips = environment.run("-m", "pip", "freeze", check=True).stdout
    assert _plain(ours) == _plain(pips)
    assert environment.run("-m", "liveinstall", "check", check=True).stdout == "No problems found.\n"
    done = environment.run("-m", "liveinstall", "uninstall", "-y", "requests", "--with-unused", "--json", check=True)
    removed = {change["name"] for change in json.loads(done.stdout)["result"]["removed"]}
    assert removed == {"requests", "certifi", "charset-normalizer", "idna", "urllib3"}
    assert "requests" not in environment.run("-m", "pip", "freeze", check=True).stdout
    assert environment.run("-m", "pip", "check").returncode == 0
    environment.run("-m", "liveinstall", "undo", check=True)
    assert environment.run("-c", "import requests").returncode == 0
    assert _plain(environment.run("-m", "pip", "freeze", check=True).stdout) == _plain(pips)


def _plain(lines: str) -> list[str]:
    """The lines of freeze as sets of name and version; pip writes names in the projects' spelling."""
    return sorted(line.lower().replace("_", "-") for line in lines.splitlines())


def test_check_says_what_pip_check_says(environment: Environment) -> None:
    environment.add("requests==2.32.3", deps=True)
    environment.add("urllib3==1.20", "idna==3.10")
    done = environment.run("-m", "liveinstall", "check")
    assert done.returncode == 4
    assert "requests 2.32.3 requires urllib3" in done.stdout and "but urllib3 1.20 is installed" in done.stdout
    theirs = environment.run("-m", "pip", "check")
    assert theirs.returncode == 1
    assert len(theirs.stdout.splitlines()) == done.stdout.count("Broken: ")
