"""Bytecode of the same sources is compiled once, and valid in every environment."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import time
from importlib.util import cache_from_source

import pytest
from helpers.environments import caches_in, make_wheel
from staging.test_unpacked_wheel import target, unpack

from liveinstall._model import Candidate
from liveinstall._staging import bytecode
from liveinstall._staging.bytecode import BytecodeCompiler
from liveinstall._staging.part import stage
from liveinstall._system import bytecode_cache
from liveinstall._system.dist_info import encoded

__all__ = ["target"]  # a fixture
FILES = {
    "big/__init__.py": "from . import used\n",
    "big/used.py": "def where():\n    return where.__code__.co_filename\n",
    "big/unused.py": "x = 1\n",
    "big/broken.py": "x = (\n",
}


@pytest.fixture(autouse=True)
def known(tmp_path, monkeypatch):
    """The directory of the known bytecode, which does not exist yet."""
    monkeypatch.delenv("LIVEINSTALL_NO_CACHE")
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for name, value in caches_in(tmp_path / "user").items():
        monkeypatch.setenv(name, value)
    (tmp_path / "user").mkdir(mode=0o700)
    return tmp_path / "user" / "liveinstall" / "bytecode"


@pytest.fixture
def started(monkeypatch):
    """The child processes that were started."""
    found = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            found.append(self)

    monkeypatch.setattr(bytecode.subprocess, "Popen", Recorded)
    return found


def wheel(tmp_path, files=FILES, version="1.0"):
    return make_wheel(tmp_path / "wheels", "big", version, files)


def install(target, *, wheel="", unpacked="", first=("big",), early=False, version="1.0"):
    """Stage big with its bytecode; the part's path, and the names of the compiled modules."""
    candidate = Candidate("big", version, (), requested=True, wheel=str(wheel), unpacked=str(unpacked), shared=True)
    with BytecodeCompiler(early=early) as compiler:
        compiler.start_with(set(first), {"big": version})
        part = stage(candidate, target, "t1", compiler=compiler).path
        compiler.finish()
    return part, names(part)


def names(part):
    directory = os.path.join(part, "big", "__pycache__")
    return {name.partition(".")[0] for name in os.listdir(directory)} if os.path.isdir(directory) else set()


