"""The answers of a real Jupyter server about the environments of its kernels, and JupyterLab's list of extensions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from integration.lib.environments import Environment, user_variables
from integration.lib.interpreters import find_python
from integration.lib.kernels import Kernel, Server, client_of, places, server

_SLEEPS = "import time; time.sleep(300)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the server, with kernels that only sleep: of Python without liveinstall, and of R."""
    path = tmp_path_factory.mktemp("server")
    bare = find_python("3.11")
    for name, language in (("bare", "python"), ("r", "R")):
        spec = path / "data" / "kernels" / name / "kernel.json"
        spec.parent.mkdir(parents=True)
        about = {"argv": [str(bare), "-c", _SLEEPS, "{connection_file}"], "display_name": name, "language": language}
        spec.write_text(json.dumps(about), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def ask(notebooks: Environment, folder: Path) -> Iterator[Server]:
    """One server for all of these tests."""
    with server(notebooks, folder) as asked:
        yield asked


@dataclass
class Asked:
    """The API for one kernel."""

    server: Server
    id: str

    def __call__(self, what: str, body: Any = None) -> Any:
        method = "GET" if body is None else "POST"
        return self.server(method, f"/liveinstall/api/kernels/{self.id}/{what}", body)


@contextmanager
def kernel_of(ask: Server, name: str) -> Iterator[Asked]:
    id = ask("POST", "/api/kernels", {"name": name})["id"]
    try:
        yield Asked(ask, id)
    finally:
        ask.text(f"/api/kernels/{id}", "DELETE")


def refusal(ask: Server, path: str, body: Any = None, token: str = "token t") -> int:
    """The status of an error response."""
    data = None if body is None else json.dumps(body).encode()
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(ask.url + path, data, {"Authorization": token}), timeout=60)
    caught.value.close()
    return caught.value.code


def test_a_busy_kernel_is_answered_for_and_its_environment_changed(
    ask: Server, folder: Path, with_alpha: Environment, wheels: Path
) -> None:
    with kernel_of(ask, "python3") as asked:
        before = asked("status")["result"]
        assert before["pending"] == [] and before["target"]["site"] == str(with_alpha.site)
        cells = Kernel(client_of(folder, asked.id))
        here = f"no_index=True, find_links={str(wheels)!r}"
        cells.run(f"import alpha, liveinstall\nliveinstall.install('alpha==2.0', 'beta', {here})")
        cells.client.execute(_SLEEPS)  # from here on the kernel does not answer
        status = asked("status")["result"]
        (item,) = status["pending"]
        assert [change["name"] for change in item["changes"]] == ["alpha"] and status["restart_required"]
        who = {holder["who"] for holder in status["holders"]}
        assert {"this notebook", f"the Jupyter server (pid {ask.process.pid}; restart Jupyter itself)"} <= who
        (past, *_) = asked("history")["result"]
        assert past["undoable"] and [change["name"] for change in past["changes"]] == ["beta"]
        (cancelled,) = asked("cancel", {"names": ["alpha"]})["result"]
        assert cancelled["name"] == "alpha"
        undone = asked("undo", {"transaction": past["transaction"]})["result"]
        assert [change["name"] for change in undone["removed"]] == ["beta"]
        after = asked("status")["result"]
        assert after["pending"] == [] and after["distributions"] == before["distributions"]
        again = asked("cancel", {})
        assert not again["ok"] and again["error"]["type"] == "NotPendingError"
        cells.client.stop_channels()


def test_kernels_without_liveinstall_and_of_other_languages_say_so(ask: Server) -> None:
    for name, words in (("bare", "liveinstall is not installed in the environment"), ("r", "not a Python kernel")):
        with kernel_of(ask, name) as asked:
            answer = asked("status")
            assert not answer["ok"] and words in answer["error"]["message"], answer
            assert answer["error"]["type"] == "TargetError"


def test_strangers_unknown_kernels_and_options_are_refused(ask: Server) -> None:
    with kernel_of(ask, "bare") as asked:
        path = f"liveinstall/api/kernels/{asked.id}"
        assert refusal(ask, f"{path}/status", token="token wrong") == 403
        assert refusal(ask, f"{path}/undo", {"transaction": "t1"}, token="token wrong") == 403
        bodies = ({"transaction": "--to"}, {}, {"transaction": 1}, ["t1"])
        assert [refusal(ask, f"{path}/undo", body) for body in bodies] == [400] * 4
        assert [refusal(ask, f"{path}/cancel", {"names": each}) for each in (["--all"], "alpha", [1])] == [400] * 3
    assert refusal(ask, f"{path}/status") == 404


def jupyter(environment: Environment, folder: Path, *arguments: str) -> str:
    """The output of `jupyter ARGUMENTS`."""
    variables = user_variables(**places(folder), NO_COLOR="1")
    done = environment.run("-m", *arguments, env=variables, check=True)
    return done.stdout + done.stderr


def test_both_extensions_are_listed_as_enabled_and_are_disabled_the_usual_way(
    notebooks: Environment, tmp_path: Path
) -> None:
    listed = jupyter(notebooks, tmp_path, "jupyterlab.labextensions", "list")
    (line,) = (line for line in listed.splitlines() if "liveinstall v" in line)
    assert "enabled" in line and "OK" in line and "(python, liveinstall)" in line
    servers = jupyter(notebooks, tmp_path, "jupyter_server.extension.serverextension", "list")
    (words,) = (text for text in servers.split("- Validating ") if text.startswith("liveinstall"))
    assert "OK" in words
    jupyter(notebooks, tmp_path, "jupyterlab.labextensions", "disable", "liveinstall", "--level=user")
    config = json.loads((tmp_path / "config" / "labconfig" / "page_config.json").read_text(encoding="utf-8"))
    assert config["disabledExtensions"] == {"liveinstall": True}  # test_status_bar.py tests its behaviour
