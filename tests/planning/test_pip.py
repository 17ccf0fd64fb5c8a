"""How the answers of pip's child become values and errors; pip itself runs in integration/."""

from __future__ import annotations

import pytest

from liveinstall.errors import (
    BuildError,
    DownloadError,
    EngineError,
    EngineTimeoutError,
    FileConflictError,
    LiveInstallError,
    ResolutionError,
    WheelRefusedError,
)
from liveinstall.planning.engines import process
from liveinstall.planning.engines.choose import choose_engine
from liveinstall.planning.engines.pip import _candidate, _failure
from liveinstall.redact import redact


def answer(*kinds, phase="resolve", unreachable=(), errors=("ERROR: it said so",)):
    return {"phase": phase, "status": 1, "errors": list(errors), "kinds": list(kinds), "unreachable": list(unreachable)}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (answer("DistributionNotFound", "InstallationError", "PipError"), ResolutionError),
        (answer("DistributionNotFound", "InstallationError", unreachable=["Retrying: refused"]), DownloadError),
        (answer("MetadataGenerationFailed", "InstallationError"), BuildError),
        (answer("HashMismatch", "HashError", "InstallationError"), DownloadError),
        (answer("NetworkConnectionError", "PipError"), DownloadError),
        (answer("ConnectionFailedError", "DiagnosticPipError", "PipError"), DownloadError),
        (answer("InvalidWheel", "InstallationError", "PipError"), WheelRefusedError),
        (answer(phase="fetch"), DownloadError),
        (answer("HTTPError", "RequestException", "OSError"), DownloadError),
        (answer("KeyError", "Exception", "Unexpected"), EngineError),
        (answer("InstallationError", errors=["it said so: no 'build_editable' hook"]), BuildError),
        (answer(phase="build"), BuildError),
        (answer(phase="checkout", errors=["/src/it said so"]), FileConflictError),
        (answer("ConfigurationFileCouldNotBeLoaded", "ConfigurationError", "PipError"), EngineError),
        (answer(), EngineError),
    ],
)
def test_pips_exception_decides_the_type_and_its_words_are_kept(given, expected):
    error = _failure(given, "the log")
    assert type(error) is expected and isinstance(error, LiveInstallError)
    assert error.log == "the log"
    if expected is not DownloadError:
        assert "it said so" in str(error)


def test_a_long_list_of_versions_is_shortened():
    words = "Could not find a version (from versions: " + ", ".join(f"1.{n}" for n in range(300)) + ")"
    text = str(_failure(answer("DistributionNotFound", errors=[words]), ""))
    assert len(text) < 400 and "1.299" in text


@pytest.mark.parametrize(
    "secret",
    ["https://user:pw@host/x", "https://token@host/simple/", "https://h/x?token=pw&y=1", "https://h/?a=1&sig=pw"],
)
def test_credentials_are_never_shown(secret):
    assert "pw" not in redact(secret) and "token@" not in redact(secret) and "****" in redact(secret)


def test_a_report_item_becomes_a_candidate(tmp_path):
    item = {
        "metadata": {"name": "Big.Name", "version": "1.0", "requires_dist": ["x"]},
        "download_info": {
            "url": "file:///w/big_name-1.0-py3-none-any.whl",
            "archive_info": {"hashes": {"sha256": "ab"}},
        },
        "requested": True,
        "requested_extras": ["fast"],
        "is_direct": False,
        "is_yanked": True,
    }
    candidate = _candidate(item, str(tmp_path), (), fetched=True)
    assert (candidate.name, candidate.requested, candidate.extras) == ("big-name", True, ("fast",))
    assert (candidate.wheel, candidate.sha256, candidate.yanked) == ("/w/big_name-1.0-py3-none-any.whl", "ab", "yanked")


def test_a_wheel_on_this_disk_is_known_before_anything_is_fetched(tmp_path):
    item = {"metadata": {"name": "a", "version": "1"}, "download_info": {"url": "file:///w/a%20b/a-1-py3-none-any.whl"}}
    assert _candidate(item, str(tmp_path), (), fetched=False).wheel == "/w/a b/a-1-py3-none-any.whl"


def test_a_wheel_that_pip_did_not_fetch_is_an_error(tmp_path):
    item = {"metadata": {"name": "a", "version": "1"}, "download_info": {"url": "https://h/a-1.tar.gz"}}
    with pytest.raises(DownloadError):
        _candidate(item, str(tmp_path), (), fetched=True)


def test_an_engine_that_takes_too_long_is_stopped():
    import sys

    with pytest.raises(EngineTimeoutError, match="0.2 seconds"):
        process.run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.2)


def test_an_unknown_engine_is_refused_by_name():
    with pytest.raises(ValueError, match="conda"):
        choose_engine("conda")