@pytest.mark.parametrize("early", [False, True])
def test_the_second_time_nothing_is_compiled_and_the_import_finds_it_valid(tmp_path, target, started, early):
    path = wheel(tmp_path)
    first, compiled = install(target, wheel=path, early=early)
    assert compiled == {"__init__", "used"} and started
    count = len(started)
    os.rename(first, tmp_path / "first")
    time.sleep(0.01)
    second, restored = install(target, wheel=path)
    assert restored == compiled and len(started) == count
    inodes = {name: os.stat(os.path.join(second, "big", "__pycache__", name)).st_ino for name in cached(second)}
    code = "import sys; sys.path.insert(0, sys.argv[1]); import big.used; print(big.used.where())"
    found = subprocess.run([sys.executable, "-I", "-c", code, second], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == os.path.join(second, "big", "used.py")
    again = {name: os.stat(os.path.join(second, "big", "__pycache__", name)).st_ino for name in cached(second)}
    assert again == inodes  # Python replaces bytecode that is not valid


def cached(part):
    return sorted(os.listdir(os.path.join(part, "big", "__pycache__")))


def test_linked_trees_and_unpacked_wheels_share_it(tmp_path, target, started):
    path = wheel(tmp_path)
    part, compiled = install(target, wheel=path)
    os.rename(part, tmp_path / "first")
    count = len(started)
    root = unpack(path, tmp_path / "tree")
    assert install(target, unpacked=root)[1] == compiled and len(started) == count


def test_other_sources_of_the_same_version_are_compiled(tmp_path, target, started):
    part, _ = install(target, wheel=wheel(tmp_path))
    os.rename(part, tmp_path / "first")
    count = len(started)
    (tmp_path / "wheels" / "big-1.0-py3-none-any.whl").unlink()
    part, compiled = install(target, wheel=wheel(tmp_path, FILES | {"big/used.py": "from . import unused\n"}))
    assert compiled == {"__init__", "used", "unused"} and len(started) > count


def test_a_request_that_wants_more_compiles_only_that(tmp_path, target, started):
    path = wheel(tmp_path, FILES | {"other/__init__.py": "import big.unused\n"})
    part, compiled = install(target, wheel=path, first=("none",))
    assert compiled == set()
    os.rename(part, tmp_path / "first")
    part, compiled = install(target, wheel=path)
    assert compiled == {"__init__", "used", "unused"}
    os.rename(part, tmp_path / "second")
    count = len(started)
    part, restored = install(target, wheel=path, first=("none",))
    assert restored == compiled and len(started) == count
    os.rename(part, tmp_path / "third")


def test_bytecode_that_was_removed_from_the_cache_is_compiled_again(tmp_path, target, known):
    path = wheel(tmp_path)
    part, compiled = install(target, wheel=path)
    os.rename(part, tmp_path / "first")
    for file in sorted(known.iterdir(), key=lambda file: file.stat().st_size)[-1:]:
        file.unlink()
    assert install(target, wheel=path)[1] == compiled


def test_damaged_bytecode_in_the_cache_is_compiled_again_and_replaced(tmp_path, target, known, started):
    path = wheel(tmp_path)
    part, compiled = install(target, wheel=path)
    os.rename(part, tmp_path / "first")
    archive = max(known.iterdir(), key=lambda file: file.stat().st_size)
    content = archive.read_bytes()
    archive.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    part, again = install(target, wheel=path)
    assert again == compiled and archive.read_bytes() == content
    os.rename(part, tmp_path / "second")
    count = len(started)
    assert install(target, wheel=path)[1] == compiled and len(started) == count


def test_a_full_disk_leaves_no_half_of_a_file(tmp_path, target, monkeypatch):
    path = wheel(tmp_path)
    part, compiled = install(target, wheel=path)
    os.rename(part, tmp_path / "first")

    def write(handle, content, *, original=os.write):
        return original(handle, content[: len(content) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(bytecode_cache.os, "write", write)
        part, restored = install(target, wheel=path)
    assert restored == set() and compiled
    os.rename(part, tmp_path / "second")

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bytecode_cache.os, "write", refuse)
    assert install(target, wheel=path)[1] == set()


def test_bytecode_that_is_valid_by_its_hash_is_not_kept(tmp_path, target, known, monkeypatch):
    path = wheel(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")  # from Python 3.15 on, zipfile uses it as well
    assert install(target, wheel=path)[1] == {"__init__", "used"}
    assert not any(b"where" in file.read_bytes() for file in known.iterdir())


def test_nothing_is_restored_where_no_bytecode_is_wanted(tmp_path, target, monkeypatch):
    path = wheel(tmp_path)
    part, _ = install(target, wheel=path)
    os.rename(part, tmp_path / "first")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert install(target, wheel=path)[1] == set()


def test_nothing_is_kept_if_it_is_switched_off(tmp_path, target, known, monkeypatch):
    monkeypatch.setenv("LIVEINSTALL_NO_CACHE", "1")
    assert install(target, wheel=wheel(tmp_path))[1] == {"__init__", "used"}
    assert not known.exists()


IMPORTS = """
import os, sys
from liveinstall._system import bytecode_cache
from liveinstall._environment.loaded import loaded_files
home = sys.argv[1]
cache = bytecode_cache.BytecodeCache()
record = {"big/unused.py": ("sha256", sys.argv[2], None), "big/used.py": ("sha256", "x", None)}
record |= {path: ("sha256", "x", None) for path in sys.argv[4:]}
cache.restore(home, home, record)
cache.keep_at_exit(loaded_files)
sys.path.insert(0, home)
import big.unused, big.used
exec(sys.argv[3])
"""


def imported(tmp_path, code="", others=()):
    """Import big from `tmp_path/home`, in a process; the modules whose bytecode is kept."""
    home = tmp_path / "home"
    if not home.exists():
        unpack(wheel(tmp_path), home)
    digest = encoded(hashlib.sha256((home / "big" / "unused.py").read_bytes()).digest())
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", IMPORTS, str(home), digest, code, *others]
    subprocess.run(command, env=variables, check=True)
    record = {"big/unused.py": ("sha256", digest, None), "big/used.py": ("sha256", "x", None)}
    record |= dict.fromkeys(others, ("sha256", "x", None))
    cache = bytecode_cache.BytecodeCache()
    cache.restore(str(tmp_path / "nowhere"), str(tmp_path / "nowhere"), record)
    return cache._parts[0].known


def test_what_a_process_has_imported_is_kept_at_its_end_if_it_is_of_the_wheel(tmp_path):
    assert imported(tmp_path) == {"big/unused.py"}  # used.py does not have the hash in RECORD


def test_a_module_without_bytecode_does_not_prevent_that_others_are_kept(tmp_path):
    code = "os.unlink(bytecode_cache.cached_path(home + '/big/__init__.py'))"
    assert imported(tmp_path, code, others=["big/__init__.py"]) == {"big/unused.py"}


@pytest.mark.parametrize(
    "code",
    [
        "os.utime(home + '/big/unused.py', (1, 1))",
        "open(home + '/big/unused.py', 'a').write('#')",
        "os.unlink(bytecode_cache.cached_path(home + '/big/unused.py'))",
        "os._exit(0)",
        "sys.modules['big.unused'] = None",
    ],
)
def test_bytecode_that_may_belong_to_something_else_is_not_kept(tmp_path, code):
    assert not imported(tmp_path, code)


def test_the_path_of_bytecode_is_that_of_python():
    for source in ("a.py", "pkg/a.py", "pkg/sub/__init__.py"):
        assert os.path.normpath(bytecode_cache.cached_path(source)) == cache_from_source(os.path.normpath(source))
