"""Real upgrades of real packages while a running process keeps using the old versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from integration.lib.cases import all_ids, read_case
from integration.lib.environments import NotOfferedError
from integration.lib.runner import MissingPythonError, prepare, run_case

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

# One or more of each kind: extension modules with dependents, lazy submodules, data files, namespace packages, import
# name unlike project name, closures, a downgrade, scripts, module <-> package, .pth, fresh with upgrades, our own.
QUICK = {
    "attrs-downgrade",
    "azure-core",
    "click",
    "coverage-subprocess-pth",
    "filelock-mod2pkg",
    "fresh-flask-upgrades-click",
    "fresh-no-conflict",
    "gevent-greenlet",
    "joblib-loky",
    "jsonschema",
    "numpy-pandas-closure",
    "opentelemetry",
    "packaging-self",
    "pydantic-1to2",
    "pygments",
    "python-dateutil",
    "pyyaml",
    "rst2html-script",
    "six-moves",
    "tabulate-mod2pkg",
    "zope-namespace",
}


def _parameter(id: str) -> ParameterSet:
    return pytest.param(id, marks=[] if id in QUICK else [pytest.mark.full])


@pytest.mark.parametrize("id", [_parameter(id) for id in all_ids()])
def test_live_process_keeps_the_old_versions_and_the_next_one_has_the_new(id: str, tmp_path: Path, wheel: Path) -> None:
    case = read_case(id)
    try:
        environment = prepare(case, tmp_path / "venv", wheel)
    except (MissingPythonError, NotOfferedError) as error:
        pytest.skip(str(error))
    outcome = run_case(case, "liveinstall", environment, tmp_path / "run")
    assert outcome.upgrade_error is None, outcome.upgrade_error
    assert outcome.result is not None
    assert {**outcome.result["now"], **outcome.result["staged"]} == {n: new for n, (_, new) in case.changed.items()}
    assert outcome.child == outcome.expected_live
    assert outcome.unrelated == outcome.expected_elsewhere
    assert outcome.late_error is None, outcome.late_error["trace"]
    assert outcome.bonus_error is None, outcome.bonus_error
    assert outcome.mixed == ()
    assert outcome.restart_error == ""
    assert {name: outcome.versions[name] for name in case.changed} == {n: new for n, (_, new) in case.changed.items()}
    assert outcome.remains == ()
    environment.remove()
