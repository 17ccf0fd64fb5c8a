"""The conversion of uv's output and of requests; a script imitates uv (the real one: integration/)."""

from __future__ import annotations

import errno
import json
import os
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.capabilities import has_fifos, has_links, has_modes
from helpers.other_users import ATTACKER, VICTIM, as_user, needs_root, shared_directory

from liveinstall._engines.base import View
from liveinstall._engines.uv import program as uv_program
from liveinstall._engines.uv import run as uv_run
from liveinstall._engines.uv.arguments import arguments
from liveinstall._engines.uv.engine import UvEngine
from liveinstall._engines.uv.failure import failure, said
from liveinstall._engines.uv.report import yanked
from liveinstall._engines.uv.view import show
from liveinstall._requirements.request import Request, parse_request
from liveinstall.errors import (
    BuildError,
    DownloadError,
    EngineError,
    EngineTimeoutError,
    RequirementError,
    ResolutionError,
    WheelRefusedError,
)

REQUEST = Request(("alpha[fast]",), frozenset({"alpha"}))
EMPTY = View()
# Imitates `uv pip install`: unpacks alpha 1.0 into a cache and links it into the target, as uv does.
UV = """
import json, os, pathlib, sys, time
words = sys.argv[1:]
here = pathlib.Path(__file__).parent
(here / f"asked-{words[1] if len(words) > 1 else 'version'}.json").write_text(json.dumps([words, dict(os.environ)]))
with open(here / "started", "a") as log:
    log.write(" ".join(words[:2]) + "\\n")
if words == ["--version"]:
    print("uv 0.1.0")
    sys.exit()
value = lambda option: next(word.partition("=")[2] for word in words if word.startswith(option + "="))
if words[1] == "compile":
    pathlib.Path(value("--output-file")).write_text((here / "lock").read_text())
    sys.exit()
if (here / "fails").exists():
    sys.exit((here / "fails").read_text() and (print((here / "fails").read_text()) or 1))
time.sleep(float((here / "sleeps").read_text()) if (here / "sleeps").exists() else 0)
target = pathlib.Path(value("--target"))
(here / "seen.json").write_text(json.dumps(sorted(os.listdir(target))))
tree = here / "cache" / "x1" / "alpha-1.0.dist-info"
tree.mkdir(parents=True, exist_ok=True)
(tree / "METADATA").write_text("Metadata-Version: 2.1\\nName: Alpha\\nVersion: 1.0\\nRequires-Dist: beta\\n")
if (here / "tags").exists():
    (tree / "WHEEL").write_text((here / "tags").read_text())
info = target / tree.name
info.mkdir()
(info / "METADATA").symlink_to(tree / "METADATA")
(info / "INSTALLER").write_text("uv")
(info / "RECORD").write_text("")
if (here / "smuggles").exists():
    (tree / "RECORD").write_text("")
    other = target / "beta-1.0.dist-info"
    other.mkdir()
    for name in ("METADATA", "RECORD"):
        (other / name).symlink_to(tree / name)
if (here / "copies").exists():
    (info / "METADATA").unlink()
    (info / "METADATA").write_text((tree / "METADATA").read_text())
if (here / "direct").exists():
    (info / "direct_url.json").write_text((here / "direct").read_text())
if (here / "own").exists():
    (info / "direct_url.json").symlink_to(here / "own")
print('warning: `alpha==1.0` is yanked (reason: "broken")')
"""
LOCK = """
[[packages]]
name = "alpha"
version = "1.0"
sdist = {url = "https://h/alpha-1.0.tar.gz", hashes = {sha256 = "cc"}}
wheels = [
  {url = "https://u:secret@h/alpha-1.0-cp27-none-win32.whl", hashes = {sha256 = "aa"}},
  {url = "https://u:secret@h/alpha-1.0-py3-none-any.whl", hashes = {sha256 = "bb"}},
]
"""


