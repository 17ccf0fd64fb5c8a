"""Where an installer has compiled no bytecode of liveinstall, the first request does so on two cores."""

import os
import shutil
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

import _liveinstall_boot
import liveinstall
from liveinstall._system import own_bytecode

CODE = """
import sys
from liveinstall._system import own_bytecode
started = []
child = own_bytecode.Child
own_bytecode.Child = lambda *a: started.append(a) or child(*a)
with own_bytecode.compiling():
    pass
print(len(started), own_bytecode.__file__)
"""


@pytest.fixture
def copy(tmp_path):
    """A directory with liveinstall and no bytecode."""
    for package in (_liveinstall_boot, liveinstall):
        here = Path(package.__file__).parent
        shutil.copytree(here, tmp_path / here.name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run(copy, *arguments, **variables):
    dropped = ("PYTHONDONTWRITEBYTECODE", "LIVEINSTALL_NO_CACHE") if "XDG_CACHE_HOME" in variables else ()
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", *dropped)}
    command = [sys.executable, *arguments, "-c", CODE]
    done = subprocess.run(
        command,
        env={**kept, "PYTHONPATH": str(copy), **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    started, path = done.stdout.split(maxsplit=1)
    assert path.strip() == str(copy / "liveinstall" / "_system" / "own_bytecode.py") and not done.stderr
    return int(started)


def compiled(copy):
    found = [path for name in own_bytecode._LAST for path in (copy / "liveinstall" / name).glob("*.py")]
    return {path for path in found if os.path.exists(cache_from_source(path))}


def test_what_is_imported_last_is_compiled_once(copy):
    assert not compiled(copy)
    assert run(copy) == 1
    rooms = [list((copy / "liveinstall" / name).glob("*.py")) for name in own_bytecode._LAST]
    assert all(rooms) and len(compiled(copy)) == sum(map(len, rooms))
    assert run(copy) == 0


def test_it_is_the_bytecode_that_an_import_writes(copy):
    run(copy)
    path = copy / "liveinstall" / "_changes" / "execution.py"
    ours = Path(cache_from_source(path)).read_bytes()
    Path(cache_from_source(path)).unlink()
    variables = {**os.environ, "PYTHONPATH": str(copy)}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([sys.executable, "-c", "import liveinstall._changes.execution"], env=variables, check=True)
    assert Path(cache_from_source(path)).read_bytes() == ours


@pytest.mark.parametrize("option", ["-B", "-O", "-Xpycache_prefix=elsewhere"])
def test_an_interpreter_that_writes_other_bytecode_or_none_starts_no_child(copy, tmp_path, option):
    arguments = [option.replace("elsewhere", str(tmp_path / "elsewhere"))]
    assert run(copy, *arguments) == 0 and not compiled(copy)


def test_a_damaged_source_is_left_to_the_import(copy):
    (copy / "liveinstall" / "_staging" / "zip_checks.py").write_text("this is not python")
    assert run(copy) == 1
    assert copy / "liveinstall" / "_staging" / "writer.py" in compiled(copy)


@pytest.mark.skipif(os.name == "nt", reason="the directory of caches is not named by XDG_CACHE_HOME there")
def test_another_environment_gets_what_was_compiled_in_the_first(copy, tmp_path):
    cache = tmp_path / "user"
    cache.mkdir(mode=0o700)
    info = copy / f"liveinstall-{liveinstall.__version__}.dist-info"
    info.mkdir()
    paths = [path.relative_to(copy).as_posix() for path in copy.rglob("*.py")]
    rows = [f"{path},sha256={number},1" for number, path in enumerate(sorted(paths))]
    (info / "RECORD").write_text("\n".join([*rows, "../../bin/liveinstall,sha256=x,1", '"a,b.py",,', ""]))
    other = tmp_path / "other"
    shutil.copytree(copy, other)
    assert run(copy, XDG_CACHE_HOME=str(cache)) == 1
    assert run(other, XDG_CACHE_HOME=str(cache)) == 0
    found = {path.relative_to(copy) for path in compiled(copy)}
    assert found and {path.relative_to(other) for path in compiled(other)} == found
    path = other / "liveinstall" / "_changes" / "execution.py"
    restored = Path(cache_from_source(path)).stat().st_ino
    code = "import liveinstall._changes.execution as e; print(e.execute.__code__.co_filename)"
    variables = {**os.environ, "PYTHONPATH": str(other)}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(path) and Path(cache_from_source(path)).stat().st_ino == restored
