"""The conversion of the answers of pip's child to values and errors; pip itself runs in integration/."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from liveinstall._engines.base import View
from liveinstall._engines.local_files import local_wheel
from liveinstall._engines.pip import _pip_child, _pip_hooks
from liveinstall._engines.pip import engine as pip_engine
from liveinstall._engines.pip.arguments import commands
from liveinstall._engines.pip.report import _candidate, failure
from liveinstall._engines.select import choose_engine
from liveinstall._redact import redact
from liveinstall._requirements.request import parse_request
from liveinstall._system import child_process
from liveinstall.errors import (
    BuildError,
    DownloadError,
    EngineError,
    EngineTimeoutError,
    FileConflictError,
    LiveInstallError,
    RequirementError,
    ResolutionError,
    WheelRefusedError,
)


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
    error = failure(given, "the log")
    assert type(error) is expected and isinstance(error, LiveInstallError)
    assert error.log == "the log"
    if expected is not DownloadError:
        assert "it said so" in str(error)


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (answer("HashMismatch", "HashErrors", errors=["alpha: a hash differs"]), "new hash"),
        (answer("NetworkConnectionError", errors=["500 for https://h/xxhash-1.0.whl"]), ""),
        (answer("NetworkConnectionError", errors=["404 for https://h/x.git"]), "git+"),
        (answer("NetworkConnectionError", errors=["500 for https://me.github.io/x.whl"]), ""),
    ],
)
def test_a_failed_download_has_advice_about_what_failed_not_about_its_name(given, advice):
    todo = failure(given, "").todo
    assert advice in todo and bool(advice) == ("hash" in todo or "git+" in todo)


@pytest.mark.parametrize(
    ("reason", "counts"),
    [
        ("404 Client Error: Not Found for url: https://h:40481/simple/alpha/", False),
        ("There was a problem confirming the ssl certificate: refused", True),
        ("500 Server Error: 404 for url: https://h:40481/simple/alpha/", True),
    ],
)
def test_an_index_without_a_page_has_answered_whatever_its_port(reason, counts):
    message = f"Could not fetch URL https://h:40481/simple/alpha/: {reason} - skipping"
    assert _pip_child._FailureHandler()._is_unreachable("pip._internal.index.collector", message) is counts


_CLONE = """\
Collecting git+https://me:word-12@host/x.git
  Running command git clone --filter=blob:none --quiet 'https://****@host/x.git' /tmp/x
  fatal: unable to access 'https://me:word-12@host/x.git/': Could not resolve host: host
  error: subprocess-exited-with-error