@pytest.fixture
def uv(tmp_path, monkeypatch):
    """The directory of a program that imitates uv."""
    if not has_links():
        pytest.skip("the program that plays uv is a script that makes symbolic links")
    home = tmp_path / "uv"
    home.mkdir()
    program = home / "uv"
    program.write_text(f"#!{sys.executable}\n{UV}", encoding="utf-8")
    program.chmod(0o755)
    (home / "lock").write_text(LOCK, encoding="utf-8")
    monkeypatch.setattr("liveinstall._engines.uv.engine.find_uv", lambda: str(program))
    return home


def resolve(directory, request=REQUEST, view=EMPTY, *, fetch=True):
    directory.mkdir()
    with UvEngine() as engine:
        found = engine.resolve(request, view, str(directory), fetch=fetch)
        return found, engine.sources()


def test_what_uv_links_becomes_a_candidate(uv, tmp_path):
    (candidate,), sources = resolve(tmp_path / "work")
    assert (candidate.name, candidate.version, candidate.requires) == ("alpha", "1.0", ("beta",))
    assert (candidate.requested, candidate.extras, candidate.yanked) == (True, ("fast",), "broken")
    assert candidate.unpacked == str(uv / "cache" / "x1") and candidate.shared and candidate.direct_url is None
    assert (sources["alpha"].url, sources["alpha"].sha256) == ("https://****@h/alpha-1.0-py3-none-any.whl", "bb")
    words, variables = json.loads((uv / "asked-install.json").read_text())
    assert words[-2:] == ["--", "alpha[fast]"] and f"--python={sys.executable}" in words
    assert not {"UV_NO_CACHE", "UV_COMPILE_BYTECODE", "UV_LINK_MODE"} & variables.keys()


@pytest.mark.parametrize(
    ("tags", "hash"),
    [
        ("Tag: cp27-none-win32\n", "aa"),  # what was installed, whatever would fit best
        ("Tag: py3-none-any\n", "bb"),
        ("Tag: py2-none-any\nTag: py3-none-any\n", "bb"),  # no such name: the best one for this interpreter
        ("", "bb"),
    ],
)
def test_the_origin_of_one_of_several_wheels_is_that_with_its_tags(uv, tmp_path, tags, hash):
    (uv / "tags").write_text(f"Wheel-Version: 1.0\n{tags}")
    assert resolve(tmp_path / "work")[1]["alpha"].sha256 == hash


def test_a_direct_url_is_kept_without_its_user_and_asks_no_index(uv, tmp_path):
    (uv / "direct").write_text('{"url": "https://u:secret@h/x.zip", "archive_info": {}}')
    (candidate,), sources = resolve(tmp_path / "work")
    assert candidate.direct_url == {"url": "https://h/x.zip", "archive_info": {}} and sources == {}
    assert not (uv / "asked-compile.json").exists()


def test_a_wheels_own_record_of_its_origin_is_ignored(uv, tmp_path):
    (uv / "own").write_text('{"url": "https://h/lies.whl", "archive_info": {}}')
    (candidate,), _ = resolve(tmp_path / "work")
    assert candidate.direct_url is None


def test_a_wheel_that_brings_another_distribution_among_its_data_is_refused(uv, tmp_path):
    (uv / "smuggles").touch()
    with pytest.raises(WheelRefusedError, match=r"beta-1\.0\.dist-info"):
        resolve(tmp_path / "work")


def test_what_uv_has_copied_and_has_in_no_cache_is_an_error_and_not_nothing(uv, tmp_path):
    (uv / "copies").touch()
    with pytest.raises(EngineError, match="is not in uv's cache"):
        resolve(tmp_path / "work")


def test_a_wheel_that_was_given_as_a_file_is_staged_from_the_file(uv, tmp_path):
    (uv / "direct").write_text('{"url": "file:///w/a%20b/alpha-1.0-py3-none-any.whl", "archive_info": {}}')
    (candidate,), _ = resolve(tmp_path / "work")
    assert (candidate.wheel, candidate.unpacked) == ("/w/a b/alpha-1.0-py3-none-any.whl", "")


