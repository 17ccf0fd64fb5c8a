"""Metadata that only describes distributions, for engines."""

from __future__ import annotations

from liveinstall._environment.installed import in_directory
from liveinstall._environment.metadata_view import describe
from liveinstall._model import Distribution


def test_described_distributions_are_found_like_installed_ones_with_their_origin(tmp_path, monkeypatch):
    info = tmp_path / "site/from_url-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "direct_url.json").write_text('{"url": "https://example.org/x.whl", "archive_info": {}}')
    here = [
        Distribution("from-url", "1.0", str(info), ("numpy>=2; python_version>'3'",)),
        Distribution("remote", "2.0+local", "", ()),  # on another machine
    ]
    monkeypatch.chdir(info)  # an empty `info` does not mean the current directory
    describe(here, str(tmp_path / "view"))
    found = list(in_directory(str(tmp_path / "view")))
    assert [(each.name, each.version, each.requires) for each in found] == [
        (each.name, each.version, each.requires) for each in here
    ]
    origins = [path.parent.name for path in (tmp_path / "view").glob("*/direct_url.json")]
    assert origins == ["from_url-1.0.dist-info"]