"""


def test_a_repository_that_cannot_be_read_is_a_failed_download_with_the_words_of_git():
    kinds = ("InstallationSubprocessError", "DiagnosticPipError", "InstallationError", "PipError")
    said = answer(*kinds, errors=["git clone --filter=blob:none --quiet https://host/x.git /tmp/x exited with 128"])
    error = failure(said, _CLONE)
    assert type(error) is DownloadError and "Could not resolve host: host. Nothing was changed." in str(error)
    assert "word-12" not in str(error)
    other = failure(said, "pip 22 has another log")
    assert type(other) is DownloadError and "exited with 128" in str(other)
    missing = failure(answer("BadCommand", "PipError", errors=["Cannot find command 'hg'"]), "")
    assert type(missing) is DownloadError and "Cannot find command 'hg'. Nothing was changed. Install" in str(missing)
    build = failure(answer(*kinds, errors=["python setup.py bdist_wheel exited with 1"]), "")
    assert type(build) is BuildError


def test_pips_markup_is_not_shown_and_extras_are():
    class Error(Exception):
        hint_stmt = None
        message = "Failed to connect to [magenta]host[/] for [bold red]requests[security][/bold red]"
        context = "[dim]refused[/]."

    assert _pip_child._diagnostic_text(Error()) == "Failed to connect to host for requests[security]. refused"


def test_a_long_list_of_versions_is_shortened():
    words = "Could not find a version (from versions: " + ", ".join(f"1.{n}" for n in range(300)) + ")"
    text = str(failure(answer("DistributionNotFound", errors=[words]), ""))
    assert len(text) < 400 and "1.299" in text


@pytest.mark.parametrize(
    "secret",
    [
        *("https://user:pw@host/x", "https://token@host/simple/", "https://h/x?token=pw&y=1", "https://h/?a=1&sig=pw"),
        *("jupyter-lab --IdentityProvider.token=pw --ip x", "x --password pw"),
    ],
)
def test_credentials_are_never_shown(secret):
    assert "pw" not in redact(secret) and "token@" not in redact(secret) and "****" in redact(secret)


def commands_of(*requirements, tmp_path, **options):
    names = ("report", "wheels", "target", "src", "constraints")
    return commands(parse_request(requirements, **options), {name: str(tmp_path / name) for name in names})


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (
            "Use 'scikit-learn'\n      rather than 'sklearn'\n\n      Here is how",
            "Use 'scikit-learn' rather than 'sklearn'.",
        ),
        ("Traceback (most recent call last):\n      ImportError: no numpy", "ImportError: no numpy."),
        ("", "it said so."),
    ],
)
def test_a_failed_build_shows_what_the_project_printed_and_where_the_whole_is(printed, reason):
    log = f"  egg_info did not run\n  ╰─> [3 lines of output]\n      {printed}\n      [end of output]\n  note: x\n"
    error = failure(answer("MetadataGenerationFailed", "InstallationError"), log)
    assert isinstance(error, BuildError) and error.log == log
    assert reason in str(error) and "--debug" in str(error)


def test_all_comes_before_its_exceptions(tmp_path):
    for one, other in (("only", "no"), ("no", "only")):
        told = commands_of("x", tmp_path=tmp_path, **{f"{one}_binary": ":all:", f"{other}_binary": ["a", "b"]})
        words = " ".join(told["resolve"])
        assert f"--{one}-binary :all: --{other}-binary a --{other}-binary b" in words


@pytest.mark.parametrize(
    ("variables", "options", "named"),
    [
        ({"PIP_USER": "1"}, {}, "the environment variable PIP_USER is set"),
        ({"PIP_TARGET": "/x"}, {}, "the environment variable PIP_TARGET is set"),
        (
            {"PIP_PREFIX": "/x", "PIP_ROOT": "/y"},
            {},
            "PIP_ROOT are set",
        ),
        ({"PIP_DRY_RUN": "true"}, {}, "the environment variable PIP_DRY_RUN is set"),
        ({"PIP_PLATFORM": "any"}, {}, "the environment variable PIP_PLATFORM is set"),
        ({"PIP_CONFIG_FILE": "pip.conf"}, {}, "user in pip.conf and target in pip.conf"),
        ({"PIP_USER": "0", "PIP_DRY_RUN": "no"}, {}, ""),
        ({"PIP_USER": "1"}, {"user": True}, ""),
        ({"PIP_USER": "1"}, {"pip_arguments": ["--isolated"]}, ""),
    ],
)
def test_what_would_divert_a_change_is_refused_by_name(tmp_path, monkeypatch, variables, options, named):
    (tmp_path / "pip.conf").write_text("[global]\nuser = yes\n[install]\ntarget = /x\n")
    monkeypatch.chdir(tmp_path)
    for name, value in {"PIP_CONFIG_FILE": os.devnull, **variables}.items():
        monkeypatch.setenv(name, value)
    arguments = commands_of("x", tmp_path=tmp_path, **options)["resolve"]
    assert "dry-run" not in _pip_child._diverted(arguments, wanted=False)  # a plan is one
    diverted = _pip_child._diverted(arguments, wanted=True)
    if not named:
        assert diverted == []
        return
    error = failure(answer(phase="configuration", errors=diverted), "")
    assert isinstance(error, RequirementError) and named in str(error) and "Nothing was changed." in str(error)


def test_all_options_are_passed_to_pip(tmp_path):
    (tmp_path / "r.txt").touch()
    (tmp_path / "c.txt").touch()
    (tmp_path / "pyproject.toml").touch()
    told = commands_of(
        "rich",
        tmp_path=tmp_path,
        requirement_files=tmp_path / "r.txt",
        constraints=[tmp_path / "c.txt", "idna<3"],
        editable=tmp_path,
        upgrade=True,
        upgrade_strategy="eager",
        index_url="https://i",
        extra_index_urls="https://x",
        find_links="links",
        config_settings={"a": "b"},
        pre=True,
        only_binary="b",
        no_binary="a",
        pip_arguments=["--retries", "1", "--no-warn-conflicts"],
    )
    for purpose, words in told.items():
        text = " ".join(words)
        for said in (
            *("--index-url https://i", "--extra-index-url https://x", "--find-links links", "--config-settings a=b"),
            *("--pre", "--only-binary b", "--no-binary a", "--retries 1", f"--requirement {tmp_path / 'r.txt'}"),
        ):
            assert said in text, purpose
        chosen = ("--upgrade-strategy eager", f"--editable {tmp_path}", f"--constraint {tmp_path / 'c.txt'}", "-- rich")
        assert [said in text for said in (*chosen, "--no-warn-conflicts")] == [purpose == "resolve"] * 5
    assert (tmp_path / "constraints").read_text() == "idna<3\n"
    assert told["build"][:6] == ["install", "--no-deps", "--ignore-installed", "--no-user", "--use-pep517", "--target"]


def test_only_resolving_asks_for_hashes_and_the_user_site(tmp_path):
    (tmp_path / "r.txt").touch()
    told = commands_of(requirement_files=tmp_path / "r.txt", require_hashes=True, user=True, tmp_path=tmp_path)
    assert all(option in told["resolve"] for option in ("--require-hashes", "--user"))
    assert not {"--require-hashes", "--user"} & {*told["fetch"], *told["build"]}


def test_what_was_chosen_is_fetched_by_its_hash_and_commit():
    def asked(url, credentials=(), **info):
        item = {"metadata": {"name": "a"}, "download_info": {"url": url, **info}}
        return _pip_child._requirement(item, dict(credentials))

    assert asked("https://h/a.whl", archive_info={"hashes": {"md5": "1", "sha256": "2"}}) == (
        "a @ https://h/a.whl#sha256=2"
    )
    assert asked("https://h/a.whl", archive_info={"hash": "sha512=3"}) == "a @ https://h/a.whl#sha512=3"
    assert asked("https://h/a.zip", archive_info={}, subdirectory="b") == "a @ https://h/a.zip#subdirectory=b"
    vcs = {"vcs": "git", "commit_id": "abc"}
    assert asked("https://h/a.git", [("h", "me:pw")], vcs_info=vcs) == "a @ git+https://me:pw@h/a.git@abc"
    assert asked("file:///a", vcs_info=vcs) == "git+file:///a@abc"
    assert asked("file:///w/a-1-py3-none-any.whl") is None


def test_a_hash_in_a_url_that_the_user_has_replaced_is_corrected(tmp_path):
    file = tmp_path / "a.whl"
    file.write_bytes(b"content")
    right = {kind: hashlib.new(kind, b"content").hexdigest() for kind in ("sha256", "sha512")}

    def corrected(archive, is_direct=True, path=str(file)):
        items = [{"is_direct": is_direct, "download_info": {"url": "https://h/a.whl", "archive_info": archive}}]
        changed = _pip_child._correct_hashes(items, lambda url: path)
        return items[0]["download_info"]["archive_info"] if changed else None

    true = {"hashes": {"sha256": right["sha256"]}, "hash": "sha256=" + right["sha256"]}
    assert corrected({"hashes": {"sha256": "0" * 64}}) == corrected({"hash": "sha512=" + "0" * 128}) == true
    assert corrected({"hash": "sha512=" + right["sha512"]}) is corrected(true) is corrected({}) is None
    assert corrected({"hash": "sha256=0"}, is_direct=False) is corrected({"hash": "sha256=0"}, path="") is None


def test_checkouts_move_to_where_they_belong_or_not_at_all(tmp_path):
    source, home = tmp_path / "source", tmp_path / "home"
    items = []
    for name in ("a", "b"):
        (source / name).mkdir(parents=True)
        info = {"url": (source / name).as_uri(), "dir_info": {"editable": True}}
        items.append({"metadata": {"name": name}, "download_info": info})
    (home / "b").mkdir(parents=True)
    places, note = (str(source), str(home), str(tmp_path / "moves")), tmp_path / "moves"
    with pytest.raises(FileExistsError):
        _pip_child._move_checkouts(json.loads(json.dumps(items)), True, *places)
    assert (source / "a").exists() and not (home / "a").exists() and not note.exists()
    (home / "b").rmdir()
    assert _pip_child._move_checkouts(json.loads(json.dumps(items)), False, *places) and (source / "a").exists()
    assert not note.exists()
    assert _pip_child._move_checkouts(items, True, *places)
    assert json.loads(note.read_text()) == [str(home / "a"), str(home / "b")]
    assert items[0]["download_info"]["url"] == (home / "a").as_uri() and (home / "a").is_dir()


def test_what_a_lock_file_took_from_an_index_has_no_direct_url(tmp_path):
    item = {
        "metadata": {"name": "a", "version": "1"},
        "download_info": {"url": "https://h/a-1-py3-none-any.whl", "archive_info": {"hash": "sha256=ab"}},
        "is_direct": True,
    }
    assert _candidate(item, "", (), {}, fetched=False).direct_url == item["download_info"]
    assert _candidate(item, "", {"a"}, {}, fetched=False).direct_url is None
    assert _candidate(item, "", (), {}, fetched=False).sha256 == "ab"


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
    candidate = _candidate(item, str(tmp_path), (), {}, fetched=True)
    assert (candidate.name, candidate.requested, candidate.extras) == ("big-name", True, ("fast",))
    assert (candidate.wheel, candidate.sha256, candidate.yanked) == (
        os.path.normpath("/w/big_name-1.0-py3-none-any.whl"),
        "ab",
        "yanked",
    )


def test_a_wheel_on_this_disk_is_known_before_anything_is_fetched(tmp_path):
    item = {"metadata": {"name": "a", "version": "1"}, "download_info": {"url": "file:///w/a%20b/a-1-py3-none-any.whl"}}
    assert _candidate(item, str(tmp_path), (), {}, fetched=False).wheel == os.path.normpath(
        "/w/a b/a-1-py3-none-any.whl"
    )


def test_an_address_is_decoded_once():
    assert local_wheel("file:///w/a%2520b/a-1-py3-none-any.whl") == os.path.normpath("/w/a%20b/a-1-py3-none-any.whl")


def test_a_wheel_that_pip_did_not_fetch_is_an_error(tmp_path):
    item = {"metadata": {"name": "a", "version": "1"}, "download_info": {"url": "https://h/a-1.tar.gz"}}
    with pytest.raises(DownloadError):
        _candidate(item, str(tmp_path), (), {}, fetched=True)


def test_an_engine_that_takes_too_long_is_stopped():
    import sys

    with pytest.raises(EngineTimeoutError, match="0.2 seconds"):
        child_process.run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.2)


def test_an_unknown_engine_is_refused_by_name():
    with pytest.raises(ValueError, match="conda"):
        choose_engine("conda")


def test_what_pip_says_of_the_machine_is_asked_once(tmp_path):
    package = tmp_path / "pip" / "_internal" / "network"
    package.mkdir(parents=True)
    for directory in (package, package.parent, package.parent.parent):
        (directory / "__init__.py").write_text("")
    (package / "session.py").write_text(
        "asked = []\ndef user_agent(*given):\n    asked.append(1)\n    print(*given, end='')\n    return 'pip/1'\n"
    )
    code = f"""if True:
        import runpy
        runpy.run_path({_pip_child.__file__!r}, run_name="child")["_precompute"]()
        from pip._internal.network import session
        print(session.user_agent(), session.user_agent(), len(session.asked))
        session.user_agent("as another pip may ask")"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "pip/1 pip/1 1\nas another pip may ask"