def test_an_unreadable_lock_is_not_a_failure(uv, tmp_path):
    (uv / "lock").write_text("nonsense")
    assert resolve(tmp_path / "work")[1] == {}


@pytest.mark.parametrize("mode", ["copy", "clone"])
def test_who_tells_uv_to_copy_gets_copies(uv, tmp_path, monkeypatch, mode):
    monkeypatch.setenv("UV_LINK_MODE", mode)
    (candidate,), _ = resolve(tmp_path / "work")
    assert not candidate.shared


def test_a_cache_that_uv_would_remove_is_made_where_it_is_still_needed(uv, tmp_path, monkeypatch):
    monkeypatch.setenv("UV_NO_CACHE", "1")
    resolve(tmp_path / "work")
    variables = json.loads((uv / "asked-install.json").read_text())[1]
    assert os.path.basename(variables["UV_CACHE_DIR"]) == "cache" and not os.path.exists(variables["UV_CACHE_DIR"])


def test_uv_that_takes_too_long_is_stopped(uv, tmp_path):
    (uv / "sleeps").write_text("60")
    with pytest.raises(EngineTimeoutError, match="0.5 seconds"):
        resolve(tmp_path / "work", replace(REQUEST, timeout=0.5))


def test_uv_that_fails_leaves_nothing(uv, tmp_path, monkeypatch):
    monkeypatch.setattr("liveinstall._engines.uv.run._MEMORY", str(tmp_path / "memory"))
    (tmp_path / "memory").mkdir()
    (uv / "fails").write_text("error: No solution found when resolving dependencies")
    with pytest.raises(ResolutionError):
        resolve(tmp_path / "work")
    assert not list((tmp_path / "memory").iterdir())


def test_without_memory_the_links_lie_in_the_directory(uv, tmp_path, monkeypatch):
    monkeypatch.setattr("liveinstall._engines.uv.run._MEMORY", str(tmp_path / "none"))
    resolve(tmp_path / "work")
    (word,) = [w for w in json.loads((uv / "asked-install.json").read_text())[0] if w.startswith("--target=")]
    target = Path(word.partition("=")[2])
    assert tmp_path / "none" not in target.parents and not target.exists()


def begun(requirements, options, request, view):
    """How often uv was started to install, for a request that differs from the expected one, or not."""
    with UvEngine() as engine:
        engine.expect(requirements, options)
        early = engine._run
        engine.resolve(request, view, os.environ["WORK"], fetch=True)
    return early


@pytest.fixture
def typed(uv, tmp_path, monkeypatch):
    """A request that can be predicted from the arguments, and the view of an environment without pending changes."""
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    monkeypatch.setattr(sys, "base_prefix", "/elsewhere")
    info(tmp_path / "site", "beta", "2.0")
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("WORK", str(tmp_path / "work"))
    here = View(here=(str(tmp_path / "site" / "beta-2.0.dist-info"),))
    return Request(requirements=("alpha",), names=frozenset({"alpha"}), no_index=True, find_links=("/w",)), here


def installs(uv):
    return (uv / "started").read_text().splitlines().count("pip install")


def test_uv_begins_with_what_is_expected_and_is_not_asked_again(uv, typed):
    assert begun(["alpha"], {"no_index": True, "find_links": ["/w"], "deps": True, "pre": False}, *typed)
    assert installs(uv) == 1
    words = json.loads((uv / "asked-install.json").read_text())[0]
    assert words[-4:] == ["--no-index", "--find-links=/w", "--", "alpha"]


@pytest.mark.parametrize(
    "change",
    [
        lambda request, view: (replace(request, requirements=("alpha<2",)), view),
        lambda request, view: (replace(request, constraints=("beta<3",)), view),
        lambda request, view: (request, view._replace(here=())),
        lambda request, view: (request, view._replace(hidden=("/x",))),
    ],
)
def test_a_wrongly_expected_request_is_repeated(uv, typed, change, tmp_path):
    request, view = change(*typed)
    early = begun(["alpha"], {"no_index": True, "find_links": ["/w"]}, request, view)
    assert not os.path.exists(early.target)
    words = json.loads((uv / "asked-install.json").read_text())[0]
    assert words[-1] == request.requirements[0]
    assert (tmp_path / "work" / "constraints.txt").exists() == bool(request.constraints)


