"""Homes: environments of links, for interpreters and for hosts that set a PYTHONHOME."""

from __future__ import annotations

import json
import locale
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.capabilities import can_symlink, has_links, has_shell
from helpers.environments import make_wheel, tree

from liveinstall import homes
from liveinstall._homes import base_python, create, run
from liveinstall._sidebyside.store.store import Store
from liveinstall.errors import FileConflictError, HomeError, RequirementError, TrialError

_WINDOWS = os.name == "nt"
_NAME = Path(os.__file__).parent.name
_SITE = "Lib/site-packages" if _WINDOWS else f"lib/{_NAME}/site-packages"
_SCRIPTS = ("alpha",) if _WINDOWS else ("alpha", "old-script")  # Windows starts no file that begins with #!

takes_pythonhome = pytest.mark.skipif(_WINDOWS, reason="a home of Windows cannot be the PYTHONHOME")

_SEES = (
    "import json, sys, importlib.metadata as m\n"
    "print(json.dumps([sys.prefix, sys.path, sorted(d.name for d in m.distributions())]))"
)


@pytest.fixture
def store(tmp_path):
    found = Store.at(tmp_path / "store")
    files = {"alpha/__init__.py": "V = 1\n\n\ndef run():\n    import sys\n    print(V, sys.prefix)\n"}
    data = {
        "alpha-1.0.data/data/share/a.txt": "a",
        "alpha-1.0.data/headers/a.h": "h",
        "alpha-1.0.data/scripts/old-script": "#!python\nimport alpha\nalpha.run()\n",
    }
    wheels = tmp_path / "wheels"
    found.add(make_wheel(wheels, "alpha", "1.0", {**files, **data}, requires=("ns-a",), scripts={"alpha": "alpha:run"}))
    found.add(make_wheel(wheels, "ns-a", "1.0", {"ns/a.py": "V = 'a'\n"}))
    found.add(make_wheel(wheels, "ns-b", "1.0", {"ns/b.py": "V = 'b'\n"}))
    return found


@pytest.fixture
def make(store, tmp_path):
    return lambda *requirements, path="home", **options: homes.create(
        tmp_path / path, *requirements, store=store.path, **options
    )


