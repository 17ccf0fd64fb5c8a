"""Real file systems: overlayfs, a full tmpfs, links, read-only, other owners and umasks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration.lib.bases import NOBODY, copy_base
from integration.lib.checks import left_overs, tree
from integration.lib.environments import Environment, add_liveinstall, user_variables
from integration.lib.interpreters import CURRENT, find_python, find_uv
from integration.lib.wheels import write_wheel

_needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount, or run something as somebody else"
)
_INSTALL = """
import json, sys
import liveinstall
try:
    result = liveinstall.install(*sys.argv[2:], no_index=True, find_links=sys.argv[1])
except liveinstall.LiveInstallError as error:
    print(json.dumps({"error": type(error).__name__}))
else:
    names = {"now": result.installed, "staged": result.staged}
    print(json.dumps({what: sorted(change.name for change in changes) for what, changes in names.items()}))
"""
# Kills itself before the file change of that number, counted from the import of the finalizer.
_DIES = """
import os, sys
left = int(os.environ.get("DIES_AT", -1))
def hook(event, arguments):
    global left
    if event in ("os.rename", "os.mkdir", "os.rmdir", "os.remove") and ".part" in str(arguments):
        left -= 1
        if left == -1:
            os._exit(9)
if left >= 0:
    sys.addaudithook(hook)
"""


@contextmanager
def mounted(where: Path, *arguments: str | Path) -> Iterator[Path]:
    """Mount something at `where`; skipped if the system does not support it."""
    where.mkdir(parents=True, exist_ok=True)
    if shutil.which("mount") is None:
        pytest.skip("there is no mount")
    done = subprocess.run(["mount", *arguments, where], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this system cannot mount {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=True)


def say(environment: Environment, **options: Any) -> str:
    """alpha's version for a new interpreter, which starts silently and with status 0."""
    done = environment.run("-c", "import alpha, alpha.late; print(alpha.VERSION, alpha.late.VERSION)", **options)
    assert (done.returncode, done.stderr) == (0, "")
    one, other = done.stdout.split()
    assert one == other
    return str(one)


