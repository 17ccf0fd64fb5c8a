"""`report=`: pip's installation report, from the choice of any engine."""

from __future__ import annotations

import json

import pytest

from liveinstall._changes.installation_report import report_path, write_report
from liveinstall._model import Candidate
from liveinstall.errors import RequirementError
from liveinstall.results import Origin

MAIN = "from liveinstall._frontends.cli.main import main\n"


def written(path, *candidates, origins=None):
    write_report(str(path), candidates, origins or {})
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_report_has_pips_keys(tmp_path):
    direct = {"url": "https://example.org/beta.zip", "archive_info": {}}
    report = written(
        tmp_path / "report.json",
        Candidate("alpha", "1.0", ("beta",), requested=True, extras=("x",), yanked="broken"),
        Candidate("beta", "2.0", (), requested=False, direct_url=direct, metadata={"name": "Beta", "version": "2.0"}),
        origins={"alpha": Origin("https://example.org/alpha.whl", "ab")},
    )
    assert report["version"] == "1" and set(report) == {"version", "pip_version", "install", "environment"}
    assert report["environment"]["python_version"]
    alpha, beta = report["install"]
    assert alpha["download_info"] == {
        "url": "https://example.org/alpha.whl",
        "archive_info": {"hash": "sha256=ab", "hashes": {"sha256": "ab"}},
    }
    assert (alpha["is_direct"], alpha["is_yanked"], alpha["requested"], alpha["requested_extras"]) == (
        *(False, True, True),
        ["x"],
    )
    assert alpha["metadata"]["requires_dist"] == ["beta"]
    assert beta["is_direct"] and beta["download_info"] == direct and beta["metadata"]["name"] == "Beta"


def test_the_metadata_of_a_wheel_is_complete(env, tmp_path):
    wheel = str(env.wheel("alpha", "1.0", requires=("beta>1", "gamma")))
    found = written(tmp_path / "r", Candidate("alpha", "1.0", (), requested=True, wheel=wheel))["install"][0]
    assert found["metadata"] == {
        "metadata_version": "2.1",
        "name": "alpha",
        "version": "1.0",
        "requires_dist": ["beta>1", "gamma"],
    }


@pytest.mark.parametrize("value", [5, "", "missing-directory/report.json", "."])
def test_a_path_that_cannot_be_written_is_refused_before_any_work(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequirementError, match="report"):
        report_path(value)


def test_a_dry_run_writes_it_and_changes_nothing(env, tmp_path):
    env.wheel("alpha", "1.0", requires=("beta",))
    env.wheel("beta", "1.0")
    path = tmp_path / "report.json"
    done = env.run(MAIN + f"sys.exit(main(['install', '--dry-run', '--report', {str(path)!r}, 'alpha']))")
    assert done.returncode == 0 and "Would be installed now" in done.stdout, done.stderr
    items = json.loads(path.read_text(encoding="utf-8"))["install"]
    assert [(item["metadata"]["name"], item["requested"]) for item in items] == [("alpha", True), ("beta", False)]
    assert env.versions() == {}


def test_an_install_writes_it_too_and_standard_output_has_nothing_else(env):
    env.wheel("alpha", "1.0")
    done = env.run(MAIN + "sys.exit(main(['install', '--report', '-', 'alpha']))")
    assert [item["metadata"]["name"] for item in json.loads(done.stdout)["install"]] == ["alpha"], done.stderr
    assert env.versions() == {"alpha": "1.0"}
    done = env.run("li.install('alpha', parallel=True, report='-')")
    assert "report= and parallel=True contradict each other" in done.stderr


def test_ignore_installed_reinstalls_and_loaded_distributions_are_pending(env):
    env.wheel("alpha", "1.0")
    env.run("li.install('alpha')")
    again = MAIN + "sys.exit(main(['install', '-I', 'alpha']))"
    assert "alpha 1.0 -> 1.0" in env.run(again).stdout
    staged = env.run("import alpha\n" + again)
    assert "Staged for the next start of Python:\n  alpha 1.0 -> 1.0" in staged.stdout
