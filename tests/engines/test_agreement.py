"""The choice of `engine="auto"`: uv if it manages the environment, or if pip would do the same; otherwise pip."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from liveinstall._engines import agreement, configuration
from liveinstall._engines.fallback import FallbackEngine
from liveinstall._engines.select import ENGINES, choose_engine
from liveinstall._engines.uv import program
from liveinstall._model import Candidate
from liveinstall._requirements.request import parse_request
from liveinstall.errors import (
    BuildError,
    DownloadError,
    EngineError,
    EngineTimeoutError,
    ResolutionError,
    WheelRefusedError,
)

USUAL = {"upgrade": False, "deps": True, "when": "auto", "overlap": "allow", "prefer": "newest", "timeout": None}
CHOSEN = Candidate("alpha", "1.0", (), requested=True)


class Recorded:
    """An engine that chooses `choice`, or raises it, and records how it was used."""

    unpacks = False
    choice: object = (CHOSEN,)

    def __init__(self):
        self.more, self.uses = (), []

    def __enter__(self):
        self.uses.append("enter")
        return self

    def __exit__(self, *_):
        self.uses.append("exit")

    def expect(self, *_):
        self.uses.append("expect")

    def keep(self):
        self.uses.append("keep")

    def sources(self):
        return {"alpha": type(self).__name__}

    def warnings(self):
        return ("a warning",)

    def resolve(self, request, view, directory, **_):
        assert list(Path(directory).iterdir()) == []
        Path(directory, "constraints.txt").touch()
        if isinstance(self.choice, Exception):
            raise self.choice
        return self.choice


class RecordedPip(Recorded):
    pass


class RecordedUv(Recorded):
    unpacks = True


@pytest.fixture
def plain(monkeypatch, tmp_path):
    """A machine with uv, and an environment with pip in which nothing is configured."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "XDG_", "LIVEINSTALL_")) or name in (*configuration._CERTIFICATES, "UV"):
            monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE", "APPDATA", "PROGRAMDATA"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setattr(configuration, "_SYSTEM", str(tmp_path / "etc"))
    monkeypatch.setattr(agreement, "_unusable", [])
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    for name in ("env", "work/below"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work/below")
    monkeypatch.setitem(ENGINES, "pip", RecordedPip)
    monkeypatch.setitem(ENGINES, "uv", RecordedUv)
    monkeypatch.setattr("liveinstall._engines.select.find_uv", lambda: "/somewhere/uv")
    monkeypatch.setattr("liveinstall._engines.select.place_of", lambda name: "/somewhere")
    return monkeypatch


def auto(*requirements, **options):
    """The name of the chosen engine, and the reason."""
    engine = choose_engine("auto", requirements or ("alpha",), {**USUAL, **options})
    assert isinstance(engine, FallbackEngine) is (engine.reason == agreement.AGREED)
    return engine.name, engine.reason


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_uv_is_taken_if_nothing_differs(plain):
    assert auto() == ("uv", agreement.AGREED)


def test_pip_is_taken_without_uv(plain):
    plain.setattr("liveinstall._engines.select.find_uv", lambda: "")
    assert auto() == ("pip", "uv was not found")


def test_pip_is_taken_for_a_plan(plain):
    assert choose_engine("auto").name == "pip"


def test_an_engine_that_was_requested_is_taken(plain):
    for name in ("pip", "uv"):
        engine = choose_engine(name, ("alpha",), USUAL)
        assert (engine.name, engine.reason) == (name, "it was requested")


def test_uv_is_taken_where_it_created_the_environment(plain, tmp_path):
    write(tmp_path / "env/pyvenv.cfg", "home = /usr/bin\nuv = 0.13.8\n")
    assert auto(pre=True) == ("uv", "uv created the environment") and choose_engine("auto").name == "uv"
    plain.setattr("liveinstall._engines.select.find_uv", lambda: "")
    assert auto() == ("pip", "uv created the environment, but uv was not found")


def test_venv_as_the_creator_is_not_uv(plain, tmp_path):
    write(tmp_path / "env/pyvenv.cfg", "home = /opt/uv = /bin\nprompt = uv\n")
    assert choose_engine("auto").name == "pip"


@pytest.mark.parametrize("name", program._CONFIGURED)
def test_uv_is_taken_where_it_is_configured(plain, name):
    plain.setenv(name, "x")
    assert auto(pre=True) == ("uv", f"{name} is set")


def test_uv_is_taken_without_pip(plain):
    plain.setattr("liveinstall._engines.select.place_of", lambda name: "")
    assert auto(pre=True) == ("uv", "pip is not installed")


@pytest.mark.parametrize(
    "name",
    [
        *("PIP_INDEX_URL", "PIP_CONSTRAINT", "PIP_CONFIG_FILE", "PIP_REQUIRE_VIRTUALENV", "PIP_NO_CACHE_DIR"),
        *("PIP_KEYRING_PROVIDER", "PIP_A_LATER_ONE", "UV_EXCLUDE_NEWER", "UV_CONFIG_FILE", "UV_A_LATER_ONE"),
        *configuration._CERTIFICATES,
    ],
)
def test_a_variable_that_one_of_them_reads_means_pip(plain, name):
    plain.setenv(name, "x")
    assert auto() == ("pip", f"{name} is set")
    plain.setenv(name, "")
    assert auto()[0] == "uv", "an empty variable has no effect"


@pytest.mark.parametrize("name", [*configuration._HARMLESS, "HTTPS_PROXY", "PIPX_HOME", "UVICORN_PORT"])
def test_other_variables_make_no_difference(plain, name):
    plain.setenv(name, "1")
    assert auto()[0] == "uv"


def test_a_certificate_variable_is_named_even_if_uv_reads_it_too(plain):
    plain.setenv("SSL_CERT_FILE", "/etc/own.pem")
    assert auto() == ("pip", "SSL_CERT_FILE is set")


if os.name == "nt":
    _PIP = ["env/pip.ini", "userprofile/pip/pip.ini", "appdata/pip/pip.ini", "programdata/pip/pip.ini"]
    _UV = ["appdata/uv/uv.toml", "programdata/uv/uv.toml"]
else:
    _PIP = ["env/pip.conf", "home/.pip/pip.conf", "home/.config/pip/pip.conf", "etc/xdg/pip/pip.conf", "etc/pip.conf"]
    _UV = ["home/.config/uv/uv.toml", "etc/xdg/uv/uv.toml", "etc/uv/uv.toml"]
_UV += ["work/below/uv.toml", "work/uv.toml"]


@pytest.mark.parametrize("path", [*_PIP, *_UV])
def test_a_configuration_file_means_pip(plain, tmp_path, path):
    tool = "uv" if path in _UV else "pip"
    written = write(tmp_path / path)
    assert auto() == ("pip", f"{tool} reads {Path(written)}")


@pytest.mark.skipif(os.name == "nt", reason="the variables of other systems")
@pytest.mark.parametrize("name", ["XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"])
@pytest.mark.parametrize("file", ["pip/pip.conf", "uv/uv.toml"])
def test_configuration_files_are_found_in_directories_of_the_users_choice(plain, tmp_path, name, file):
    plain.setenv(name, str(tmp_path / "other"))
    assert auto()[0] == "uv"
    write(tmp_path / "other" / file)
    assert auto()[0] == "pip"


@pytest.mark.parametrize("path", _PIP)
def test_pips_files_do_not_matter_if_pip_reads_none(plain, tmp_path, path):
    write(tmp_path / path)
    plain.setenv("PIP_CONFIG_FILE", os.devnull)
    assert auto()[0] == "uv"


@pytest.mark.parametrize(
    ("text", "engine"),
    [
        ("[tool.uv]\n", "pip"),
        ("[tool]\nuv = {}\n", "pip"),
        ("[tool.uv.sources]\nx = {}\n", "pip"),
        ("[tool . 'uv']\n", "pip"),
        ("[tool.uv\n", "pip"),
        ("tool = 'uv'\n", "pip"),
        ("[project]\ndependencies = ['uvicorn']\n", "uv"),
        ("[tool.ruff]\n", "uv"),
        ("", "uv"),
    ],
)
@pytest.mark.parametrize("directory", ["work", "work/below"])
def test_a_project_that_configures_uv_means_pip(plain, tmp_path, text, engine, directory):
    write(tmp_path / directory / "pyproject.toml", text)
    assert auto()[0] == engine


@pytest.mark.skipif(os.name == "nt", reason="there the working directory cannot be removed")
def test_a_removed_working_directory_means_pip(plain, tmp_path):
    (tmp_path / "work/below").rmdir()
    assert auto()[0] == "pip"


@pytest.mark.parametrize(
    "text",
    [
        *("alpha", "Alpha_b.c", "alpha[x, y-z]", "alpha>=1,<2", "alpha (>=1)", "alpha == 1.*", "alpha~=1.2", " alpha "),
        *("alpha>=1.post1", "alpha; python_version < '4'", "alpha[x]>=1 ; extra == 'a1'"),
    ],
)
def test_a_name_with_versions_is_plain(plain, text):
    assert agreement.is_plain(text) and auto(text)[0] == "uv"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "alpha>=1rc1",
            "alpha>=1.dev0",
            "alpha==1+cu121",
            "alpha===1",
            "alpha @ https://h/a.whl",
            "a-1-py3-none-any.whl",
        ),
        *(
            "alpha.zip",
            "./alpha",
            "/src/alpha",
            "https://h/a.whl",
            "git+https://h/a",
            "pip install alpha",
            "alpha beta",
        ),
        *("-r file.txt", "alpha[x]@y", "alpha[../x]", "", "alpha\nbeta", 3, None, b"alpha", Path("alpha"), ["alpha"]),
    ],
)
def test_anything_else_is_not_plain(plain, text):
    assert not agreement.is_plain(text)
    assert auto("beta", text)[0] == "pip"


