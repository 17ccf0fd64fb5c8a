"""The versions of real processes: kernels and their server, pools of workers, services and scripts."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.lib.checks import complaints, left_overs, missing_files
from integration.lib.environments import Environment, user_variables
from integration.lib.kernels import Kernel, client_of, kernel, server

_SECONDS = 120


@pytest.fixture
def real(old_numpy: Callable[..., Environment]) -> Iterator[Environment]:
    made = old_numpy("numpy==1.26.4")
    yield made
    made.remove()


def numpy_of(environment: Environment) -> str:
    done = environment.run("-c", "import numpy, numpy.fft; print(numpy.__version__)", check=True)
    assert done.stderr == ""
    return done.stdout.strip()


def on_disk(environment: Environment) -> str:
    (info,) = environment.site.glob("numpy-*.dist-info")
    return info.name.removesuffix(".dist-info").removeprefix("numpy-")


def whole(environment: Environment) -> None:
    assert on_disk(environment) == "2.0.2"
    assert (
        complaints(environment) == set()
        and list(missing_files(environment.site)) == []
        and left_overs(environment.site) == []
    )


_STAGE = "import liveinstall; print([str(c) for c in liveinstall.install('numpy==2.0.2', deps=False).staged])"
_VERSION = "import numpy, numpy.fft; print(numpy.__version__)"


def test_two_kernels_and_one_of_them_restarted_twice(real: Environment, tmp_path: Path) -> None:
    real.add("ipykernel", deps=True)
    with kernel(real, tmp_path) as first, kernel(real, tmp_path) as second:
        a, b = Kernel(first.blocking_client()), Kernel(second.blocking_client())
        assert a.run("import numpy; print(numpy.__version__)") == b.run("import numpy; print(numpy.__version__)")
        assert a.run(_STAGE) == "['numpy 1.26.4 -> 2.0.2']"
        assert a.run(_VERSION) == b.run(_VERSION) == "1.26.4"
        for _ in range(2):
            first.restart_kernel(now=True, env=user_variables())
            again = Kernel(first.blocking_client())
            assert again.run(_VERSION) == "2.0.2"  # from the part: the second kernel still has the old one mapped
            assert on_disk(real) == "1.26.4"
        assert b.run("import numpy.polynomial, numpy.testing; print(numpy.__version__)") == "1.26.4"
        shown = real.run("-m", "liveinstall", "status", check=True).stdout
        assert f"another notebook (pid {second.provisioner.pid})" in shown
        again.client.stop_channels()
        b.client.stop_channels()
    assert numpy_of(real) == "2.0.2"
    whole(real)


def test_a_guarded_server_keeps_its_own_libraries_and_its_kernels_get_the_new_ones(
    real: Environment, tmp_path: Path
) -> None:
    real.add("jupyter_server", "ipykernel", "traitlets==5.14.0", deps=True)
    real.run("-m", "liveinstall", "guard", "on", check=True)
    with server(real, tmp_path) as ask:
        first, second = (ask("POST", "/api/kernels", {"name": "python3"})["id"] for _ in range(2))
        a, b = Kernel(client_of(tmp_path, first)), Kernel(client_of(tmp_path, second))
        assert a.run("import numpy; print(numpy.__version__)") == "1.26.4"
        assert a.run(_STAGE) == "['numpy 1.26.4 -> 2.0.2']"
        ask("POST", f"/api/kernels/{first}/restart", {})
        a = Kernel(client_of(tmp_path, first))
        assert a.run(_VERSION) == "2.0.2"  # its server does not use numpy
        upgrade = "import liveinstall; print([str(c) for c in liveinstall.install('traitlets==5.14.3').staged])"
        assert b.run(upgrade) == "['traitlets 5.14.0 -> 5.14.3']"  # the server uses it, and both kernels
        ask("POST", f"/api/kernels/{first}/restart", {})
        again = Kernel(client_of(tmp_path, first))
        assert again.run("import traitlets; print(traitlets.__version__)") == "5.14.0"  # as its server has it
        assert ask("GET", "/api/status", None)["kernels"] == 2
        shown = b.run("print(liveinstall.status())")
        assert "the Jupyter server (pid" in shown and "traitlets" in shown
        for client in (a, b, again):
            client.client.stop_channels()
    assert numpy_of(real) == "2.0.2"
    assert real.run("-c", "import traitlets; print(traitlets.__version__)").stdout == "5.14.3\n"
    whole(real)


_POOLS = """
import json, multiprocessing, sys, warnings
import numpy
import liveinstall

def version(_):
    import numpy, numpy.fft
    return numpy.__version__

if __name__ == "__main__":
    kind = sys.argv[1]
    if kind == "loky":
        from joblib.externals.loky import get_reusable_executor
        before = set(get_reusable_executor(2).map(version, range(4)))
        staged = liveinstall.install("numpy==2.0.2", deps=False).staged
        get_reusable_executor(2).shutdown(wait=True)
        after = set(get_reusable_executor(2).map(version, range(4)))
        get_reusable_executor(2).shutdown(wait=True)
    else:
        context = multiprocessing.get_context(kind)
        with context.Pool(2) as pool:
            before = set(pool.map(version, range(4)))
        staged = liveinstall.install("numpy==2.0.2", deps=False).staged
        with context.Pool(2) as pool:
            after = set(pool.map(version, range(4)))
    import numpy.polynomial
    print(json.dumps([len(staged), sorted(before), sorted(after), numpy.__version__]))
"""


@pytest.mark.parametrize("kind", ["spawn", "forkserver", "fork", "loky"])
def test_workers_see_what_the_process_that_staged_sees(real: Environment, tmp_path: Path, kind: str) -> None:
    if kind == "loky":
        real.add("joblib", deps=True)
    (tmp_path / "pools.py").write_text(_POOLS, encoding="utf-8")
    done = real.run(tmp_path / "pools.py", kind, check=True)
    assert json.loads(done.stdout) == [1, ["1.26.4"], ["1.26.4"], "1.26.4"], done.stderr
    assert numpy_of(real) == "2.0.2"
    whole(real)  # even if a resource tracker outlives the pool for a moment


def test_a_long_lived_service_and_short_scripts(real: Environment) -> None:
    service = "import liveinstall; liveinstall.hold(); import numpy; print('up', flush=True); input(); "
    service += "import numpy.fft, numpy.polynomial; print(numpy.__version__)"
    process = subprocess.Popen(
        [real.python, "-c", service],
        env=user_variables(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    done = real.run("-m", "liveinstall", "install", "numpy==2.0.2", "--no-deps", check=True)
    assert re.search(rf"numpy 1\.26\.4 -> 2\.0\.2 +another Python \(pid {process.pid}: .*\) uses numpy", done.stdout), (
        done.stdout
    )
    scripts = [real.run("-c", "import numpy, numpy.fft; print(numpy.__version__)").stdout for _ in range(3)]
    assert scripts == ["2.0.2\n"] * 3
    listed = json.loads(real.run("-m", "pip", "list", "--format", "json", check=True).stdout)
    assert {one["name"]: one["version"] for one in listed}["numpy"] == "1.26.4"  # pip sees the installed files
    assert process.communicate("\n", timeout=_SECONDS) == ("1.26.4\n", "")
    assert numpy_of(real) == "2.0.2"
    whole(real)
