"""EPD's example with today's numpy and pyzmq, and the same set required in a process, in real environments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.lib.environments import Environment, add_liveinstall, user_variables
from integration.lib.interpreters import find_python

_LOOK = """
import importlib.metadata as m, json, sys
import numpy
from numpy import linalg
found = [numpy.__version__, m.version("numpy"), float(linalg.det(numpy.eye(3)))]
try:
    import zmq
    context = zmq.Context()
    found += [zmq.__version__]
    context.term()
except ImportError as error:
    found += [type(error).__name__]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Environment]:
    """numpy 2 and pyzmq 27 in the environment; registries env1 and env2, which is exclusive, of numpy 1.26."""
    base = find_python("3.11")
    if not base:
        pytest.skip("numpy 1.26 has wheels for 3.11, which is not here")
    made = Environment.make(tmp_path_factory.mktemp("registry") / "venv", base)
    add_liveinstall(made, wheel)
    made.add("numpy==2.0.2", "pyzmq==27.0.0", "setuptools==69.5.1")  # which has a .pth file that imports
    for words in (
        ("create", "env1", "numpy==1.26.4", "pyzmq==26.2"),
        ("create", "env2", "--exclusive", "numpy==1.26.4"),
        ("enable",),
    ):
        made.run("-m", "liveinstall", "registry", *words, check=True)
    yield made
    made.remove()


def look(environment: Environment, registry: str | None, code: str = _LOOK) -> list[object]:
    chosen = {} if registry is None else {"LIVEINSTALL_REGISTRY": registry}
    done = environment.run("-c", code, env=user_variables(**chosen))
    assert done.returncode == 0 and not done.stderr, done.stderr
    found: list[object] = json.loads(done.stdout)
    return found


def test_each_registry_gives_what_it_names_and_the_environment_the_rest(real: Environment) -> None:
    assert look(real, None) == ["2.0.2", "2.0.2", 1.0, "27.0.0"]
    assert look(real, "env1") == ["1.26.4", "1.26.4", 1.0, "26.2.0"]
    assert look(real, "env2") == ["1.26.4", "1.26.4", 1.0, "ModuleNotFoundError"]


def test_a_copy_without_the_row_falls_through_to_the_environment(real: Environment, tmp_path: Path) -> None:
    done = real.run("-m", "liveinstall", "registry", "show", "env1", "--json", check=True)
    text = Path(json.loads(done.stdout)["result"]["path"]).read_text(encoding="utf-8")
    mine = tmp_path / "mine.txt"
    mine.write_text("".join(line for line in text.splitlines(True) if "zmq" not in line), encoding="utf-8")
    assert look(real, str(mine)) == ["1.26.4", "1.26.4", 1.0, "27.0.0"]


def test_registries_are_merged_checked_and_contradict_each_other_by_line(real: Environment) -> None:
    real.run("-m", "liveinstall", "registry", "create", "new", "numpy==2.0.2", check=True)
    done = real.run("-m", "liveinstall", "registry", "merge", "both", "env1", "new")
    assert done.returncode == 1 and "RegistryConflictError" in done.stderr and done.stderr.count(", line ") == 2
    assert real.run("-m", "liveinstall", "registry", "check", "env1").returncode == 0


_TOOLS = """
import inspect, json, pkgutil, subprocess, sys, multiprocessing
import numpy, importlib.resources, importlib.metadata
from concurrent.futures import ProcessPoolExecutor

def version(_=None):
    import numpy
    return numpy.__version__

if __name__ == "__main__":
    child = [sys.executable, "-c", "import numpy; print(numpy.__version__)"]
    found = [subprocess.check_output(child, text=True).strip()]
    for kind in ("spawn", "forkserver"):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(kind)) as pool:
            found.append(pool.submit(version).result())
    found.append("numpy" in [module.name for module in pkgutil.iter_modules()])
    found.append("def eye" in inspect.getsource(numpy.eye))
    found.append(importlib.resources.files("numpy").joinpath("version.py").is_file())
    found.append([e.value for e in importlib.metadata.entry_points(group="console_scripts", name="f2py")])
    print(json.dumps(found))
"""
_SEEN = ["1.26.4", "1.26.4", "1.26.4", True, True, True, ["numpy.f2py.f2py2e:main"]]


def test_children_and_tools_see_it_too(real: Environment, tmp_path: Path) -> None:
    script = tmp_path / "tools.py"
    script.write_text(_TOOLS, encoding="utf-8")
    done = real.run(script, env=user_variables(LIVEINSTALL_REGISTRY="env1"))
    assert done.stdout and json.loads(done.stdout) == _SEEN, done.stderr
    script.write_text(f'import liveinstall\nliveinstall.require("numpy<2")\n{_TOOLS}', encoding="utf-8")
    done = real.run(script)
    assert done.stdout and json.loads(done.stdout) == _SEEN, done.stderr
    done = real.run("-m", "liveinstall", "run", "--with", "numpy<2", script)
    assert done.stdout and json.loads(done.stdout) == _SEEN, done.stderr