@pytest.mark.parametrize(
    "options",
    [
        *({name: True} for name in ("reinstall", "pre", "require_hashes", "user")),
        *({name: ["x"]} for name in ("requirement_files", "editable", "groups", "only_binary", "no_binary")),
        *({name: ["x"]} for name in ("extra_index_urls", "config_settings", "pip_arguments", "a_later_one")),
        *({name: "x"} for name in ("script", "pylock", "report")),
        {"upgrade": True, "upgrade_strategy": "eager"},
        {"prefer": "loaded"},
    ],
)
def test_an_option_that_they_may_treat_differently_means_pip(plain, options):
    engine, reason = auto(**options)
    assert engine == "pip" and reason == f"{list(options)[-1]}= is given"


@pytest.mark.parametrize(
    "options",
    [
        *({name: True} for name in ("upgrade", "break_system_packages", "verify")),
        *({"deps": False}, {"timeout": 5}, {"when": "now"}, {"overlap": "refuse"}, {"conflicts": "allow"}),
        *({"requester": "x"}, {"protect": ["beta<2"]}, {"constraints": ["beta<2"]}, {"index_url": "https://h/simple"}),
    ],
)
def test_options_that_mean_the_same_make_no_difference(plain, options):
    assert auto(**options)[0] == "uv"


