"""Trials and verified changes with numpy and pandas, and homes that pip and uv install into."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from integration.lib.checks import tree
from integration.lib.environments import Environment, user_variables
from integration.lib.interpreters import find_uv

_OLD = ["numpy==1.26.4", "pandas==2.1.4"]
_NEEDED = ["python-dateutil==2.8.2", "pytz==2023.3", "six==1.16.0", "tzdata==2024.2"]
_PROBE = (
    "import json, numpy, pandas, numpy.fft, numpy.random, importlib.metadata as m; "
    "s = pandas.Series(numpy.fft.fft([1.0, 2.0]).real); "
    "print(json.dumps([numpy.__version__, pandas.__version__, float(s.sum()), m.version('numpy')]))"
)
_LIVE = f"""
import json, sys
import numpy, pandas
import liveinstall as li

try:
    li.install("numpy==2.0.2", deps=False, verify=True)
except li.errors.VerificationError as error:
    refused = sorted(error.failures), str(error)
nothing = list(li.pending())
staged = li.install("numpy==2.0.2", "pandas==2.2.3", verify=True).staged
probe = li.trial({_PROBE!r})
pip = li.trial(module="pip", arguments=["check"])
script = li.trial(script="f2py", arguments=["-v"])
child = li.trial("import subprocess, sys; subprocess.run([sys.executable, '-I', '-c', " + repr({_PROBE!r}) + "])")
import numpy.polynomial, pandas.io.formats.html  # late imports, of what is loaded
pandas.DataFrame({{"a": [1]}}).to_html()
print(json.dumps([refused, nothing, len(staged), [probe.stdout, child.stdout], pip.stdout, script.stdout,
    numpy.__version__, probe.seconds, probe.stderr]))
"""


def test_a_real_upgrade_is_tried_and_a_broken_one_is_refused(old_numpy: Callable[..., Environment]) -> None:
    environment = old_numpy(*_OLD, *_NEEDED, "pip")
    before = tree(environment.site)
    done = environment.run("-c", _LIVE, check=True)
    refused, nothing, staged, probes, pip, script, mine, seconds, said = json.loads(done.stdout)
    assert "pandas" in refused[0] and "numpy" not in refused[0] and nothing == []
    assert "binary incompatibility" in refused[1] or "numpy" in refused[1]
    assert staged == 2 and mine == "1.26.4" and said == ""
    assert [json.loads(text) for text in probes] == [["2.0.2", "2.2.3", 2.0, "2.0.2"]] * 2
    assert "No broken requirements" in pip and script.strip() == "2.0.2"
    assert seconds < 10
    restarted = environment.run("-c", _PROBE, check=True)
    assert restarted.stdout == probes[0]
    gone = {path for path in before if path.startswith("six")}
    assert gone <= set(tree(environment.site))


def test_pip_and_uv_install_into_a_home_and_never_through_its_links(
    old_numpy: Callable[..., Environment], tmp_path: Path
) -> None:
    environment = old_numpy("numpy==1.26.4")
    home, store = tmp_path / "home", tmp_path / "store"
    environment.run("-m", "liveinstall", "home", "create", home, "numpy==1.26.4", "pip", "--store", store, check=True)
    other = tmp_path / "other"
    environment.run("-m", "liveinstall", "home", "create", other, "numpy", "--store", store, "--no-index", check=True)
    before = {path: what for path, what in tree(store).items() if "__pycache__" not in path}

    def version(place: Path) -> str:
        code = "import numpy; print(numpy.__version__, numpy.linalg.inv([[2.0]])[0, 0])"
        command = [place / "bin/python", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, env=user_variables(), check=False)
        return done.stdout + done.stderr

    assert version(home) == version(other) == "1.26.4 0.5\n"
    command = [home / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "numpy==2.0.2"]
    done = subprocess.run(command, capture_output=True, text=True, env=user_variables(), check=False)
    assert done.returncode == 0, done.stderr
    assert (version(home), version(other)) == ("2.0.2 0.5\n", "1.26.4 0.5\n")
    uv = find_uv()
    if uv:
        command = [uv, "pip", "install", "-q", "--python", str(other / "bin/python"), "numpy==2.0.2"]
        subprocess.run(command, check=True, env=user_variables(), capture_output=True)
        assert version(other) == "2.0.2 0.5\n"
    assert {path: what for path, what in tree(store).items() if "__pycache__" not in path} == before
    done = environment.run("-m", "liveinstall", "--json", "home", "remove", home, check=True)
    left = json.loads(done.stdout)["result"]
    assert left and all("numpy" in path or "f2py" in path for path in left)