def test_pip_sees_and_changes_only_the_environment(real: Environment) -> None:
    uv_made = real.run("-m", "pip", "--version", env=user_variables(LIVEINSTALL_REGISTRY="env1"))
    assert uv_made.returncode == 0, uv_made.stderr
    done = real.run("-m", "pip", "list", "--format=freeze", env=user_variables(LIVEINSTALL_REGISTRY="env1"))
    assert "numpy==2.0.2" in done.stdout.splitlines() and "numpy==1.26.4" not in done.stdout


_PANDAS = """
import liveinstall
liveinstall.require("pandas<2.2.3", install=True, quiet=True)
import numpy, pandas
total = int(pandas.DataFrame({"a": [1, 2]}).a.sum())
print(pandas.__version__, numpy.__version__, total, liveinstall.versions("numpy").active)
"""


def test_what_is_missing_is_fetched_with_fitting_dependencies(real: Environment) -> None:
    done = real.run("-c", _PANDAS)
    assert done.returncode == 0, done.stderr
    pandas, numpy, total, active = done.stdout.split()
    assert pandas.startswith("2.2.") and numpy == active and total == "3"
    again = real.run("-c", _PANDAS, env=user_variables(LIVEINSTALL_OFFLINE="1", PIP_NO_INDEX="1"))
    assert again.stdout == done.stdout, again.stderr


def test_a_type_checker_s_path_file_works_without_liveinstall(real: Environment, tmp_path: Path) -> None:
    lines = real.run("-m", "liveinstall", "registry", "export-pth", "env1", check=True).stdout.splitlines()
    code = f"import sys; sys.path[:0] = {lines!r}\n{_LOOK}"
    assert look(real, None, code) == ["1.26.4", "1.26.4", 1.0, "26.2.0"]


def test_two_environments_and_two_pythons_share_a_store(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> None:
    bases = [base for base in map(find_python, ("3.11", "3.13")) if base]
    if len(bases) < 2:
        pytest.skip("needs two versions of Python")
    directory = tmp_path_factory.mktemp("shared")
    shared = user_variables(LIVEINSTALL_STORE=str(directory / "store"))
    made = []
    for number, base in enumerate([*bases, bases[0]]):
        environment = Environment.make(directory / f"venv{number}", base)
        add_liveinstall(environment, wheel)
        environment.run("-m", "liveinstall", "install", "-q", "--parallel", "pyzmq==26.2", check=True, env=shared)
        made.append(environment)
    builds = sorted(path.name for path in (directory / "store").glob("pyzmq-*"))
    assert len(builds) == 2, builds
    code = 'import liveinstall; liveinstall.require("pyzmq"); import zmq; print(zmq.__version__, zmq.__file__)'
    for environment, python in zip(made, ("cp311", "cp313", "cp311"), strict=True):
        done = environment.run("-c", code, check=True, env=shared)
        version, file = done.stdout.split()
        assert version == "26.2.0" and f"-{python}-" in file
        environment.remove()


_MANY = (
    *("numpy", "pandas", "protobuf", "google-api-core", "google-auth", "jinja2", "zope.interface", "zope.event"),
    *("pyyaml", "cryptography", "azure-core", "azure-identity", "pydantic", "sphinx", "pillow", "ruamel.yaml"),
)
_IMPORT_ALL = """
import contextlib, importlib, io, json, sys, warnings
from importlib.metadata import distributions
warnings.simplefilter("ignore")
found = {}
for name in json.load(open(sys.argv[1])):
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            importlib.import_module(name)
        found[name] = "imported"
    except BaseException as error:
        found[name] = type(error).__name__
found["versions"] = sorted((one.name, one.version) for one in distributions())
found["points"] = sorted((one.group, one.name, one.value) for each in distributions() for one in each.entry_points)
with open(sys.argv[2], "w") as stream:
    json.dump(found, stream)
"""
_NAMES = """
import json, sys
from liveinstall._sidebyside.imports.directory import walk
skipped = ("__main__", ".test", ".conftest", ".testing", "_virtualenv")
names = (entry[0] for entry in walk(sys.argv[1]))
print(json.dumps(sorted(name for name in names if not any(part in name for part in skipped))))
"""


@pytest.mark.full
def test_an_exclusive_registry_is_to_imports_what_one_site_packages_is(
    real: Environment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Every module of many real distributions, their metadata and entry points."""
    directory = tmp_path_factory.mktemp("plain")
    real.run("-m", "liveinstall", "registry", "create", "-q", "many", "--exclusive", *_MANY, check=True)
    shown = json.loads(real.run("-m", "liveinstall", "registry", "show", "many", "--json", check=True).stdout)
    base = find_python("3.11")
    assert base
    plain = Environment.make(directory / "venv", base)
    plain.add(*(f"{one['name']}=={one['version']}" for one in shown["result"]["distributions"]))
    names = directory / "names.json"
    names.write_text(real.run("-c", _NAMES, plain.site, check=True).stdout, encoding="utf-8")
    found = []
    for number, (environment, variables) in enumerate(((plain, {}), (real, {"LIVEINSTALL_REGISTRY": "many"}))):
        answer = directory / f"{number}.json"
        environment.run("-c", _IMPORT_ALL, names, answer, check=True, env=user_variables(**variables))
        found.append(json.loads(answer.read_text(encoding="utf-8")))
    assert len(found[0]) > 3000
    assert {name: found[1][name] for name in found[0] if found[0][name] != found[1][name]} == {}
    plain.remove()
