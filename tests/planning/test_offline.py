from __future__ import annotations

import pytest

from liveinstall.errors import DownloadError
from liveinstall.planning.engines import uv
from liveinstall.planning.engines.arguments import commands
from liveinstall.planning.engines.uv_request import arguments
from liveinstall.planning.offline import is_offline
from liveinstall.planning.requests import parse_request


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("LIVEINSTALL_OFFLINE", "1")


def test_no_engine_is_told_of_an_index_or_of_pages(tmp_path):
    links = ["https://h/links", "file:///wheels", str(tmp_path), "C:\\wheels"]
    request = parse_request(("alpha",), index_url="https://h/a", extra_index_urls=["https://h/b"], find_links=links)
    assert (request.no_index, request.index_url, request.extra_index_urls) == (True, None, ())
    assert request.find_links == tuple(links[1:])
    paths = dict.fromkeys(("report", "wheels", "target", "src", "constraints"), str(tmp_path / "x"))
    for words in (*commands(request, paths).values(), list(arguments(request, str(tmp_path)))):
        assert "--no-index" in words and not any("https:" in word for word in words)
    assert uv._variables(str(tmp_path))["UV_OFFLINE"] == "1"


@pytest.mark.parametrize(
    "asked",
    [
        {"requirements": ("https://u:secret@h/x-1.0-py3-none-any.whl",)},
        {"requirements": ("x @ https://h/x.tar.gz",)},
        {"requirements": ("git+https://h/x.git",)},
        {"editable": ("x @ git+https://h/x.git",)},
        {"requirement_files": ("https://h/r.txt",)},
        {"requirements": ("alpha",), "constraints": ("https://h/c.txt",)},
    ],
)
def test_what_lies_elsewhere_is_refused_before_any_work(asked):
    asked = dict(asked)
    with pytest.raises(DownloadError, match="is not on this disk.*LIVEINSTALL_OFFLINE is set") as caught:
        parse_request(asked.pop("requirements", ()), **asked)
    assert "secret" not in str(caught.value)


def test_what_lies_here_is_taken(tmp_path):
    wheel = tmp_path / "x-1.0-py3-none-any.whl"
    wheel.touch()
    request = parse_request((str(wheel), wheel.as_uri(), "y @ git+file:///src/y"))
    assert len(request.requirements) == 3


@pytest.mark.parametrize(("value", "wanted"), [("", False), ("0", False), ("No", False), ("yes", True), ("1", True)])
def test_anything_but_a_plain_no_counts(monkeypatch, value, wanted):
    monkeypatch.setenv("LIVEINSTALL_OFFLINE", value)
    assert is_offline() is wanted
    assert parse_request(("alpha",)).no_index is wanted
