"""Files that uv has copied are staged from their own unpacked wheel in its cache, and from no other one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from helpers.capabilities import can_symlink

from liveinstall._engines.uv import run
from liveinstall._engines.uv.cache import unpacked_wheel
from liveinstall.errors import EngineError

ROWS = "alpha.py,sha256=AAA,1\nalpha-1.0.data/scripts/x,sha256=SSS,1\n"


def lay(directory, *, wheel="Tag: cp311", record=ROWS, metadata="Name: alpha\n"):
    info = directory / "alpha-1.0.dist-info"
    info.mkdir(parents=True)
    for name, content in (("WHEEL", wheel), ("RECORD", record), ("METADATA", metadata)):
        (info / name).write_bytes(content.encode())
    return str(info)


def test_of_wheels_that_differ_only_in_their_tags_or_files_the_right_one_is_found(tmp_path):
    cache = tmp_path / "cache"
    lay(cache / "archive-v0/a", wheel="Tag: cp312")
    lay(cache / "archive-v0/b", record=ROWS.replace("AAA", "BBB"))
    lay(cache / "archive-v0/c")
    (cache / "archive-v0/d").mkdir()
    installed = ROWS.replace("SSS", "NEW") + "alpha-1.0.dist-info/INSTALLER,sha256=III,2\r\n"
    info = lay(tmp_path / "target", record=installed)
    assert unpacked_wheel(info, str(cache)) == str(cache / "archive-v0/c")


def test_what_is_not_in_the_cache_is_an_error_that_names_it(tmp_path):
    info = lay(tmp_path / "target")
    for cache in ("", str(tmp_path / "missing")):
        with pytest.raises(EngineError, match="alpha-1.0 is not in uv's cache"):
            unpacked_wheel(info, cache)


@can_symlink
def test_uv_copies_only_where_links_may_not_be_made(tmp_path, monkeypatch):
    assert run.link_mode(str(tmp_path)) == "symlink"

    def refuse(*_, **__):
        raise OSError(22, "A required privilege is not held by the client")

    windows = SimpleNamespace(name="nt", path=run.os.path, symlink=refuse)
    monkeypatch.setattr(run, "os", windows)
    assert run.link_mode(str(tmp_path)) == "copy"
