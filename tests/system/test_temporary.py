"""Temporary files that cannot be written raise a typed error with advice."""

import errno
import tempfile
from pathlib import Path

import pytest

from liveinstall._system.temporary import temporary_directory, writing_temporary
from liveinstall.errors import DownloadError, StagingError


def test_an_error_of_the_system_is_reported_with_advice():
    with pytest.raises(StagingError) as told, writing_temporary():
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/here")
    assert "No space left on device: '/tmp/here'" in str(told.value)
    assert "Nothing was changed." in str(told.value) and "TMPDIR" in told.value.todo
    assert told.value.__suppress_context__ and isinstance(told.value.__context__, OSError)  # the message contains it


@pytest.mark.parametrize(
    "error", [BrokenPipeError("a listener's own"), PermissionError(13, "no"), DownloadError("gone.")]
)
def test_other_errors_stay_as_they_are(error):
    with pytest.raises(type(error)) as told, writing_temporary():
        raise error
    assert told.value is error


def test_a_missing_directory_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(StagingError, match="gone"):
        temporary_directory()


def test_a_directory_goes_with_its_context(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_directory() as directory:
        assert Path(directory).parent == tmp_path
        Path(directory, "file").write_text("", encoding="ascii")
    assert list(tmp_path.iterdir()) == []
