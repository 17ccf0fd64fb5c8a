"""A Jupyter server keeps its packages unchanged, whatever its kernels install, and reports pending changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from integration.lib.checks import complaints, left_overs
from integration.lib.environments import Environment, user_variables
from integration.lib.kernels import Kernel, client_of, errors_of_ours, server

_OLD = {"tornado": "6.4.1", "traitlets": "5.14.0", "pyzmq": "26.0.3"}
_UPGRADE = f"""
import liveinstall
r = liveinstall.install({", ".join(map(repr, _OLD))}, upgrade=True, deps=False)
print(sorted(c.name for c in r.staged), r.installed, sep="; ")
"""


def files_of(environment: Environment) -> dict[str, str]:
    """Every file of the three, with its hash."""
    found = {}
    for top in ("tornado", "traitlets", "zmq", *(f"{name}-{version}.dist-info" for name, version in _OLD.items())):
        for path in (environment.site / top).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def test_a_kernel_upgrades_what_its_server_runs_on_and_the_server_works_on(
    old_numpy: Callable[..., Environment], tmp_path: Path
) -> None:
    real = old_numpy(*(f"{name}=={version}" for name, version in _OLD.items()))
    real.add("jupyter_server", "ipykernel<7", deps=True)
    before = files_of(real)
    assert len(before) > 200
    with server(real, tmp_path) as ask:
        assert "No pending changes." in ask.text("/liveinstall/")
        kernel = ask("POST", "/api/kernels", {"name": "python3"})["id"]
        cells = Kernel(client_of(tmp_path, kernel))
        assert cells.run(_UPGRADE) == "['pyzmq', 'tornado', 'traitlets']; ()"
        assert files_of(real) == before
        second = ask("POST", "/api/kernels", {"name": "python3"})["id"]  # the server imports late, and starts kernels
        other = Kernel(client_of(tmp_path, second))
        assert other.run("import tornado; print(tornado.version)") == _OLD["tornado"]
        ask("POST", f"/api/kernels/{kernel}/restart", {})
        again = Kernel(client_of(tmp_path, kernel))
        assert again.run("import tornado; print(tornado.version)") == _OLD["tornado"]  # as its server has it
        assert {one["id"] for one in ask("GET", "/api/kernels", None)} == {kernel, second}
        page, told = ask.text("/liveinstall/"), ask("GET", "/liveinstall/api/pending", None)
        assert "Pending until the next start of Python" in page and ">tornado</b>" in page
        (item,) = told["result"]["pending"]
        assert {change["name"] for change in item["changes"]} == set(_OLD) and told["result"]["restart_required"]
        assert f"the Jupyter server (pid {ask.process.pid}; restart Jupyter itself)" in item["waits_for"]
        advice = again.run("print(__import__('liveinstall').plan('tornado', upgrade=True).waiting[0].reason)")
        assert f"the Jupyter server (pid {ask.process.pid}; restart Jupyter itself) uses it" in advice
        assert "IdentityProvider.token=t" not in page + json.dumps(told)
        assert files_of(real) == before
        for client in (cells, other, again):
            client.client.stop_channels()
    log = (tmp_path / "server.log").read_text(encoding="utf-8")
    assert errors_of_ours(tmp_path / "server.log") == []
    assert "liveinstall protects the distributions that this server uses" in log
    real.run("-c", "", check=True)  # they are no longer in use
    assert not files_of(real).keys() & {path for path in before if ".dist-info" in path}
    assert left_overs(real.site) == [] and complaints(real) == set()
    real.remove()


def test_without_a_jupyter_server_the_file_does_nothing(environment: Environment) -> None:
    (config,) = (environment.path / "etc" / "jupyter" / "jupyter_server_config.d").iterdir()
    assert json.loads(config.read_text(encoding="utf-8")) == {
        "ServerApp": {"jpserver_extensions": {"liveinstall": True}}
    }
    done = environment.run(
        "-c", "import liveinstall, sys; print(liveinstall.pending(), 'tornado' in sys.modules)", env=user_variables()
    )
    assert (done.stdout, done.stderr) == ("No pending changes. False\n", "")