def test_what_pip_says_of_the_machine_is_asked_only_for_a_server_if_probably_none_is_needed():
    asked = []

    class PipSession:
        def __init__(self):
            self.headers = {"User-Agent": session.user_agent()}

        def request(self, method, url, **options):
            return method, url, options, self.headers["User-Agent"]

    session = SimpleNamespace(PipSession=PipSession, user_agent=lambda: asked.append(1) or "pip/1")
    _pip_hooks.postpone_user_agent(session)
    made = PipSession()
    assert made.request("GET", "file:///w/a.html", stream=True)[:3] == ("GET", "file:///w/a.html", {"stream": True})
    assert not asked
    assert made.request("GET", "https://h/simple/a")[3] == "pip/1"
    assert PipSession().request("HEAD", "http://h/a", timeout=1)[2:] == ({"timeout": 1}, "pip/1")
    assert asked == [1]


def test_how_pip_displays_tracebacks_is_loaded_only_when_it_does():
    pytest.importorskip("pip")
    code = f"""if True:
        import runpy, sys
        sys.meta_path.insert(0, runpy.run_path({_pip_hooks.__file__!r})["LateTraceback"])
        from pip._vendor.rich import traceback
        print("pip._vendor.pygments.lexers" in sys.modules)
        print(traceback.install.__name__, "pip._vendor.pygments.lexers" in sys.modules)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\ninstall True\n"


@pytest.mark.parametrize(("options", "arguments"), [({}, 1), ({"no_index": False}, 1), ({"no_index": True}, 2)])
def test_the_child_is_started_for_an_expected_request(monkeypatch, options, arguments):
    started = []

    class FakeChild:
        def __init__(self, command):
            started.append(command)

        def stop(self):
            started.append("stopped")

    monkeypatch.setattr(pip_engine, "Child", FakeChild)
    monkeypatch.setattr(pip_engine, "place_of", lambda name: f"/the/{name}")
    with pip_engine.PipEngine() as engine:
        assert started == []
        engine.expect(("a",), options)
    assert [started[0][-arguments], started[1:]] == ["/the/pip", ["stopped"]]


def test_a_missing_pip_is_an_error_of_the_resolution(monkeypatch, tmp_path):
    monkeypatch.setattr(pip_engine, "place_of", lambda _: "")
    with pip_engine.PipEngine() as engine:
        engine.expect(("a",), {})
        with pytest.raises(EngineError, match="pip is not installed"):
            engine.resolve(parse_request(["a"]), View(), str(tmp_path), fetch=True, tell=print)


def test_other_failures_than_loading_are_left_to_pip(tmp_path):
    package = tmp_path / "pip" / "_internal" / "cli"
    package.mkdir(parents=True)
    for directory in (package, package.parent, package.parent.parent):
        (directory / "__init__.py").write_text("")
    text = "asked = []\ndef _create_truststore_ssl_context():\n    asked.append(1)\n    raise OSError(len(asked))\n"
    (package / "index_command.py").write_text(text)
    code = f"""if True:
        import runpy
        runpy.run_path({_pip_child.__file__!r}, run_name="child")["_precompute"]()
        from pip._internal.cli import index_command
        try:
            index_command._create_truststore_ssl_context()
        except OSError as error:
            print(error)"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_the_pip_that_fetches_what_a_build_needs_gets_urls_with_passwords_in_variables():
    secret = ["https://u:p@h/simple", "https://u:p q@h/more", "https://u:p@h/third"]
    asked = ["pip", "install", "-i", secret[0], "--extra-index-url", secret[1], "--extra-index-url", secret[2]]
    plain = [
        "--extra-index-url",
        "https://open/simple",
        "--find-links",
        "./here",
        "--cert",
        "x",
        "--",
        "a",
        "-i",
        "u@h",
    ]
    words, variables = _pip_hooks.without_urls([*asked, *plain])
    assert words == ["pip", "install", *plain]
    assert variables == {
        "PIP_INDEX_URL": secret[0],
        "PIP_EXTRA_INDEX_URL": f"https://u:p%20q@h/more {secret[2]}",
    }


def test_an_option_that_this_pip_does_not_have_is_named_with_the_version_that_has_it():
    log = "Usage:\n  pip install [options]\n\nno such option: --uploaded-prior-to\n"
    error = failure(answer(errors=()), log)
    assert isinstance(error, RequirementError) and "does not support --uploaded-prior-to" in str(error)
    assert "pip 26.0 or newer" in error.todo