@pytest.mark.parametrize("constraints", [["beta<2rc1"], ["c.txt", "./c.txt"], "beta<2", [Path("c.txt")]])
def test_constraints_other_than_versions_mean_pip(plain, constraints):
    assert auto(constraints=constraints)[0] == "pip"


@pytest.mark.parametrize("url", ["http://h/simple", "https://user@h/simple", "https://u:p@h/", "file:///x", 3])
def test_an_index_with_a_password_or_without_encryption_means_pip(plain, url):
    assert auto(index_url=url)[0] == "pip"


def test_passwords_matter_only_for_an_own_index(plain, tmp_path):
    write(tmp_path / ("userprofile" if os.name == "nt" else "home") / ".netrc", "machine h login a password b\n")
    assert auto()[0] == "uv"
    assert auto(index_url="https://h/simple")[0] == "pip"


def test_passwords_are_found_where_the_variable_says(plain, tmp_path):
    plain.setenv("NETRC", write(tmp_path / "passwords"))
    assert auto(index_url="https://h/simple")[0] == "pip"


def test_directories_of_archives_agree_without_an_index_and_without_pages(plain, tmp_path):
    write(tmp_path / "house/alpha-1.0-py3-none-any.whl")
    links = [str(tmp_path / "house")]
    assert auto(find_links=links, no_index=True)[0] == "uv"
    assert auto(find_links=links)[0] == "pip", "pip compares it with the index, uv does not"
    assert auto(find_links=[*links, "https://h/page"], no_index=True)[0] == "pip"
    assert auto(find_links=[str(tmp_path / "none")], no_index=True)[0] == "pip"
    write(tmp_path / "house/Index.HTML")
    assert auto(find_links=links, no_index=True)[0] == "pip", "pip follows its links"


def test_offline_means_pip(plain):
    plain.setenv("LIVEINSTALL_OFFLINE", "1")
    assert auto() == ("pip", "LIVEINSTALL_OFFLINE is set")


def chosen(version="1.0", *requires, python=""):
    return Candidate("alpha", version, requires, requested=True, requires_python=python)


BETA = Candidate("beta", "2.0", (), requested=False)


