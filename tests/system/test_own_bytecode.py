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
from liveinstall._transactions import companions

CODE = """
import sys
from liveinstall._system import child_process, own_bytecode
started = []
child = child_process.Child
child_process.Child = lambda *a: started.append(a) or child(*a)
before = list(sys.meta_path)
with own_bytecode.compiling():
    import liveinstall._requirements.habits
assert sys.meta_path == before
print(len(started), own_bytecode.__file__)
"""
# A request in short: from the name that starts the search for known bytecode to the end of it.
REQUEST = """
import liveinstall
liveinstall.install
from liveinstall._system.own_bytecode import compiling
with compiling():
    from liveinstall._changes import execution
print(type(execution.__loader__).__name__, execution.execute.__code__.co_filename, execution.__spec__.cached)
"""
EXECUTION = Path("liveinstall", "_changes", "execution.py")
needs_xdg = pytest.mark.skipif(os.name == "nt", reason="the directory of caches is not named by XDG_CACHE_HOME there")


@pytest.fixture
def copy(tmp_path):
    """A directory with liveinstall and no bytecode."""
    for package in (_liveinstall_boot, liveinstall):
        here = Path(package.__file__).parent
        shutil.copytree(here, tmp_path / here.name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run(copy, *arguments):
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, *arguments, "-c", CODE]
    done = subprocess.run(
        command,
        env={**kept, "PYTHONPATH": str(copy)},
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


@pytest.fixture
def cache(tmp_path):
    """A directory of caches, which have what a first environment compiled, and the file for liveinstall itself."""
    directory = tmp_path / "user"
    directory.mkdir(mode=0o700)
    return directory


def request(copy, cache, code=REQUEST, **variables):
    """Whether the known bytecode was used for a request in a copy."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "LIVEINSTALL_NO_CACHE")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    kept |= {"PYTHONPATH": str(copy), "XDG_CACHE_HOME": str(cache), **variables}
    done = subprocess.run([sys.executable, "-c", code], env=kept, capture_output=True, text=True, check=True)
    loader, path, cached = done.stdout.split()
    assert not done.stderr and path == str(copy / EXECUTION) and cached == cache_from_source(path)
    assert loader in ("_KnownLoader", "SourceFileLoader")
    return loader == "_KnownLoader"


def another(copy, tmp_path, name="other"):
    """Another environment with the same liveinstall and no bytecode."""
    ignored = shutil.ignore_patterns("__pycache__", "user", "other*")
    return Path(shutil.copytree(copy, tmp_path / name, ignore=ignored))


def changed(copy, tmp_path, line):
    """Another environment, where one module of liveinstall has one more line."""
    other = another(copy, tmp_path)
    with open(other / EXECUTION, "a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    return other


def the_file(cache):
    (found,) = (cache / "liveinstall" / "bytecode").glob("own-*")
    return found


@needs_xdg
def test_another_environment_uses_what_was_compiled_in_the_first(copy, cache, tmp_path):
    assert not request(copy, cache)
    content = the_file(cache).read_bytes()
    assert not request(copy, cache)  # which has bytecode now
    other = another(copy, tmp_path)
    assert request(other, cache) and request(other, cache)
    assert not compiled(other) and the_file(cache).read_bytes() == content


@needs_xdg
def test_a_module_that_was_not_known_is_added(copy, cache, tmp_path):
    request(copy, cache)
    other = another(copy, tmp_path)
    more = REQUEST.replace("import execution", "import execution, preview")
    assert request(other, cache, more)
    assert other / "liveinstall" / "_changes" / "preview.py" in compiled(other)
    assert other / EXECUTION not in compiled(other)
    another_one = another(copy, tmp_path, "other-3")
    assert request(another_one, cache, more) and not compiled(another_one)


@needs_xdg
def test_the_code_of_another_source_is_not_used(copy, cache, tmp_path):
    request(copy, cache)
    other = changed(copy, tmp_path, "assert False, 'the new code'")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        request(other, cache)
    assert "the new code" in caught.value.stderr


@needs_xdg
def test_the_code_of_another_source_is_replaced(copy, cache, tmp_path):
    request(copy, cache)
    other = changed(copy, tmp_path, "new = 1")
    assert not request(other, cache)
    assert request(another(other, tmp_path, "other-2"), cache)
    assert not request(another(copy, tmp_path, "other-3"), cache)


@needs_xdg
@pytest.mark.parametrize("damage", ["flipped", "cut", "empty"])
def test_a_damaged_file_is_not_used_and_is_replaced(copy, cache, tmp_path, damage):
    request(copy, cache)
    content = the_file(cache).read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    the_file(cache).write_bytes({"flipped": flipped, "cut": content[:middle], "empty": b""}[damage])
    assert not request(another(copy, tmp_path), cache)
    assert request(another(copy, tmp_path, "other-2"), cache)


@needs_xdg
@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no modes")
@pytest.mark.parametrize("which", ["file", "directory"])
def test_what_others_can_write_to_is_not_used(copy, cache, tmp_path, which):
    request(copy, cache)
    path = the_file(cache)
    (path if which == "file" else path.parent).chmod(0o777)
    assert not request(another(copy, tmp_path), cache)


@needs_xdg
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_the_file_of_another_user_is_not_used(copy, cache, tmp_path):
    request(copy, cache)
    os.chown(the_file(cache), 12345, -1)
    assert not request(another(copy, tmp_path), cache)


@needs_xdg
def test_it_can_be_switched_off(copy, cache, tmp_path):
    assert not request(copy, cache, LIVEINSTALL_NO_CACHE="1")
    assert not (cache / "liveinstall").exists()
    request(another(copy, tmp_path), cache)
    assert not request(another(copy, tmp_path, "other-2"), cache, LIVEINSTALL_NO_CACHE="1")


@needs_xdg
def test_the_copy_of_the_boot_package_is_made_without_compiling(copy, cache, tmp_path):
    request(copy, cache)
    other = another(copy, tmp_path)
    site = tmp_path / "site"
    (site / companions.STATE).mkdir(parents=True)
    code = f"""
import liveinstall
liveinstall.install
from liveinstall._system.own_bytecode import compiling
from liveinstall._transactions.companions import install_finalizer
with compiling():
    from liveinstall._changes import execution
    install_finalizer({str(site)!r})
print(type(execution.__loader__).__name__, execution.execute.__code__.co_filename, execution.__spec__.cached)
"""
    assert request(other, cache, code)
    boot = {path for path in (other / "_liveinstall_boot").glob("*.py") if os.path.exists(cache_from_source(path))}
    assert not boot
    assert len(list(site.rglob("*.bundle"))) == 3
