"""A misbehaving index, a refusing proxy, a broken pip: an error with pip's message, and nothing changed."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.lib.checks import left_overs, tree
from integration.lib.environments import Environment, add_liveinstall, user_variables
from integration.lib.interpreters import CURRENT, find_python, find_uv
from integration.lib.misbehaving import EXPIRED, PASSWORD, USER, expired, misbehave, refusing_proxy
from integration.lib.wheels import write_wheel

_ALONE = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_RETRIES": "0", "no_proxy": "", "NO_PROXY": ""}

_UV = {"UV": find_uv() or "", "UV_HTTP_RETRIES": "0"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Environment]:
    """One environment for all: no test changes it."""
    base = find_python(CURRENT)
    assert base
    made = Environment.make(tmp_path_factory.mktemp("place") / "venv", base)
    add_liveinstall(made, wheel)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with misbehave(write_wheel(tmp_path_factory.mktemp("wheel"), "untrue", "1.0")) as address:
        yield address


def refused(
    environment: Environment, kind: str, *arguments: str | Path, within: float = 30, **variables: str
) -> dict[str, Any]:
    """An install fails with this error, within these seconds, and changes nothing."""
    before, temporary = tree(environment.path), environment.path.parent / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    begun = time.monotonic()
    done = environment.run(
        *("-m", "liveinstall", "install", "--json", *arguments),
        env=user_variables(**{**_ALONE, "TMPDIR": str(temporary), **variables}),
    )
    seconds = time.monotonic() - begun
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"]) == (1, False), done.stdout
    assert told["error"]["type"] == kind, told
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert seconds < within
    assert tree(environment.path) == before
    assert left_overs(environment.site) == []
    assert list(temporary.iterdir()) == []
    return dict(told["error"])


@pytest.mark.parametrize(
    ("project", "kind", "words"),
    [
        ("gone", "ResolutionError", "No matching distribution found for gone"),
        ("broken", "DownloadError", "500"),
        ("nonsense", "EngineError", "pip itself failed"),
        ("picture", "ResolutionError", "No matching distribution"),
        ("circle", "DownloadError", "redirects"),
        ("garbled", "WheelRefusedError", "garbled"),
        ("cut", "DownloadError", ""),
        ("untrue", "DownloadError", "hash"),
        ("locked", "DownloadError", "401"),
    ],
)
def test_index_that_misbehaves(place: Environment, index: str, project: str, kind: str, words: str) -> None:
    url = f"http://{USER}:{PASSWORD}@{index}/simple"
    told = refused(place, kind, project, "--index-url", url)
    assert words.lower() in told["message"].lower()


@pytest.mark.parametrize(
    ("project", "kind", "words"),
    [
        ("gone", "ResolutionError", "gone"),
        ("broken", "DownloadError", "500"),
        ("nonsense", "ResolutionError", ""),
        ("picture", "ResolutionError", ""),
        ("circle", "ResolutionError", "circle"),  # uv treats it as not found
        ("garbled", "WheelRefusedError", "garbled"),
        ("untrue", "DownloadError", "hash"),
        ("locked", "DownloadError", "401"),
    ],
)
def test_index_that_misbehaves_to_uv(place: Environment, index: str, project: str, kind: str, words: str) -> None:
    url = f"http://{USER}:{PASSWORD}@{index}/simple"
    told = refused(place, kind, project, "--index-url", url, "--engine", "uv", **_UV)
    assert words.lower() in told["message"].lower()


@pytest.mark.parametrize("engine", ["pip", "uv"])
def test_wheel_that_ends_early(place: Environment, index: str, engine: str) -> None:
    url = f"http://{index}/halved/untrue-1.0-py3-none-any.whl"
    told = refused(place, "DownloadError", f"untrue @ {url}", "--engine", engine, **_UV)
    assert url in told["message"] or "bytes" in told["message"]


@pytest.mark.parametrize("form", ["{url}", "untrue @ {url}"])
def test_password_in_an_address_is_used_and_not_kept(environment: Environment, index: str, form: str) -> None:
    url = f"http://{USER}:{PASSWORD}@{index}/private/untrue-1.0-py3-none-any.whl"
    refused(environment, "DownloadError", form.format(url=url.replace(PASSWORD, PASSWORD + "x")))
    done = environment.run("-m", "liveinstall", "install", "--json", form.format(url=url))
    assert done.returncode == 0, done.stdout + done.stderr
    told = environment.run("-m", "liveinstall", "history", "--json").stdout
    kept = [path.read_bytes() for path in environment.path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert PASSWORD not in done.stdout + done.stderr + told
    assert not any(PASSWORD.encode() in content for content in kept)
    assert (environment.site / "untrue-1.0.dist-info/direct_url.json").is_file()
    environment.remove()


@pytest.mark.parametrize("project", ["silent", "late"])
def test_index_that_does_not_answer_is_given_up_by_pip(place: Environment, index: str, project: str) -> None:
    told = refused(
        *(place, "DownloadError", project, "--index-url", f"http://{index}/simple"), within=20, PIP_DEFAULT_TIMEOUT="2"
    )
    assert any(word in told["message"] for word in ("timed out", "respond within"))


@pytest.mark.parametrize("project", ["silent", "trickle", "late"])
def test_time_that_is_allowed_is_kept(place: Environment, index: str, project: str) -> None:
    arguments = (project, "--index-url", f"http://{index}/simple", "--timeout", "4")
    told = refused(place, "EngineTimeoutError", *arguments, within=15, PIP_DEFAULT_TIMEOUT="60", PIP_RETRIES="5")
    assert "4 seconds" in told["message"]


@pytest.mark.parametrize("project", ["silent", "late"])
def test_index_that_does_not_answer_is_given_up_by_uv(place: Environment, index: str, project: str) -> None:
    arguments = (project, "--index-url", f"http://{index}/simple", "--engine", "uv")
    told = refused(place, "DownloadError", *arguments, within=25, UV_HTTP_TIMEOUT="2", **_UV)
    assert "time" in told["message"].lower()


@pytest.mark.parametrize("project", ["silent", "trickle", "late"])
def test_time_that_is_allowed_is_kept_by_uv(place: Environment, index: str, project: str) -> None:
    arguments = (project, "--index-url", f"http://{index}/simple", "--timeout", "4", "--engine", "uv")
    told = refused(place, "EngineTimeoutError", *arguments, within=15, UV_HTTP_TIMEOUT="60", **_UV)
    assert "4 seconds" in told["message"]


def test_expired_certificate_and_uv(place: Environment, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, "untrue", "1.0")
    with misbehave(wheel, expired) as address:
        for asked in (
            ["untrue", "--index-url", f"https://{address}/simple"],
            [f"untrue @ https://{address}/files/{wheel.name}"],
        ):
            told = refused(place, "DownloadError", *asked, "--engine", "uv", SSL_CERT_FILE=str(EXPIRED), **_UV)
            assert "certificate" in told["message"].lower()


def test_proxy_that_refuses_uv(place: Environment) -> None:
    with refusing_proxy() as proxy:
        arguments = ("idna==3.4", "--index-url", "https://example.org/simple", "--engine", "uv")
        told = refused(place, "DownloadError", *arguments, HTTPS_PROXY=proxy, https_proxy=proxy, **_UV)
        assert "407" in told["message"] or "tunnel" in told["message"].lower() or "proxy" in told["message"].lower()


@pytest.mark.parametrize("text", ["[pip\n", "[pip]\nno-index = 'maybe'\n"])
def test_configuration_of_uv_that_is_broken(place: Environment, tmp_path: Path, text: str) -> None:
    path = tmp_path / "uv.toml"
    path.write_text(text, encoding="utf-8")
    told = refused(place, "EngineError", "idna", "--no-index", "--engine", "uv", UV_CONFIG_FILE=str(path), **_UV)
    assert "uv.toml" in told["message"]


def test_uv_that_is_missing_or_damaged(place: Environment, tmp_path: Path) -> None:
    damaged = tmp_path / "uv"
    damaged.write_text("#!/bin/sh\nexit 7\n")
    damaged.chmod(0o755)
    told = refused(place, "EngineError", "idna", "--no-index", "--engine", "uv", UV=str(damaged))
    assert "uv" in told["message"]
    told = refused(place, "EngineError", "idna", "--engine", "uv", UV="", PATH=str(tmp_path / "nothing"))
    assert "not found" in told["message"]


def test_expired_certificate(place: Environment, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, "untrue", "1.0")
    with misbehave(wheel, expired) as address:
        arguments = ("untrue", "--index-url", f"https://{address}/simple")
        told = refused(place, "DownloadError", *arguments, PIP_CERT=str(EXPIRED))
        assert "certificate" in told["message"].lower()
        told = refused(place, "DownloadError", f"untrue @ https://{address}/files/{wheel.name}")
        assert "certificate" in told["message"].lower()


def test_proxy_that_refuses(place: Environment) -> None:
    with refusing_proxy() as proxy:
        arguments = ("idna==3.4", "--index-url", "https://example.org/simple")
        told = refused(place, "DownloadError", *arguments, HTTPS_PROXY=proxy, https_proxy=proxy)
        assert "407" in told["message"] or "proxy" in told["message"].lower()
        told = refused(place, "DownloadError", *arguments, "--pip-argument=--proxy=" + proxy)
        assert "407" in told["message"] or "proxy" in told["message"].lower()


@pytest.mark.parametrize(
    ("text", "words"),
    [("[global\nindex-url = x\n", "onfiguration"), ("[install]\nrequire-hashes = maybe\n", "maybe")],
)
def test_configuration_that_is_broken(place: Environment, tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "pip.conf"
    path.write_text(text, encoding="utf-8")
    told = refused(place, "EngineError", "idna", "--no-index", PIP_CONFIG_FILE=str(path))
    assert words in told["message"]


def test_pip_that_is_missing_or_damaged(place: Environment, tmp_path: Path) -> None:
    pip = place.site / "pip"
    pip.rename(tmp_path / "pip")
    try:
        told = refused(place, "EngineError", "idna", "--no-index", "--engine", "pip")
        assert "ensurepip" in told["todo"]
        pip.mkdir()
        (pip / "__init__.py").write_text("")
        told = refused(place, "EngineError", "idna", "--no-index", "--engine", "pip")
        assert "pip" in told["message"] + told["todo"]
    finally:
        shutil.rmtree(pip, ignore_errors=True)
        (tmp_path / "pip").rename(pip)


@pytest.mark.parametrize("engine", ["pip", "uv"])
@pytest.mark.parametrize(
    "url",
    [
        *("git+http://127.0.0.1:1/x.git", "x @ git+http://127.0.0.1:1/x.git@main", "git+ssh://git@127.0.0.1:1/x.git"),
        *(
            "git+file:///does-not-exist/x",
            "http://127.0.0.1:1/x-1.0.tar.gz",
            "http://127.0.0.1:1/x-1.0-py3-none-any.whl",
        ),
    ],
)
def test_a_repository_or_archive_that_cannot_be_reached_is_not_a_build_error(
    place: Environment, engine: str, url: str
) -> None:
    if engine == "uv" and not _UV["UV"]:
        pytest.skip("there is no uv here")
    error = refused(place, "DownloadError", url, "--engine", engine, **(_UV if engine == "uv" else {}))
    assert "built" not in error["message"]