def python(home, *arguments, **variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LIVEINSTALL"))}
    return subprocess.run(
        [home.python, *arguments], env={**kept, **variables}, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_home_has_what_was_asked_for_with_what_it_needs_and_nothing_else(make, store, tmp_path):
    before = tree(tmp_path / "store")
    home = make("alpha", "ns-b")
    assert (home.version, home.requests) == (sys.version.split()[0], ("alpha", "ns-b"))
    assert home.distributions == (("alpha", "1.0"), ("ns-a", "1.0"), ("ns-b", "1.0"))
    prefix, path, names = json.loads(python(home, "-c", _SEES).stdout)
    assert (prefix, names) == (home.path, ["alpha", "ns-a", "ns-b"])
    library = sys.base_prefix if _WINDOWS else str(Path(os.__file__).parent)
    assert all(entry.startswith((home.path, library)) or entry.endswith(".zip") for entry in path if entry)
    for flags in ((), ("-I",), ("-E",)):
        done = python(home, *flags, "-c", "import alpha, ns.a, ns.b; print(alpha.V, ns.a.V, ns.b.V, alpha.__file__)")
        assert done.stdout.split() == ["1", "a", "b", str(_site(home) / "alpha" / "__init__.py")]
    assert Path(home.path, "share/a.txt").read_text() == "a"
    headers = "Include" if _WINDOWS else f"include/site/{_NAME}"
    assert Path(home.path, headers, "alpha/a.h").read_text() == "h"
    assert tree(tmp_path / "store") == before and homes.look(home.path) == home


def _site(home) -> Path:
    return Path(home.path, _SITE)


def _script(home, name: str) -> Path:
    return Path(home.python).with_name(f"{name}.exe" if _WINDOWS else name)


def test_scripts_carry_their_home_and_so_do_children(make):
    home = make("alpha")
    for script in _SCRIPTS:
        done = subprocess.run([_script(home, script)], capture_output=True, text=True, check=True)
        assert done.stdout == f"1 {home.path}\n"
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import alpha; alpha.run()'])"
    assert python(home, "-c", child).stdout == f"1 {home.path}\n"


@pytest.mark.parametrize("name", ["with a space", "h\u00f6me", "long" * (10 if _WINDOWS else 40)])
def test_a_home_may_have_any_name(make, name):
    home = make("alpha", path=name)
    for script in _SCRIPTS:
        done = subprocess.run([_script(home, script)], capture_output=True, text=True, check=True)
        assert done.stdout == f"1 {home.path}\n"
    assert homes.run(home.path, "import alpha; print(alpha.V)").stdout == "1\n"
    assert homes.remove(home.path) == ()


@takes_pythonhome
@pytest.mark.parametrize("with_executable", [True, False])
def test_a_home_works_by_pythonhome_too(make, with_executable):
    home = make("alpha")
    program = home.python if with_executable else sys._base_executable
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    code = "import alpha, _json, ns.a; alpha.run()\n" + _SEES
    done = subprocess.run(
        [program, "-c", code], env={**kept, "PYTHONHOME": home.path}, capture_output=True, text=True, check=True
    )
    first, second = done.stdout.splitlines()
    assert first == f"1 {home.path}" and json.loads(second)[2] == ["alpha", "ns-a"]
    ignored = subprocess.run(
        [program, "-I", "-c", "import alpha"], env={**kept, "PYTHONHOME": home.path}, capture_output=True, check=False
    )
    assert ignored.returncode == (0 if with_executable else 1)  # -I ignores PYTHONHOME, the executable remains


def test_run_hears_a_program_and_finds_scripts(make, tmp_path):
    home = make("alpha")
    assert homes.run(home.path, "import alpha; print(alpha.V)").stdout == "1\n"
    assert homes.run(home.path, script="alpha").stdout == f"1 {home.path}\n"
    assert homes.run(home.path, module="alpha").returncode == 1
    done = homes.run(home.path, "import os, sys; print(os.environ['VIRTUAL_ENV'], os.environ['X'], sys.argv[1:])",
                     arguments=["a"], env={"X": "y"})  # fmt: skip
    assert done.stdout == f"{home.path} y ['a']\n" and done.ok
    with pytest.raises(RequirementError):
        homes.run(home.path)


@has_shell
def test_a_script_that_is_not_pythons_runs_itself(make, store, tmp_path):
    """Like ruff and uv, which are executables in a wheel."""
    data = {
        "tool-1.0.data/scripts/shell": "#!/bin/sh\necho shell $1\n",
        "tool-1.0.data/scripts/binary": Path("/bin/echo").read_bytes(),
        "tool-1.0.data/scripts/other": "#!/usr/bin/env python3\nimport sys; print(sys.prefix)\n",
        "tool-1.0.data/scripts/bare": "print('bare')\n",
    }
    store.add(make_wheel(tmp_path / "wheels", "tool", "1.0", data, scripts={"entry": "sys:exit"}))
    home = make("tool")
    said = [homes.run(home.path, script=name, arguments=["x"]).stdout for name in ("shell", "binary", "other", "bare")]
    assert said == ["shell x\n", "x\n", f"{home.path}\n", "bare\n"]
    assert homes.run(home.path, script="entry").ok


def test_of_two_distributions_with_a_different_script_the_last_one_has_it(store, make, tmp_path):
    wheels = tmp_path / "wheels"
    raw = {"raw-1.0.data/scripts/tool": "#!/bin/sh\n"}
    data = {"place-1.0.data/data/bin/tool": "#!/bin/sh\n"}
    store.add(make_wheel(wheels, "one", "1.0", {"one.py": ""}, scripts={"tool": "sys:exit"}))
    store.add(make_wheel(wheels, "same", "1.0", {"same.py": ""}, scripts={"tool": "sys:exit"}))
    store.add(make_wheel(wheels, "two", "1.0", {"two.py": ""}, scripts={"tool": "sys:intern"}))
    store.add(make_wheel(wheels, "raw", "1.0", raw))
    store.add(make_wheel(wheels, "place", "1.0", data))
    assert make("one", "same").overlaps == ()
    # On Windows the first two are tool.exe, the others are not.
    for first, second in (("one", "two"), ("one", "raw"), ("one", "place"))[: 1 if _WINDOWS else 3]:
        with pytest.raises(FileConflictError, match=r"(?i)different files at .*(bin|scripts)[/\\]tool"):
            make(first, second, path="other", overlap="refuse")
        assert not (tmp_path / "other").exists()
        home = make(first, second, path=f"{first}-{second}")
        tool = _script(home, "tool")
        (overlap,) = home.overlaps
        assert overlap.path == str(tool) and {overlap.owner, *overlap.others} == {first, second}
        text = {"one": "exit", "two": "intern", "raw": "#!/bin/sh", "place": "#!/bin/sh"}[overlap.owner]
        assert _WINDOWS or text in tool.read_text()


def test_what_cannot_be_read_of_the_store_is_a_typed_error(make, monkeypatch):
    def fail(*_, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(create, "_tree", fail)
    with pytest.raises(HomeError, match="could not be created: .*Permission denied"):
        make("alpha")


_LEAVES = (
    "import subprocess, sys\n"
    "print('said', flush=True)\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(40)'], start_new_session=True)\n"
)


def test_what_a_program_leaves_in_the_background_delays_neither_its_answer_nor_its_end(make):
    """It has the pipes, and is not in the session that is killed."""
    home = make()
    begin = time.monotonic()
    done = homes.run(home.path, _LEAVES)
    assert (done.stdout, done.returncode) == ("said\n", 0)
    with pytest.raises(TrialError, match="within 4 seconds") as found:
        homes.run(home.path, _LEAVES + "sys.stdin.read(); import time; time.sleep(60)", stdin="x" * 2**20, timeout=4)
    assert found.value.stdout == "said\n" and time.monotonic() - begin < 35


def test_what_is_said_and_read_is_whole_however_long(make):
    code = (
        "import sys; text = sys.stdin.read(); sys.stderr.write(text); sys.stdout.write(text); sys.exit(len(text) % 7)"
    )
    text = "\u00e4 line\n" * 100_000
    done = homes.run(make().path, code, stdin=text, timeout=60)
    assert done.stdout == text and done.stderr == text and done.returncode == len(text) % 7
    expected = b"a\xff\nb".decode(locale.getpreferredencoding(do_setlocale=False), "replace")
    assert homes.run(make(path="other").path, "import os; os.write(1, b'a\\xff\\r\\nb')").stdout == expected


def test_another_patch_version_is_refused_by_the_launcher_and_by_its_scripts(make, monkeypatch):
    home = make("alpha")
    monkeypatch.setattr(run, "version", lambda: "3.11.99")
    with pytest.raises(HomeError, match=r"is for Python .* but its base Python is now 3\.11\.99"):
        homes.run(home.path, "pass")
    _claim_another_version(home)
    done = subprocess.run([_script(home, "alpha")], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == "" and "is for Python 3.11.99, but this is Python" in done.stderr


def _claim_another_version(home) -> None:
    """As if it had been created for that one."""
    line = _site(home) / "liveinstall-home.pth"
    line.write_text(line.read_text().replace(home.version, "3.11.99"))


@takes_pythonhome
def test_an_application_with_another_patch_version_is_told_and_continues(make):
    home = make("alpha")
    _claim_another_version(home)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys._base_executable, "-c", "import alpha; print(alpha.V)"],
        env={**kept, "PYTHONHOME": home.path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "1\n" and done.stderr.count("is for Python 3.11.99") == 1  # may be a host: it gets a message


def test_what_is_installed_into_a_home_never_goes_through_its_links(make, store, tmp_path):
    """As by pip and uv: old files are unlinked, new ones written."""
    before = tree(tmp_path / "store")
    home = make("alpha")
    site = _site(home)
    assert not any(path.is_symlink() for path in site.rglob("*"))
    (site / "alpha" / "__init__.py").unlink()
    (site / "alpha" / "__init__.py").write_text("V = 2\n")
    (site / "alpha" / "new.py").write_text("")
    assert python(home, "-c", "import alpha, alpha.new; print(alpha.V)").stdout == "2\n"
    assert tree(tmp_path / "store") == before


@can_symlink
def test_where_hard_links_cannot_be_had_they_are_symbolic(make, monkeypatch):
    def fail(*_, **__):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", fail)
    home = make("alpha")
    assert (_site(home) / "alpha" / "__init__.py").is_symlink()
    assert python(home, "-c", "import alpha; print(alpha.V)").stdout == "1\n"
    assert homes.remove(home.path) == () and not Path(home.path).exists()


@can_symlink
def test_a_home_that_is_reached_by_a_link_is_looked_at_too(make, tmp_path):
    home = make("alpha")
    (tmp_path / "link").symlink_to(home.path)
    assert homes.run(tmp_path / "link", "import alpha; print(alpha.V)").stdout == "1\n"
    _claim_another_version(home)
    done = homes.run(tmp_path / "link", "print('went on')")
    assert (done.returncode, done.stdout) == (1, "") and "is for Python 3.11.99" in done.stderr


def test_remove_takes_only_what_it_made(make, store, tmp_path):
    before = tree(tmp_path / "store")
    home = make("alpha", "ns-b")
    python(home, "-c", "import alpha, ns.a, ns.b, json")  # writes bytecode
    mine = Path(home.path)
    (mine / "mine.txt").write_text("mine")
    site = _site(home)
    (site / "ns" / "a.py").unlink()
    (site / "ns" / "a.py").write_text("V = 'edited'")
    _script(home, "alpha").write_text("#!/bin/sh\n")
    (site / "other").mkdir()
    left = homes.remove(home.path)
    script = _script(home, "alpha").relative_to(mine).as_posix()
    wanted = {script, "mine.txt", f"{_SITE}/ns/a.py", f"{_SITE}/other"}
    assert {Path(path).as_posix() for path in left if "__pycache__" not in path} == wanted
    assert set(tree(mine, ignore=("__pycache__",))) == wanted
    assert tree(tmp_path / "store") == before and Path(os.__file__).exists()
    with pytest.raises(HomeError, match="is not a liveinstall home"):
        homes.remove(home.path)
    with pytest.raises(HomeError, match="not an empty directory"):
        make("alpha")


@can_symlink
def test_remove_does_not_follow_a_link_in_place_of_a_directory(make, tmp_path):
    home = make("alpha")
    site = _site(home)
    (site / "alpha").rename(tmp_path / "moved")
    (site / "alpha").symlink_to(tmp_path / "moved")
    assert homes.remove(home.path) == (f"{_SITE}/alpha",)
    assert (tmp_path / "moved" / "__init__.py").exists()


def test_an_unused_home_is_removed_completely_even_after_its_store(make, store):
    home = make("alpha")
    store.remove(*store.entries())
    assert python(home, "-c", "import alpha; print(alpha.V)").stdout == "1\n"  # hard links
    assert homes.remove(home.path) == () and not Path(home.path).exists()


def test_where_links_cannot_be_had_a_home_is_refused_before_anything_is_made(make, monkeypatch, tmp_path):
    real = base_python.sysconfig.get_config_var
    monkeypatch.setattr(
        base_python.sysconfig, "get_config_var", lambda n: "Python" if n == "PYTHONFRAMEWORK" else real(n)
    )
    with pytest.raises(HomeError, match="framework build"):
        make("alpha")
    assert not (tmp_path / "home").exists() and [*tmp_path.glob(".home*")] == []


def test_a_place_that_is_taken_is_refused_and_stays_as_it_is(make, tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    if has_links():
        (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "full", "link") if has_links() else ("file", "full"):
        with pytest.raises(HomeError, match="not an empty directory"):
            make(path=name)
    (tmp_path / "empty").mkdir()
    home = make(path="empty")
    with pytest.raises(HomeError, match="is already a home"):
        make(path="empty")
    assert python(home, "-c", "print(1)").stdout == "1\n"
    (Path(home.path) / "liveinstall-home").write_text("liveinstall-home 9\n")
    with pytest.raises(HomeError, match="is not a readable liveinstall home"):
        homes.run(home.path, "pass")


def test_of_two_distributions_with_a_different_file_the_one_that_needs_the_other_has_it(store, make, tmp_path):
    wheels = tmp_path / "wheels"
    store.add(make_wheel(wheels, "one", "1.0", {"one.py": "", "same.py": "x = 1\n"}))
    store.add(make_wheel(wheels, "two", "1.0", {"two.py": "", "same.py": "x = 1\n"}))
    store.add(make_wheel(wheels, "aaa", "1.0", {"aaa.py": "", "same.py": "x = 3\n"}, requires=("one",)))
    store.add(make_wheel(wheels, "zzz", "1.0", {"zzz.py": "", "same.py": "x = 4\n"}))
    store.add(make_wheel(wheels, "needs-zzz", "1.0", {"same.py": "x = 5\n"}, requires=("zzz",)))
    store.add(make_wheel(wheels, "odd", "1.0", {"same.py/__init__.py": ""}))
    assert make("one", "two").overlaps == ()
    with pytest.raises(FileConflictError, match=r"same\.py"):
        make("one", "aaa", path="other", overlap="refuse")
    with pytest.raises(FileConflictError, match=r"same\.py"):
        make("one", "odd", path="other")
    assert not (tmp_path / "other").exists() and [*tmp_path.glob(".other*")] == []
    for last, first, x in (("aaa", "one", 3), ("needs-zzz", "zzz", 5)):
        home = make(last, path=f"of-{last}")
        (overlap,) = home.overlaps
        assert (overlap.owner, overlap.others, overlap.kept) == (last, (first,), (first,))
        assert python(home, "-c", "import same; print(same.x)").stdout == f"{x}\n"
        assert "Overlap: " in str(home) and f" is {last}'s; the file of {first} is kept" in str(home)
    assert store_text(store, "one", "same.py") == "x = 1\n"


def store_text(store, name, path):
    return next(Path(store.path).glob(f"{name}-*/{path}")).read_text()


def test_many_makers_of_one_place_make_one_home(store, tmp_path):
    code = (
        "import sys\nfrom liveinstall import homes\n"
        f"try: homes.create({str(tmp_path / 'home')!r}, 'alpha', store={store.path!r})\n"
        "except Exception as error: print(type(error).__name__)\nelse: print('made')\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    said = sorted(child.communicate(timeout=120)[0].strip() for child in children)
    assert said == ["HomeError"] * 5 + ["made"]
    assert [*tmp_path.glob(".home*")] == []
    assert homes.run(tmp_path / "home", "import alpha; print(alpha.V)").stdout == "1\n"


def test_the_command_line_makes_runs_and_removes(env, tmp_path):
    env.wheel("alpha", "1.0", {"alpha/__init__.py": "V = 1\n"}, scripts={"alpha-run": "alpha:V"})
    place, store = str(tmp_path / "home"), str(tmp_path / "store")

    def cli(*words: str):
        code = "from liveinstall._frontends.cli.main import main\nsys.exit(main(sys.argv[1:]))"
        command = [str(env.python), "-c", f"import sys, fake_engine\n{code}", *words]
        return subprocess.run(command, env=env.variables(), capture_output=True, text=True, timeout=60, check=False)

    done = cli("home", "create", place, "alpha", "--store", store, "-q")
    assert (done.returncode, "alpha 1.0" in done.stdout, done.stderr) == (0, True, ""), done
    done = cli("home", "create", place, "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["error"]["type"] == "HomeError"
    done = cli("home", "run", place, "-c", "import alpha, sys; print(alpha.V, sys.argv[1:]); sys.exit(3)", "--json")
    assert (done.returncode, done.stdout) == (3, "1 ['--json']\n")
    done = cli("--json", "home", "run", place, "-c", "print(1)")
    assert json.loads(done.stdout)["result"]["stdout"] == "1\n"
    assert cli("home", "remove", place).stdout == "Removed.\n" and not Path(place).exists()
    assert cli("home", "run", place).returncode == 1