def install(
    environment: Environment, wheels: Path, *requirements: str, loaded: bool = True, **options: Any
) -> dict[str, Any]:
    """The result in a process that installs, with alpha loaded or not."""
    code = ("import alpha\n" if loaded else "") + _INSTALL
    done = environment.run("-c", code, wheels, *requirements, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def undo(environment: Environment) -> None:
    """Undo the last transaction."""
    done = environment.run("-m", "liveinstall", "undo", "--json")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that all users can read, unlike a test's own."""
    with tempfile.TemporaryDirectory(prefix="liveinstall-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def users(public: Path, wheel: Path, wheels: Path) -> Users:
    """An environment of the user nobody, with alpha 1.0."""
    original = find_python(CURRENT)
    assert original
    base = copy_base(public / "python", original)
    made = base.venv(public / "venv")
    add_liveinstall(made, wheel)
    made.add("pip", wheels / "alpha-1.0-py3-none-any.whl")
    shutil.copytree(wheels, public / "wheels").chmod(0o755)
    home = public / "home"
    home.mkdir()
    for item in [home, made.path, *made.path.rglob("*")]:
        os.chown(item, NOBODY, NOBODY, follow_symlinks=False)
    return Users(made, public / "wheels", home, base.variables)


@dataclass(frozen=True)
class Users:
    """A user's environment, and how it is run."""

    environment: Environment
    wheels: Path
    home: Path
    variables: dict[str, str]

    def options(self, **more: Any) -> dict[str, Any]:
        """For `Environment.run()`, as the user."""
        variables = {**self.variables, "HOME": str(self.home), "TMPDIR": str(self.home)}
        return {"user": NOBODY, "group": NOBODY, "extra_groups": (), "env": variables, "cwd": self.home, **more}


# --- overlayfs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def overlay(environment: Environment, tmp_path: Path) -> Iterator[Environment]:
    """The environment as in a container: in a lower layer, in which directories cannot be renamed."""
    for name in ("upper", "work"):
        (tmp_path / name).mkdir()
    options = f"lowerdir={environment.path},upperdir={tmp_path / 'upper'},workdir={tmp_path / 'work'}"
    with mounted(environment.path, "-t", "overlay", "overlay", "-o", options):
        try:
            os.rename(environment.site / "alpha", environment.site / "beta")
        except OSError:
            yield environment
        else:
            pytest.skip("this overlayfs renames directories of a lower layer")


@_needs_root
def test_an_environment_in_a_lower_layer_is_swapped_and_undone(overlay: Environment, wheels: Path) -> None:
    before = tree(overlay.path)
    assert install(overlay, wheels, "alpha==2.0")["staged"] == ["alpha"]
    assert say(overlay) == "2.0"
    assert left_overs(overlay.site) == []
    undo(overlay)
    assert say(overlay) == "1.0"
    assert left_overs(overlay.site) == []
    assert tree(overlay.path) == before


@_needs_root
def test_a_swap_in_a_lower_layer_that_is_killed_leaves_old_or_new(overlay: Environment, wheels: Path) -> None:
    (overlay.site / "aaa_dies.py").write_text(_DIES, encoding="utf-8")
    (overlay.site / "!aaa.pth").write_text("import aaa_dies\n", encoding="utf-8")
    killed = 0
    for at in range(0, 200, 3):
        assert install(overlay, wheels, "alpha==2.0")["staged"] == ["alpha"]
        done = overlay.run("-c", "", env=user_variables(DIES_AT=str(at)))
        assert done.returncode in (0, 9), done.stderr
        assert say(overlay) == "2.0", f"kill {at}"
        assert left_overs(overlay.site) == [], f"kill {at}"
        undo(overlay)
        assert say(overlay) == "1.0"
        if done.returncode == 0:
            break
        killed += 1
    assert killed > 5


# --- no space ---------------------------------------------------------------------------------------------------------


@_needs_root
def test_a_disk_that_fills_while_staging_is_a_typed_error_and_nothing_is_left(
    environment: Environment, tmp_path: Path
) -> None:
    big = write_big_wheel(tmp_path / "big")
    with on_a_small_disk(environment, tmp_path) as small:
        before = tree(small.path)
        assert install(small, big, "alpha==3.0") == {"error": "StagingError"}
        assert tree(small.path) == before
        assert left_overs(small.site) == []
        assert say(small) == "1.0"


_FILLS = """
import json, os, sys, tempfile
import liveinstall
filler = open(os.path.join(tempfile.gettempdir(), "filler"), "wb", buffering=0)
try:
    while True:
        filler.write(b"x" * 4096)
except OSError:
    pass
try:
    liveinstall.install("beta", no_index=True, find_links=sys.argv[1], engine=sys.argv[2])
except liveinstall.LiveInstallError as error:
    print(json.dumps([type(error).__name__, str(error)]))
filler.close()
os.unlink(filler.name)
print(json.dumps(os.listdir(tempfile.gettempdir())))
liveinstall.install("beta", no_index=True, find_links=sys.argv[1], engine=sys.argv[2])
import beta
"""


@_needs_root
@pytest.mark.parametrize("engine", ["pip", "uv"])
def test_temporary_files_without_room_are_a_typed_error_and_nothing_is_left(
    environment: Environment, wheels: Path, tmp_path: Path, engine: str
) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "tmpfs", "-o", "size=5000000") as disk:
        # With the last variable uv is asked for the origins, which takes a file; from a directory alone it is not.
        variables = user_variables() | {"TMPDIR": str(disk), "UV": find_uv() or "", "UV_FIND_LINKS": str(wheels)}
        done = environment.run("-c", _FILLS, wheels, engine, env=variables)
        assert done.returncode == 0, done.stdout + done.stderr
        (kind, message), left = map(json.loads, done.stdout.splitlines())
        assert kind == "StagingError" and "No space left" in message and "TMPDIR" in message
        assert left == []


@_needs_root
def test_a_disk_without_a_free_block_is_swapped_all_the_same(
    environment: Environment, wheels: Path, tmp_path: Path
) -> None:
    with on_a_small_disk(environment, tmp_path) as small:
        assert install(small, wheels, "alpha==2.0")["staged"] == ["alpha"]
        with pytest.raises(OSError, match="No space"), (small.path / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
        assert say(small) == "2.0"
        assert not list(small.site.glob("*.part*"))
        (small.path / "filler").unlink()
        assert install(small, wheels, "beta", loaded=False)["now"] == ["beta"]


def write_big_wheel(directory: Path) -> Path:
    """alpha 3.0, of 20 MB."""
    files = {f"alpha/big{number}.bin": os.urandom(2_500_000).hex() for number in range(4)}
    write_wheel(directory, "alpha", "3.0", files=files)
    return directory


@contextmanager
def on_a_small_disk(environment: Environment, tmp_path: Path) -> Iterator[Environment]:
    """A copy of the environment, on a disk in memory with 5 MB free."""
    used = sum(path.lstat().st_size + 4096 for path in environment.path.rglob("*"))
    with mounted(tmp_path / "small", "-t", "tmpfs", "tmpfs", "-o", f"size={used + 5_000_000}") as disk:
        shutil.copytree(environment.path, disk / "venv", symlinks=True)
        yield Environment.at(disk / "venv")


# --- links, and read-only files ---------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_a_site_directory_that_is_a_link_stays_one(environment: Environment, tmp_path: Path) -> None:
    site, elsewhere = environment.site, tmp_path / "far" / "away"
    elsewhere.parent.mkdir()
    site.rename(elsewhere)
    site.symlink_to(elsewhere)
    for version in ("1.0", "2.0"):
        write_wheel(tmp_path / "w", "delta", version, scripts=["delta", f"delta-{version}"])
    assert install(environment, tmp_path / "w", "delta==1.0", loaded=False)["now"] == ["delta"]
    before = tree(environment.path), tree(elsewhere)
    script = environment.scripts / "delta"
    code = "import delta\n" + _INSTALL + "sys.stdout.flush(); input()"
    with subprocess.Popen(
        [environment.python, "-c", code, tmp_path / "w", "delta==2.0"],
        env=user_variables(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as live:
        assert live.stdout
        assert json.loads(live.stdout.readline()) == {"now": [], "staged": ["delta"]}
        assert environment.run("-c", "import delta; print(delta.VERSION)").stdout == "2.0\n"  # from the part
        live.communicate("\n")
    assert environment.run("-c", "import delta; print(delta.VERSION)").stdout == "2.0\n"
    assert subprocess.run([script], check=True, capture_output=True, text=True).stdout == "2.0\n"
    assert (environment.scripts / "delta-2.0").exists()
    assert not (environment.scripts / "delta-1.0").exists()
    undo(environment)
    assert subprocess.run([script], check=True, capture_output=True, text=True).stdout == "1.0\n"
    assert site.is_symlink()
    assert left_overs(site) == []
    assert (tree(environment.path), tree(elsewhere)) == before
    environment.remove()


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_scripts_that_a_link_has_led_astray_are_not_guessed(
    environment: Environment, wheels: Path, tmp_path: Path
) -> None:
    """Their paths in RECORD may be relative to the real site-packages, or to the link."""
    (tmp_path / "far").mkdir()
    environment.site.rename(tmp_path / "far" / "away")
    environment.site.symlink_to(tmp_path / "far" / "away")
    before = tree(tmp_path / "far")
    assert install(environment, wheels, "alpha==2.0") == {"error": "DamagedError"}
    assert tree(tmp_path / "far") == before
    environment.remove()


@_needs_root
def test_changes_in_a_read_only_environment_stay_pending(environment: Environment, wheels: Path) -> None:
    assert install(environment, wheels, "alpha==2.0")["staged"] == ["alpha"]
    before = tree(environment.path)
    with mounted(environment.path, "--bind", environment.path):
        done = subprocess.run(
            ["mount", "-o", "remount,bind,ro", environment.path], check=False, capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"this system cannot mount read-only: {done.stderr}")
        for _ in range(4):
            assert say(environment) == "1.0"
        assert tree(environment.path) == before
        told = environment.run("-m", "liveinstall", "status", "--json")
        assert told.returncode == 0, told.stderr
        refused = environment.run("-m", "liveinstall", "finalize", "--json")
        assert json.loads(refused.stdout)["error"]["type"] == "NotWritableError"
    assert say(environment) == "2.0"
    assert left_overs(environment.site) == []
    environment.remove()


# --- the owners of files ----------------------------------------------------------------------------------------------


@_needs_root
def test_root_in_a_users_environment_defers_and_the_user_swaps(users: Users) -> None:
    environment, wheels, options = users.environment, users.wheels, users.options()
    assert install(environment, wheels, "alpha==2.0", **options)["staged"] == ["alpha"]
    before = tree(environment.path)
    for _ in range(2):
        assert say(environment, env={**users.variables, "PYTHONDONTWRITEBYTECODE": "1"}) == "1.0"
    assert tree(environment.path) == before
    assert say(environment, **options) == "2.0"
    assert {path.lstat().st_uid for path in environment.path.rglob("*")} == {NOBODY}
    assert left_overs(environment.site) == []


@_needs_root
@pytest.mark.parametrize("staging", [0o077, 0o022, 0o002], ids=oct)
def test_owner_group_and_modes_are_kept_under_any_umask(staging: int, users: Users) -> None:
    """In a set-gid environment of a group, with any umask of the process that swaps."""
    environment, wheels = users.environment, users.wheels
    group = NOBODY - 1
    for item in [environment.path, *environment.path.rglob("*")]:
        os.chown(item, NOBODY, group, follow_symlinks=False)
        if item.is_dir() and not item.is_symlink():
            item.chmod(0o2775)
    options = users.options(extra_groups=(group,))
    assert install(environment, wheels, "alpha==2.0", umask=staging, **options)["staged"] == ["alpha"]
    part = next(environment.site.glob("alpha-2.0.part"))
    staged = modes(part / "alpha")
    assert say(environment, umask=0o027 if staging == 0o077 else 0o077, **options) == "2.0"
    assert {name: staged[name] for name in staged} == {
        name: mode for name, mode in modes(environment.site / "alpha").items() if name in staged
    }
    assert staged["__init__.py"] == 0o666 & ~staging
    ours = [environment.site / "alpha", *(environment.site / "alpha").rglob("*.py"), environment.scripts / "alpha-new"]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in ours} == {(NOBODY, group)}
    assert (environment.site / "alpha").stat().st_mode & 0o2000
    assert (environment.scripts / "alpha-new").stat().st_mode & 0o777 == 0o777 & ~staging
    assert (environment.scripts / "alpha-new").stat().st_mode & 0o111


def modes(directory: Path) -> dict[str, int]:
    """The modes by name, without bytecode."""
    return {path.name: path.stat().st_mode & 0o7777 for path in directory.rglob("*") if "__pycache__" not in str(path)}