@pytest.mark.parametrize(
    ("requirements", "options"),
    [
        (["./alpha"], {}),
        (["alpha @ https://h/a.whl"], {}),
        (["pip install alpha"], {}),
        (["--index-url=x"], {}),
        ([], {}),
        ([None], {}),
        (["alpha"], {"deps": False}),
        (["alpha"], {"prefer": "loaded"}),
        (["alpha"], {"protect": ["beta<3"]}),
        (["alpha"], {"no_index": True, "index_url": "https://h"}),
        (["alpha"], {"no_index": 1}),
        (["alpha"], {"find_links": [3]}),
        (["alpha"], {"upgrade": True}),
        (["alpha"], {"when": "bogus"}),
        (["alpha-1.0.tar.gz"], {}),
        (["alpha"], {"index_url": "http://x\0y"}),
    ],
)
def test_uv_does_not_begin_with_what_is_not_plain(uv, typed, requirements, options):
    with UvEngine() as engine:
        engine.expect(requirements, options)
        assert engine._run is None
    assert not (uv / "started").exists()


def test_uv_does_not_start_early_with_pending_changes(uv, typed, tmp_path):
    (tmp_path / "site" / "beta-3.0.part.pth").touch()
    with UvEngine() as engine:
        engine.expect(["alpha"], {})
        assert engine._run is None


def test_what_was_installed_again_meanwhile_is_looked_at_again(uv, typed, tmp_path):
    with UvEngine() as engine:
        engine.expect(["alpha"], {"no_index": True, "find_links": ["/w"]})
        early = engine._run
        os.utime(typed[1].here[0], (1, 1))
        engine.resolve(*typed, os.environ["WORK"], fetch=True)
        assert not os.path.exists(early.target)


def test_an_engine_that_resolves_twice_asks_uv_twice_and_leaves_nothing(uv, typed, tmp_path):
    with UvEngine() as engine:
        targets = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            assert [each.name for each in engine.resolve(*typed, str(tmp_path / name), fetch=True)] == ["alpha"]
            targets.append(engine._ended[-1].target)
        assert engine.sources()["alpha"].sha256 == "bb"
    assert installs(uv) == 2 and not any(map(os.path.exists, targets))


def test_links_of_a_killed_process_are_swept_and_no_others(uv, tmp_path, monkeypatch):
    memory = tmp_path / "memory"
    monkeypatch.setattr("liveinstall._engines.uv.run._MEMORY", str(memory))
    for name in ("liveinstall-uv-dead", "liveinstall-uv-young", "somebody"):
        (memory / name).mkdir(parents=True)
    for name in ("liveinstall-uv-dead", "somebody"):
        os.utime(memory / name, (1, 1))
    with UvEngine() as one, UvEngine() as another:
        one._started(["--", "alpha"], EMPTY, dict(os.environ))
        os.utime(one._run.target, (1, 1))
        another._started(["--", "alpha"], EMPTY, dict(os.environ))
        assert os.path.isdir(one._run.target), "it is alive"
    assert {path.name for path in memory.iterdir()} == {"liveinstall-uv-young", "somebody"}


