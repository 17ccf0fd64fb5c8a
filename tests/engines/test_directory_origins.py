"""The origins of wheels from directories are found without uv, if nothing else can be their source."""

from __future__ import annotations

import os
from dataclasses import replace
from hashlib import sha256

import pytest
from helpers.environments import caches_in

from liveinstall._engines.uv import directories
from liveinstall._requirements.request import Request
from liveinstall.results import Origin

TREES = {"my-alpha==1.0": "tree"}
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows: uv is asked")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Two directories, an unpacked wheel, and nothing that configures uv."""
    for name in [name for name in os.environ if name.startswith("UV_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("LIVEINSTALL_NO_CACHE")
    for name, value in caches_in(tmp_path / "user").items():
        monkeypatch.setenv(name, value)
    (tmp_path / "user").mkdir(mode=0o700)
    monkeypatch.setattr("liveinstall._engines.configuration._SYSTEM", str(tmp_path / "etc"))
    monkeypatch.setattr(directories, "Origins", lambda *_: "uv is asked")
    monkeypatch.chdir(tmp_path)
    for name in ("one", "t wo ü", "tree/my_alpha-1.0.dist-info"):
        (tmp_path / name).mkdir(parents=True)
    tags(tmp_path, "py3-none-any")
    return tmp_path


def tags(place, *tags):
    lines = ["Wheel-Version: 1.0", *(f"Tag: {tag}" for tag in tags)]
    (place / "tree/my_alpha-1.0.dist-info/WHEEL").write_text("\n".join(lines) + "\n")


def wheel(path, content=b"content"):
    path.write_bytes(content)
    return Origin(path.as_uri(), sha256(content).hexdigest())


def request(place, *names, **more):
    links = tuple(str(place / name) for name in names)
    return Request(("my-alpha",), frozenset({"my-alpha"}), no_index=True, find_links=links, **more)


def origins(place, asked):
    trees = {spec: str(place / tree) for spec, tree in TREES.items()}
    found = directories.origins(asked, [], trees, str(place), {})
    if isinstance(found, str):
        return found
    try:
        return found.read()
    finally:
        found.stop()


def test_a_wheel_in_a_directory_is_the_origin(place):
    expected = wheel(place / "t wo ü/My.Alpha-1.0-py3-none-any.whl")
    wheel(place / "t wo ü/My.Alpha-1.1-py3-none-any.whl")
    wheel(place / "one/alpha-1.0-py3-none-any.whl")
    wheel(place / "one/my_alpha-nonsense.whl")
    (place / "one/my_alpha-1.0.tar.gz").touch()
    assert origins(place, request(place, "one", "t wo ü")) == {"my-alpha": expected}


def test_of_several_wheels_it_is_the_one_with_the_tags_of_what_was_installed(place):
    wheel(place / "one/my_alpha-1.0-cp27-none-win32.whl", b"other")
    expected = wheel(place / "one/my_alpha-1.0-py2.py3-none-any.whl")
    tags(place, "py2-none-any", "py3-none-any")
    assert origins(place, request(place, "one")) == {"my-alpha": expected}


def test_its_hash_is_computed_again_only_if_it_has_changed(place, monkeypatch):
    path = place / "one/my_alpha-1.0-py3-none-any.whl"
    expected = wheel(path)
    assert origins(place, request(place, "one")) == {"my-alpha": expected}
    compute = directories.DirectoryOrigins._compute
    monkeypatch.setattr(directories.DirectoryOrigins, "_compute", lambda *_: pytest.fail("it is known"))
    assert origins(place, request(place, "one")) == {"my-alpha": expected}
    monkeypatch.setattr(directories.DirectoryOrigins, "_compute", compute)
    time = os.stat(path).st_mtime_ns
    changed = wheel(path, b"CONTENT")
    os.utime(path, ns=(time, time))
    assert changed != expected and origins(place, request(place, "one")) == {"my-alpha": changed}


def test_without_threads_it_is_computed_at_once(place, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    expected = wheel(place / "one/my_alpha-1.0-py3-none-any.whl")
    monkeypatch.setattr(directories.Thread, "start", refuse)
    assert origins(place, request(place, "one")) == {"my-alpha": expected}


def test_what_cannot_be_read_has_no_hash(place):
    path = place / "one/my_alpha-1.0-py3-none-any.whl"
    path.mkdir()
    assert origins(place, request(place, "one")) == {"my-alpha": Origin(path.as_uri())}


@pytest.mark.parametrize(
    "files",
    [
        (),
        ("one/my_alpha-1.0.tar.gz",),
        ("one/my_alpha-1.0-py3-none-any.whl", "t wo ü/my_alpha-1.0-py3-none-any.whl"),
        ("one/my_alpha-1.0-1-py3-none-any.whl", "one/my_alpha-1.0-2-py3-none-any.whl"),
        ("one/my_alpha-1.0-py2-none-any.whl",),
        ("one/my_alpha-1.1-py3-none-any.whl",),
    ],
)
def test_what_is_built_or_ambiguous_is_left_to_uv(place, files):
    for file in files:
        wheel(place / file)
    assert origins(place, request(place, "one", "t wo ü")) == "uv is asked"


def test_a_directory_that_is_removed_meanwhile_is_left_to_uv(place, monkeypatch):
    path = place / "one/my_alpha-1.0-py3-none-any.whl"
    wheel(path)
    monkeypatch.setattr(directories, "tags_of", lambda _: path.unlink() or {"py3-none-any"})
    assert origins(place, request(place, "one")) == "uv is asked"


@pytest.mark.parametrize(
    "more",
    [
        {"no_index": False},
        {"find_links": ("https://h/links",)},
        {"files": ("requirements.txt",)},
        {"editables": ("project",)},
        {"engine_arguments": ("--find-links=elsewhere",)},
    ],
)
def test_other_sources_are_left_to_uv(place, more):
    wheel(place / "one/my_alpha-1.0-py3-none-any.whl")
    assert origins(place, replace(request(place, "one"), **more)) == "uv is asked"


def test_what_uv_is_configured_to_do_is_left_to_uv(place, monkeypatch):
    wheel(place / "one/my_alpha-1.0-py3-none-any.whl")
    monkeypatch.setenv("UV_FIND_LINKS", "elsewhere")
    assert origins(place, request(place, "one")) == "uv is asked"
    monkeypatch.setenv("UV_FIND_LINKS", "")
    monkeypatch.setenv("UV_CACHE_DIR", "anywhere")
    assert origins(place, request(place, "one")) != "uv is asked"
    (place / "uv.toml").touch()
    assert origins(place, request(place, "one")) == "uv is asked"
