"""Plugins of one host with real packages: requirements are kept, and loaded versions can be preferred."""

from __future__ import annotations

import json
from collections.abc import Callable

from integration.lib.environments import Environment


def test_plugins_are_solved_together_and_a_conflict_names_them(environment: Environment) -> None:
    environment.run("-c", "import liveinstall as li; li.ensure('urllib3<2', requester='Plot Plugin')", check=True)
    done = environment.run("-c", "import liveinstall as li; print(li.ensure('requests', requester='Web Plugin'))")
    assert "urllib3" not in done.stdout, done.stdout + done.stderr  # an old enough one serves both
    before = environment.run("-m", "pip", "freeze").stdout
    refused = environment.run("-c", "import liveinstall as li; li.install('urllib3>=2', requester='Net Plugin')")
    words = refused.stderr.strip().splitlines()[-1]
    assert "ProtectedError" in words and "Plot Plugin" in words and "urllib3<2" in words, refused.stderr
    assert "requested-by" not in words and "Nothing was changed." in words
    assert environment.run("-m", "pip", "freeze").stdout == before
    upgraded = environment.run("-c", "import liveinstall as li; print(li.install('requests', 'idna', upgrade=True))")
    assert "urllib3" not in upgraded.stdout, upgraded.stdout + upgraded.stderr
    fine = environment.run(
        "-c",
        "import liveinstall as li; from importlib.metadata import version; "
        "li.ensure('urllib3>=2', requester='Plot Plugin'); print(version('urllib3'))",
    )
    assert fine.stdout.startswith("2."), fine.stderr


def test_the_host_protects_a_closure_of_requirements(environment: Environment) -> None:
    environment.add("requests==2.31.0", "urllib3==1.26.20", "idna==3.7", "certifi", "charset-normalizer")
    refused = environment.run(
        "-c", "import liveinstall as li; li.install('idna>=3.8', protect=('requests==2.31.0', 'idna<3.8'))"
    )
    words = refused.stderr.strip().splitlines()[-1]
    assert "ProtectedError" in words and "the host requires" in words and "idna<3.8" in words, refused.stderr


def test_a_version_that_fits_what_is_loaded_is_preferred_on_request(old_numpy: Callable[..., Environment]) -> None:
    environment = old_numpy("numpy==1.26.4")
    plain = _installed(environment, "li.plan('contourpy>=1.2', 'numba>=0.58')")
    preferred = _installed(environment, "li.plan('contourpy>=1.2', 'numba>=0.58', prefer='loaded')")
    assert preferred["waiting"] == []
    assert "numpy" not in preferred["now"] and {"contourpy", "numba"} <= set(preferred["now"])
    if "numpy" in plain["waiting"]:
        assert any(
            "numpy stays at 1.26.4, which is loaded; the newest compatible version is" in note
            for note in preferred["notes"]
        )


def _installed(environment: Environment, call: str) -> dict[str, list[str]]:
    done = environment.run(
        "-c",
        f"import json, numpy, liveinstall as li\np = {call}\n"
        "print(json.dumps({'now': [c.name for c in p.now], 'waiting': [c.name for c in p.waiting], 'notes': p.notes}))",
        check=True,
    )
    return json.loads(done.stdout)


def test_the_preferred_version_imports_without_a_restart(
    old_numpy: Callable[..., Environment],
) -> None:
    environment = old_numpy("numpy==1.26.4")
    done = environment.run(
        "-c",
        "import numpy, liveinstall as li\nr = li.install('pandas>=2', prefer='loaded')\n"
        "import pandas\nassert not r.restart_required, str(r)\nprint(numpy.__version__, pandas.Series([1, 2]).sum())\n"
        "print(*r.notes, sep='\\n')",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "1.26.4 3"


def test_what_is_there_costs_no_engine(environment: Environment) -> None:
    environment.add("requests==2.32.3", deps=True)
    done = environment.run(
        "-c",
        "import subprocess, liveinstall as li\n"
        "def no(*a, **k): raise AssertionError('a child process')\n"
        "subprocess.Popen = no\nprint(li.ensure('requests>=2.30'))",
    )
    assert done.stdout == "Unchanged: requests 2.32.3, it satisfies the request.\n", done.stderr