@has_fifos
def test_nothing_but_a_directory_is_opened_in_memory(tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    memory = tmp_path / "memory"
    memory.mkdir()
    os.mkfifo(memory / "liveinstall-uv-fifo")
    (memory / "liveinstall-uv-link").symlink_to(precious)
    (memory / "liveinstall-uv-file").touch()
    for path in (precious, *memory.iterdir()):
        os.utime(path, (1, 1), follow_symlinks=False)
    uv_run._sweep(str(memory))
    assert precious.exists() and len(list(memory.iterdir())) == 3


@pytest.mark.parametrize(
    ("mode", "is_usable"), [(0o1777, True), (0o700, True), pytest.param(0o777, False, marks=has_modes)]
)
def test_memory_where_others_could_exchange_what_is_made_is_not_used(tmp_path, mode, is_usable):
    tmp_path.chmod(mode)
    assert uv_run._is_usable(str(tmp_path)) is is_usable and not uv_run._is_usable(str(tmp_path / "none"))


@needs_root
@pytest.mark.parametrize("victim", [VICTIM, 0])
def test_what_another_user_makes_in_memory_neither_blocks_nor_is_removed_nor_followed(victim):
    with shared_directory() as memory:
        as_user(victim, (memory / "precious").mkdir)
        as_user(victim, lambda: (memory / "liveinstall-uv-dead").mkdir(mode=0o700))

        def attack():
            os.mkfifo(memory / "liveinstall-uv-x", 0o666)
            (memory / "liveinstall-uv-dir").mkdir()
            (memory / "liveinstall-uv-link").symlink_to(memory / "precious")
            for path in memory.glob("liveinstall-uv-*"):
                if path.lstat().st_uid == ATTACKER:
                    os.utime(path, (1, 1), follow_symlinks=False)

        as_user(ATTACKER, attack)
        as_user(victim, lambda: os.utime(memory / "liveinstall-uv-dead", (1, 1)))
        as_user(victim, lambda: uv_run._sweep(str(memory)))
        left = {path.name for path in memory.iterdir()}
        assert left == {"precious", "liveinstall-uv-x", "liveinstall-uv-dir", "liveinstall-uv-link"}


def test_what_began_and_was_never_asked_for_leaves_nothing(uv, typed, tmp_path):
    (uv / "sleeps").write_text("60")
    with UvEngine() as engine:
        engine.expect(["alpha"], {})
        target = engine._run.target
        assert os.path.isdir(target)
    assert not os.path.exists(target)


def test_an_old_uv_is_named(uv, tmp_path):
    (uv / "fails").write_text("error: unexpected argument '--no-compile-bytecode' found")
    with pytest.raises(EngineError, match=r"This is uv 0\.1\.0"):
        resolve(tmp_path / "work")


def test_a_missing_uv_says_what_to_do(monkeypatch):
    monkeypatch.setattr("liveinstall._engines.uv.engine.find_uv", lambda: "")
    with pytest.raises(EngineError, match=r"not found\. Nothing was changed\. Install it"), UvEngine():
        pass


def info(directory, name, version, text=""):
    path = directory / f"{name}-{version}.dist-info"
    path.mkdir(parents=True)
    (path / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{text}\nabout: it\n")
    return path


def test_uv_sees_pending_versions_instead_of_the_replaced_ones(uv, tmp_path):
    here = [info(tmp_path / "site", "beta", "1.0"), info(tmp_path / "site", "Big.Name", "3")]
    info(tmp_path / "gamma.part", "gamma", "2.0")
    view = View(parts=(str(tmp_path / "gamma.part"),), here=tuple(map(str, here)))
    resolve(tmp_path / "work", view=view)
    seen = json.loads((uv / "seen.json").read_text())
    assert [name for name in seen if not name.startswith(".")] == [
        "beta-1.0.dist-info",
        "big_name-3.dist-info",
        "gamma-2.0.dist-info",
    ]


def test_what_is_shown_are_copies_whose_record_names_nothing_else(tmp_path):
    real = info(tmp_path / "site", "beta", "1.0", "Requires-Dist: x\n")
    (real / "direct_url.json").write_text("{}")
    (real / "RECORD").write_text("../../../etc/passwd,,\n")
    twin, odd = info(tmp_path / "other", "Beta", "0.9"), info(tmp_path / "site", "odd", "2004d")
    target = tmp_path / "target"
    target.mkdir()
    show(View(here=(str(real), str(twin), str(odd), str(tmp_path / "gone.dist-info"))), str(target))
    (shown,) = target.iterdir()
    assert not any(path.is_symlink() for path in shown.iterdir())
    assert (
        "Requires-Dist: x" in (shown / "METADATA").read_text() and "about: it" not in (shown / "METADATA").read_text()
    )
    named = {line.partition(",")[0] for line in (shown / "RECORD").read_text().splitlines()}
    assert named == {f"beta-1.0.dist-info/{path.name}" for path in shown.iterdir()}


def test_metadata_with_the_line_ends_of_windows_is_shown_too(tmp_path):
    odd = info(tmp_path / "site", "beta", "1.0")
    (odd / "METADATA").write_bytes(b"NAME:\tbeta \r\nVersion: 1.0\r\n\r\nName: gamma\r\n")
    (tmp_path / "target").mkdir()
    show(View(here=(str(odd),)), str(tmp_path / "target"))
    assert (tmp_path / "target" / "beta-1.0.dist-info" / "METADATA").read_bytes() == b"NAME:\tbeta \nVersion: 1.0\n"


def test_what_is_shown_is_written_in_full_or_fails(tmp_path, monkeypatch):
    real, target = info(tmp_path / "site", "beta", "1.0"), tmp_path / "target"
    target.mkdir()
    really = os.write
    monkeypatch.setattr(os, "write", lambda handle, content: really(handle, content[:3]))
    show(View(here=(str(real),)), str(target))
    assert (
        target / "beta-1.0.dist-info" / "METADATA"
    ).read_text() == "Metadata-Version: 2.1\nName: beta\nVersion: 1.0\n"


def test_metadata_of_setuptools_is_shown_too(tmp_path):
    egg = tmp_path / "old.egg-info"
    egg.mkdir()
    (egg / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: old\nVersion: 1.0\n")
    (tmp_path / "target").mkdir()
    show(View(here=(str(egg),)), str(tmp_path / "target"))
    assert (tmp_path / "target" / "old-1.0.dist-info" / "METADATA").is_file()


def test_everything_that_can_be_asked_is_asked_in_uvs_words(tmp_path):
    request = Request(
        ("alpha", "/w/beta-1-py3-none-any.whl"),
        frozenset({"alpha", "beta"}),
        editables=("/p",),
        files=("r.txt",),
        groups=("pyproject.toml:dev",),
        upgrade=True,
        upgrade_strategy="eager",
        reinstall=True,
        deps=False,
        pre=True,
        constraints=("numpy<2",),
        index_url="https://h/simple",
        extra_index_urls=("https://g/simple",),
        find_links=("/w",),
        no_index=True,
        only_binary=(":all:",),
        no_binary=("a,b",),
        require_hashes=True,
        config_settings=(("key", "value"),),
        engine_arguments=("--index-strategy=unsafe-best-match",),
    )
    constraints = os.path.join(tmp_path, "constraints.txt")
    expected = """
        --upgrade --reinstall --no-deps --require-hashes --prerelease=allow --no-index --default-index=https://h/simple
        --index=https://g/simple --find-links=/w --only-binary=:all: --no-binary=a --no-binary=b
        --config-setting=key=value --index-strategy=unsafe-best-match --requirements=r.txt
        --group=pyproject.toml:dev --editable=/p -- alpha /w/beta-1-py3-none-any.whl"""
    words = list(arguments(request, str(tmp_path)))
    assert words.pop(5) == f"--constraints={constraints}" and words == expected.split()
    assert (tmp_path / "constraints.txt").read_text() == "numpy<2\n"


def test_an_upgrade_names_what_it_upgrades_as_pips_does(tmp_path):
    assert next(arguments(replace(REQUEST, upgrade=True), str(tmp_path))) == "--upgrade-package=alpha"


@pytest.mark.parametrize(
    "change",
    [
        {"upgrade": True, "files": ("r.txt",)},
        {"engine_arguments": ("--target=/x",)},
        {"engine_arguments": ("--prefix", "/x")},
        {"engine_arguments": ("-p", "/x")},
    ],
)
def test_what_uv_cannot_do_or_would_do_elsewhere_is_refused(tmp_path, change):
    with pytest.raises(RequirementError, match="Nothing was changed"):
        list(arguments(replace(REQUEST, **change), str(tmp_path)))


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("  \u00d7 No solution found when resolving dependencies:\n  ╰─▶ Because x was not found", ResolutionError),
        ("  \u00d7 Failed to build `x==1`\n  ├─▶ The build backend returned an error", BuildError),
        ("error: Request failed after 3 retries\n  Caused by: error sending request for url", DownloadError),
        ("  \u00d7 Failed to download `x==1`\n  ╰─▶ Hash mismatch for `x==1`", DownloadError),
        ("  \u00d7 Failed to download `x==1`\n  ╰─▶ Failed to extract archive: x.whl\n", WheelRefusedError),
        ("error: Failed to install: x-1-py3-none-any.whl (x==1)\n  Caused by: bad", WheelRefusedError),
        ("error: unexpected argument '--group' found", EngineError),
        ("error: something else", ResolutionError),
        ("error: Failed to parse: `/etc/uv/uv.toml`\n  Caused by: TOML parse error at line 1", EngineError),
        ("", EngineError),
    ],
)
def test_uvs_words_decide_the_type_and_are_kept(log, expected):
    error = failure(log, "uv 0.8.0")
    assert type(error) is expected and error.log == log


def test_progress_and_decoration_are_not_what_uv_said():
    log = """
        Using Python 3.11.7 environment at: x
        Resolved 5 packages in 10ms
          \u00d7 Failed to fetch: `https://h/x`
          ╰─▶ it is gone
        warning: something"""
    assert said(textwrap.dedent(log)) == "Failed to fetch: `https://h/x` it is gone"
    assert (
        said("error: No solution found\n  cause: Because x was not found.\n")
        == "No solution found: Because x was not found"
    )


def test_why_something_was_yanked_is_known():
    log = 'warning: `a==1` is yanked (reason: "bad")\nwarning: `b==2` is yanked\n'
    assert yanked(log) == {"a==1": "bad", "b==2": "yanked"}


def test_uv_is_searched_next_to_python_then_in_the_variable_of_uv_run_then_on_path(monkeypatch, tmp_path):
    places = [tmp_path / name for name in ("own", "run", "path")]
    for place in places:
        place.mkdir()
        (place / uv_program.NAME).write_text("")
        (place / uv_program.NAME).chmod(0o755)
    monkeypatch.setattr(uv_program.sysconfig, "get_path", lambda *_, **__: str(tmp_path / "none"))
    monkeypatch.setattr(sys, "executable", str(places[0] / "python"))
    monkeypatch.setenv("UV", str(places[1] / uv_program.NAME))
    monkeypatch.setenv("PATH", str(places[2]))
    monkeypatch.chdir(tmp_path)
    for place in places:
        assert uv_program.find_uv() == str(place / uv_program.NAME)
        if place != places[-1]:
            (place / uv_program.NAME).unlink()
    monkeypatch.setenv("PATH", os.pathsep.join(("path", "", ".")))
    assert uv_program.find_uv() == "", "what is in the working directory is not run"


@pytest.mark.parametrize("failing", ["show", "_lock"])
def test_a_memory_that_cannot_be_used_is_left_for_the_disk(tmp_path, monkeypatch, failing):
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(uv_run, "_MEMORY", str(memory))

    def fail(*arguments):
        if failing == "_lock" or arguments[1].startswith(str(memory)):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(uv_run, failing, fail)
    run = uv_run.Run(sys.executable, ["x"], EMPTY, dict(os.environ), str(tmp_path))
    run.stop()
    run.finish()
    assert os.path.dirname(run.target) == str(tmp_path)
    assert list(memory.iterdir()) == [] and list(tmp_path.iterdir()) == [memory]


def test_options_of_pip_are_spelled_for_uv_or_refused(tmp_path):
    request = parse_request(("alpha",), pip_arguments=["--uploaded-prior-to=2024-01-01"])
    assert "--exclude-newer=2024-01-01" in list(arguments(request, str(tmp_path)))
    with pytest.raises(RequirementError, match="--only-deps.*engine="):
        list(arguments(parse_request(("alpha",), pip_arguments=["--only-deps"]), str(tmp_path)))