@pytest.mark.parametrize(
    ("candidates", "reason"),
    [
        ([chosen()], ""),
        ([chosen(python=">=3.8")], ""),
        ([chosen(python=">=3.8,<3.9")], "alpha 1.0 requires Python >=3.8,<3.9"),
        ([chosen(python="what")], "alpha 1.0 requires Python what"),
        ([chosen("1.0", "beta>=1", "beta (>=1.0) ; extra == 'x'"), BETA], ""),
        ([chosen("1.0", "Beta>=1b1; python_version > '3'"), BETA], "alpha 1.0 requires Beta>=1b1"),
        ([chosen("1.0", "beta<3.dev0"), BETA], "alpha 1.0 requires beta<3.dev0"),
        ([chosen("1.0", "beta>=1b1; extra == 'dev'")], ""),
    ],
)
def test_what_uv_ignores_is_found_in_its_choice(candidates, reason):
    assert agreement.divergence(candidates) == reason


def resolved(tmp_path, *, request=None):
    """The engine after a request, and what it has chosen."""
    directory = tmp_path / "resolved"
    directory.mkdir()
    request = request or parse_request(("alpha",))
    engine = choose_engine("auto", ("alpha",), USUAL)
    with engine:
        engine.expect(("alpha>=1", "beta"), {})
        assert engine._uv.more == ("--refresh-package=alpha", "--refresh-package=beta")
        found = engine.resolve(request, None, str(directory), fetch=True, tell=print)
        engine.keep()
        assert engine.sources() == {"alpha": "RecordedUv" if engine.name == "uv" else "RecordedPip"}
        assert engine.unpacks is (engine.name == "uv")
    assert engine._uv.uses[-1] == "exit" and engine._uv.more_variables == {"UV_HTTP_RETRIES": "1"}
    return engine, found


def test_what_uv_has_chosen_is_taken(plain, tmp_path):
    engine, found = resolved(tmp_path)
    assert found == (CHOSEN,) and (engine.name, engine.reason) == ("uv", agreement.AGREED)
    assert engine.warnings() == ("a warning",) and engine._uv.uses == ["enter", "expect", "keep", "exit"]


@pytest.mark.parametrize(
    ("failure", "is_remembered"),
    [
        (ResolutionError("no solution.", log=""), False),
        (BuildError("no build.", log=""), False),
        (WheelRefusedError("no wheel.", wheel="", entry=""), False),
        (DownloadError("no network.", log=""), True),
        (EngineError("an old uv.", log=""), True),
    ],
)
def test_pip_takes_over_where_uv_fails(plain, tmp_path, failure, is_remembered):
    plain.setattr(RecordedUv, "choice", failure)
    engine, found = resolved(tmp_path)
    reason = f"uv failed: {failure.what.rstrip('.')}"
    assert found == (CHOSEN,) and (engine.name, engine.reason) == ("pip", reason)
    assert engine.warnings() == ("a warning", f"pip was used, because {reason}")
    assert engine._current.uses == ["enter", "keep", "exit"]
    assert auto() == (("pip", reason) if is_remembered else ("uv", agreement.AGREED))


def test_the_error_is_pips_if_both_fail(plain, tmp_path):
    plain.setattr(RecordedUv, "choice", DownloadError("no network.", log=""))
    plain.setattr(RecordedPip, "choice", ResolutionError("no solution.", log=""))
    with pytest.raises(ResolutionError):
        resolved(tmp_path)
    assert auto()[0] == "uv", "pip cannot do it either"


def test_a_timeout_is_not_waited_for_twice(plain, tmp_path):
    plain.setattr(RecordedUv, "choice", EngineTimeoutError("too slow.", log=""))
    with pytest.raises(EngineTimeoutError):
        resolved(tmp_path)


def test_pip_takes_over_where_its_choice_may_differ(plain, tmp_path):
    plain.setattr(RecordedUv, "choice", [chosen(python="<3")])
    engine, found = resolved(tmp_path)
    assert found == (CHOSEN,) and (engine.name, engine.reason) == ("pip", "alpha 1.0 requires Python <3")
    assert engine.warnings() == ("a warning",) and auto()[0] == "uv"


def test_pip_takes_over_where_a_requester_has_added_something_special(plain, tmp_path):
    engine, _ = resolved(tmp_path, request=parse_request(("alpha",), constraints=["beta>=1rc1"]))
    assert (engine.name, engine.reason) == ("pip", "beta>=1rc1 is required")


def test_further_resolutions_use_pip(plain):
    assert isinstance(choose_engine("auto", ("alpha",), USUAL).fresh(), RecordedPip)


def test_index_pages_are_refreshed_only_if_there_is_an_index(plain):
    engine = choose_engine("auto", ("alpha",), {**USUAL, "no_index": True})
    engine.expect(("alpha",), {"no_index": True})
    assert engine._uv.more == ()
