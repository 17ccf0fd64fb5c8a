"""Homes: environments of links, for interpreters and for hosts that are told of a PYTHONHOME."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.environments import make_wheel, tree

from liveinstall import homes
from liveinstall._homes import base_python, create, run
from liveinstall._homes import trial as trials
from liveinstall._sidebyside.store.store import Store
from liveinstall.errors import FileConflictError, HomeError, RequirementError, TrialError

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
    library = str(Path(os.__file__).parent)
    assert all(entry.startswith((home.path, library)) or entry.endswith(".zip") for entry in path if entry)
    for flags in ((), ("-I",), ("-E",)):
        done = python(home, *flags, "-c", "import alpha, ns.a, ns.b; print(alpha.V, ns.a.V, ns.b.V, alpha.__file__)")
        assert done.stdout.split() == ["1", "a", "b", f"{home.path}/lib/{_name()}/site-packages/alpha/__init__.py"]
    assert Path(home.path, "share/a.txt").read_text() == "a"
    assert Path(home.path, "include/site", _name(), "alpha/a.h").read_text() == "h"
    assert tree(tmp_path / "store") == before and homes.look(home.path) == home


def _name() -> str:
    return Path(os.__file__).parent.name


def test_scripts_carry_their_home_and_so_do_children(make):
    home = make("alpha")
    for script in ("alpha", "old-script"):
        done = subprocess.run([f"{home.path}/bin/{script}"], capture_output=True, text=True, check=True)
        assert done.stdout == f"1 {home.path}\n"
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import alpha; alpha.run()'])"
    assert python(home, "-c", child).stdout == f"1 {home.path}\n"


@pytest.mark.parametrize("name", ["with a space", "h\u00f6me", "long" * 40])
def test_a_home_may_have_any_name(make, name):
    home = make("alpha", path=name)
    for script in ("alpha", "old-script"):
        done = subprocess.run([f"{home.path}/bin/{script}"], capture_output=True, text=True, check=True)
        assert done.stdout == f"1 {home.path}\n"
    assert homes.run(home.path, "import alpha; print(alpha.V)").stdout == "1\n"
    assert homes.remove(home.path) == ()


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


def test_a_script_that_is_not_pythons_runs_itself(make, store, tmp_path):
    """As ruff and uv are, which a wheel brings as executables."""
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
    for first, second in (("one", "two"), ("one", "raw"), ("one", "place")):
        with pytest.raises(FileConflictError, match="a different .*(bin|scripts)/tool"):
            make(first, second, path="other", overlap="refuse")
        assert not (tmp_path / "other").exists()
        home = make(first, second, path=f"{first}-{second}")
        tool = Path(home.path, "bin/tool")
        (overlap,) = home.overlaps
        assert overlap.path == str(tool) and {overlap.owner, *overlap.others} == {first, second}
        text = {"one": "exit", "two": "intern", "raw": "#!/bin/sh", "place": "#!/bin/sh"}[overlap.owner]
        assert text in tool.read_text()


def test_what_cannot_be_read_of_the_store_is_a_typed_error(make, monkeypatch):
    def fail(*_, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(create, "_tree", fail)
    with pytest.raises(HomeError, match="could not be created: .*Permission denied"):
        make("alpha")


_LEAVES = (
    "import subprocess, sys\n"
    "print('said', flush=True)\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(20)'], start_new_session=True)\n"
)


def test_what_a_program_leaves_in_the_background_delays_neither_its_answer_nor_its_end(make):
    """It has the pipes, and is no part of the session that is ended."""
    home = make()
    begin = time.monotonic()
    done = homes.run(home.path, _LEAVES)
    assert (done.stdout, done.returncode) == ("said\n", 0)
    with pytest.raises(TrialError, match="within 1 seconds") as found:
        homes.run(home.path, _LEAVES + "sys.stdin.read(); import time; time.sleep(60)", stdin="x" * 2**20, timeout=1)
    assert found.value.stdout == "said\n" and time.monotonic() - begin < 10


def test_what_is_said_and_read_is_whole_however_long(make):
    code = (
        "import sys; text = sys.stdin.read(); sys.stderr.write(text); sys.stdout.write(text); sys.exit(len(text) % 7)"
    )
    text = "\u00e4 line\n" * 100_000
    done = homes.run(make().path, code, stdin=text, timeout=60)
    assert done.stdout == text and done.stderr == text and done.returncode == len(text) % 7
    assert homes.run(make(path="other").path, "import os; os.write(1, b'a\\xff\\r\\nb')").stdout == "a\ufffd\nb"


def test_another_patch_version_is_refused_by_the_launcher_and_by_its_scripts(make, monkeypatch):
    home = make("alpha")
    monkeypatch.setattr(run, "version", lambda: "3.11.99")
    with pytest.raises(HomeError, match=r"is for Python .* but its base Python is now 3\.11\.99"):
        homes.run(home.path, "pass")
    line = Path(home.path, "lib", _name(), "site-packages", "liveinstall-home.pth")
    line.write_text(line.read_text().replace(home.version, "3.11.99"))  # as if it had been made for that one
    done = subprocess.run([f"{home.path}/bin/alpha"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == "" and "is for Python 3.11.99, but this is Python" in done.stderr
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys._base_executable, "-c", "import alpha; print(alpha.V)"],
        env={**kept, "PYTHONHOME": home.path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "1\n" and done.stderr.count("is for Python 3.11.99") == 1  # somebody's host: it is told


def test_what_is_installed_into_a_home_never_goes_through_its_links(make, store, tmp_path):
    """As pip and uv do it: old files are unlinked, new ones written."""
    before = tree(tmp_path / "store")
    home = make("alpha")
    site = Path(home.path, "lib", _name(), "site-packages")
    assert not any(path.is_symlink() for path in site.rglob("*"))
    (site / "alpha" / "__init__.py").unlink()
    (site / "alpha" / "__init__.py").write_text("V = 2\n")
    (site / "alpha" / "new.py").write_text("")
    assert python(home, "-c", "import alpha, alpha.new; print(alpha.V)").stdout == "2\n"
    assert tree(tmp_path / "store") == before


def test_where_hard_links_cannot_be_had_they_are_symbolic(make, monkeypatch):
    def fail(*_, **__):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", fail)
    home = make("alpha")
    assert Path(home.path, "lib", _name(), "site-packages", "alpha", "__init__.py").is_symlink()
    assert python(home, "-c", "import alpha; print(alpha.V)").stdout == "1\n"
    assert homes.remove(home.path) == () and not Path(home.path).exists()


def test_a_home_that_is_reached_by_a_link_is_looked_at_too(make, tmp_path):
    home = make("alpha")
    (tmp_path / "link").symlink_to(home.path)
    assert homes.run(tmp_path / "link", "import alpha; print(alpha.V)").stdout == "1\n"
    line = next(Path(home.path).glob("lib/*/site-packages/liveinstall-home.pth"))
    line.write_text(line.read_text().replace(home.version, "3.11.99"))
    done = homes.run(tmp_path / "link", "print('went on')")
    assert (done.returncode, done.stdout) == (1, "") and "is for Python 3.11.99" in done.stderr


def test_remove_takes_only_what_it_made(make, store, tmp_path):
    before = tree(tmp_path / "store")
    home = make("alpha", "ns-b")
    python(home, "-c", "import alpha, ns.a, ns.b, json")  # writes bytecode
    mine = Path(home.path)
    (mine / "mine.txt").write_text("mine")
    site = mine / "lib" / _name() / "site-packages"
    (site / "ns" / "a.py").unlink()
    (site / "ns" / "a.py").write_text("V = 'edited'")
    (mine / "bin" / "alpha").write_text("#!/bin/sh\n")
    (site / "other").mkdir()
    left = homes.remove(home.path)
    changed = f"lib/{_name()}/site-packages"
    wanted = {"bin/alpha", "mine.txt", f"{changed}/ns/a.py", f"{changed}/other"}
    assert {path for path in left if "__pycache__" not in path} == wanted
    assert set(tree(mine, ignore=("__pycache__",))) == wanted
    assert tree(tmp_path / "store") == before and Path(os.__file__).exists()
    with pytest.raises(HomeError, match="is not a liveinstall home"):
        homes.remove(home.path)
    with pytest.raises(HomeError, match="not an empty directory"):
        make("alpha")


def test_remove_does_not_follow_a_link_that_somebody_has_put_in_the_place_of_a_directory(make, tmp_path):
    home = make("alpha")
    site = Path(home.path, "lib", _name(), "site-packages")
    (site / "alpha").rename(tmp_path / "moved")
    (site / "alpha").symlink_to(tmp_path / "moved")
    assert homes.remove(home.path) == (f"lib/{_name()}/site-packages/alpha",)
    assert (tmp_path / "moved" / "__init__.py").exists()


def test_a_home_that_nobody_has_used_goes_without_a_trace_and_its_store_may_go_first(make, store):
    home = make("alpha")
    store.remove(*store.entries())
    assert python(home, "-c", "import alpha; print(alpha.V)").stdout == "1\n"  # hard links
    assert homes.remove(home.path) == () and not Path(home.path).exists()


def test_where_links_cannot_be_had_a_home_is_refused_before_anything_is_made(make, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr(base_python, "os", SimpleNamespace(name="nt", path=os.path))
        with pytest.raises(HomeError, match="Windows"):
            make("alpha")
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
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "full", "link"):
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


def test_windows_without_links_refuses_a_home_and_names_what_has_copies(monkeypatch, tmp_path):
    monkeypatch.setattr(base_python.os, "name", "nt")
    with pytest.raises(HomeError) as caught:
        base_python.Base.here("C:\\My Homes\\a")
    monkeypatch.undo()
    assert 'python -m venv "C:\\My Homes\\a"' in str(caught.value) and "liveinstall.require()" in str(caught.value)


def test_windows_without_links_refuses_a_trial_and_names_the_parts_for_the_path_of_a_child():
    change = SimpleNamespace(part="alpha-2.0.part")
    records = [SimpleNamespace(changes=[change, SimpleNamespace(part="")])]
    error = trials._refusal(SimpleNamespace(site="/site"), records)
    assert "approximate" in str(error) and f"PYTHONPATH={os.path.join('/site', 'alpha-2.0.part')} and" in str(error)
    assert not trials._refusal(SimpleNamespace(site="/site"), []).todo
