"""A registry in real interpreters: selected by the variable or the environment's file, used by every import."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest
from helpers.capabilities import can_symlink, has_forkserver
from helpers.environments import make_environment, make_wheel
from helpers.in_process_site import KILLED, Place
from packaging.tags import sys_tags

from liveinstall._sidebyside import activate, layout
from liveinstall._sidebyside.imports import index as indexes
from liveinstall._sidebyside.registry import files, index_builder
from liveinstall._sidebyside.registry.format import MAGIC, Registry, Row
from liveinstall._sidebyside.store.store import Store
from liveinstall.errors import RegistryError, StoreError

ALPHA = {
    "alpha/__init__.py": "V = 1\nfrom . import sub\n",
    "alpha/sub/__init__.py": "def f(): return 1\n",
    "alpha/sub/deep.py": "V = 1\n",
    "alpha/data.txt": "one",
}


class World:
    """An environment with alpha 2.0 and beta installed, and a store with other versions."""

    def __init__(self, root: Path):
        self.env = make_environment(root / "env")
        self.wheels = root / "wheels"
        self.store = Store.default(str(self.env.site))
        old = {"alpha/__init__.py": "V = 2\n", "alpha/late.py": "", "alpha_gone.py": "V = 2\n"}
        self.env.wheel("alpha", "2.0", old, scripts={"alpha-run": "alpha:run"})
        self.env.wheel("beta", "1.0", {"beta.py": "import alpha\nV = alpha.V\n", "ns/b.py": "V = 'b'\n"})
        done = self.env.run("li.install('alpha', 'beta')")
        assert done.returncode == 0, done.stderr
        self.env.put_liveinstall_in()  # found also without PYTHONPATH
        self.alpha = self.add("alpha", "1.0", ALPHA, scripts={"alpha-run": "alpha:run"})
        self.ns_c = self.add("ns-c", "1.0", {"ns/c.py": "V = 'c'\n"})
        self.ns_d = self.add("ns-d", "1.0", {"ns/d.py": "V = 'd'\n"})
        self.meta = self.add("meta-only", "3.0", {"meta_only.txt": ""})
        files.enable(str(self.env.site), on=True)

    def add(self, *args, **options):
        return self.store.add(make_wheel(self.wheels, *args, **options))

    def registry(self, name: str, *entries, **options) -> str:
        rows = [(entry.name, entry.version, entry.path) for entry in entries]
        made = index_builder.registry_of(rows, self.store.path, **options)
        return files.write(str(self.env.site), name, made)

    def json(self, code: str, registry: str = "env1", *arguments: str, **more: str):
        done = self.run(code, registry, *arguments, **more)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return json.loads(done.stdout)

    def run(self, code: str, registry: str | None = "env1", *arguments: str, **more: str):
        chosen = {} if registry is None else {layout.REGISTRY_VARIABLE: registry}
        return self.env.bare("import json, sys\n" + code, *arguments, **chosen, **more)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("world"))
    world.registry("env1", world.alpha, world.ns_c, world.ns_d, world.meta)
    return world


FIND = "import alpha; print(json.dumps([alpha.V, alpha.__file__.replace('\\\\', '/').split('/')[-3]]))"


def test_the_variable_chooses_a_registry_by_its_name_or_its_path(world, tmp_path):
    assert world.json(FIND) == [1, "alpha-1.0-py3-none-any"]
    assert world.json(FIND, files.path_of(str(world.env.site), "env1")) == [1, "alpha-1.0-py3-none-any"]
    (tmp_path / "mine.txt").write_text(f"{MAGIC}\nalpha -> {world.alpha.path}\n")
    assert world.json(FIND, str(tmp_path / "mine.txt")) == [1, "alpha-1.0-py3-none-any"]
    for nothing in (None, ""):
        assert world.json(FIND, nothing) == [2, "site-packages"]


@pytest.mark.parametrize("flag", ["-E", "-I"])
def test_an_interpreter_that_ignores_variables_ignores_this_one(world, flag):
    assert world.json(FIND, "env1", flag) == [2, "site-packages"]


def test_a_file_below_the_prefix_selects_a_registry_without_the_variable(world):
    file = world.env.root / layout.PREFIX_FILE
    file.write_text(f"{MAGIC}\nalpha -> {world.alpha.path}\n")
    try:
        assert world.json(FIND, None)[0] == 1 and world.json(FIND, None, "-I")[0] == 1
        assert world.json(FIND, "")[0] == 2, "an empty variable chooses none"
    finally:
        file.unlink()
    assert world.json(FIND, None)[0] == 2


def test_what_is_not_in_the_registry_comes_from_the_environment_and_is_joined_with_it(world):
    code = "import beta, ns.b, ns.c, ns.d; print(json.dumps([beta.V, ns.b.V, ns.c.V, ns.d.V]))"
    assert world.json(code) == [1, "b", "c", "d"]


def test_a_module_that_only_the_replaced_version_has_is_hidden(world):
    done = world.run("import alpha_gone")
    assert "ModuleNotFoundError" in done.stderr and "replaces" in done.stderr
    assert world.run("import alpha_gone", None).returncode == 0


def test_what_is_hidden_follows_the_environment(world):
    world.registry("later", world.add("later", "1.0", {"later.py": "V = 1\n"}))
    assert "replaces" not in world.run("import later_gone", "later").stderr
    world.env.wheel("later", "2.0", {"later.py": "V = 2\n", "later_gone.py": ""})
    assert world.env.run("li.install('later')").returncode == 0
    assert "replaces" in world.run("import later_gone", "later").stderr
    assert world.run("import later_gone", None).returncode == 0


METADATA = """
from importlib.metadata import version, entry_points, distributions, files
names = [(d.name, d.version) for d in distributions()]
found = [version('alpha'), version('meta-only'), names.index(('alpha', '1.0')) < names.index(('alpha', '2.0')),
         [e.value for e in entry_points(group='console_scripts', name='alpha-run')],
         all(p.locate().exists() for p in files('alpha'))]
print(json.dumps(found))
"""


def test_metadata_says_what_is_imported(world):
    assert world.json(METADATA) == ["1.0", "3.0", True, ["alpha:run"], True]


TOOLS = """
import importlib, importlib.resources, inspect, pickle, pkgutil, runpy, traceback, alpha
here = [inspect.getsource(alpha.sub.f), pickle.loads(pickle.dumps(alpha.sub.f))(), importlib.reload(alpha.sub).f(),
        importlib.resources.files('alpha').joinpath('data.txt').read_text(),
        sorted(m.name for m in pkgutil.iter_modules() if m.name in ('alpha', 'beta')),
        sorted(m.name for m in pkgutil.walk_packages(alpha.__path__, 'alpha.')),
        runpy.run_module('alpha.sub.deep')['V'], importlib.util.find_spec('alpha.sub.none') is None]
print(json.dumps(here))
"""


@has_forkserver
def test_python_s_own_tools_work(world):
    assert world.json(TOOLS) == [
        "def f(): return 1\n", 1, 1, "one", ["alpha", "beta"], ["alpha.sub", "alpha.sub.deep"], 1, True,
    ]  # fmt: skip


CHILDREN = """
import multiprocessing, os, subprocess
def look(queue):
    import alpha
    queue.put(alpha.V)
if __name__ == "__main__":
    code = "import alpha; print(alpha.V)"
    found = [int(subprocess.check_output([sys.executable, "-c", code]))]
    for kind in ("spawn", "forkserver", "fork"):
        context = multiprocessing.get_context(kind)
        queue = context.Queue()
        child = context.Process(target=look, args=(queue,))
        child.start()
        found.append(queue.get(timeout=50))
        child.join()
    print(json.dumps(found))
"""


@has_forkserver
def test_children_see_what_their_parent_sees(world, tmp_path):
    script = tmp_path / "children.py"
    script.write_text("import json, sys\n" + CHILDREN)
    variables = {**world.env.variables(), layout.REGISTRY_VARIABLE: "env1"}
    del variables["PYTHONPATH"]
    done = subprocess.run([world.env.python, script], env=variables, capture_output=True, text=True)
    assert done.stdout == "[1, 1, 1, 1]\n", done.stderr


ALONE = """
import multiprocessing
def look(queue):
    import alpha
    try:
        import beta
        queue.put("beta")
    except ImportError:
        queue.put(alpha.V)
if __name__ == "__main__":
    from liveinstall import owners
    owners.activate(sys.argv[1], exclusive=True)
    for kind in ("spawn", "forkserver"):
        context = multiprocessing.get_context(kind)
        queue = context.Queue()
        child = context.Process(target=look, args=(queue,))
        child.start()
        print(queue.get(timeout=20))
        child.join()
"""


@has_forkserver
def test_children_of_an_exclusive_parent_are_so_too(world, tmp_path):
    script = tmp_path / "alone.py"
    script.write_text("import json, sys\n" + ALONE)
    variables = world.env.variables()
    del variables["PYTHONPATH"]
    command = [world.env.python, script, world.alpha.path]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=50)
    assert (done.stdout, done.stderr) == ("1\n1\n", "")


GRANDCHILDREN = """
import multiprocessing
def look(queue, deeper):
    import alpha
    if deeper:
        child(deeper - 1, queue)
    queue.put(alpha.V)
def child(deeper, queue):
    process = multiprocessing.get_context("spawn").Process(target=look, args=(queue, deeper))
    process.start()
    process.join()
if __name__ == "__main__":
    import liveinstall
    liveinstall.require("alpha==1.0")
    import os
    os.environ.pop("LIVEINSTALL_REGISTRY", None)  # read by starts; this test is about passing it on
    queue = multiprocessing.get_context("spawn").SimpleQueue()
    child(2, queue)
    print(json.dumps([queue.get() for _ in range(3)]))
"""


@has_forkserver
def test_what_is_active_is_passed_on_to_grandchildren(world, tmp_path):
    script = tmp_path / "grandchildren.py"
    script.write_text("import json, sys\n" + GRANDCHILDREN)
    done = subprocess.run(
        [world.env.python, script], env=world.env.variables(), capture_output=True, text=True, timeout=50
    )
    assert (done.stdout, done.stderr) == ("[1, 1, 1]\n", "")


def test_a_package_manager_is_shown_the_disk(world, tmp_path):
    (tmp_path / "pip").mkdir()
    code = "import json, alpha; print(json.dumps(alpha.V))"
    (tmp_path / "pip/__main__.py").write_text(code)
    done = subprocess.run(
        [world.env.python, "-m", "pip"],
        env={**world.env.variables(), layout.REGISTRY_VARIABLE: "env1", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "2\n", done.stderr


@pytest.mark.parametrize(
    "text", [None, "", "nonsense", f"{MAGIC}\nalpha -> gone-1.0-py3-none-any\n", f"{MAGIC}\nalpha -> /x\nalpha -> /y\n"]
)
def test_an_unusable_registry_is_reported_in_one_line_and_python_starts(world, tmp_path, text):
    file = tmp_path / "broken.txt"
    if text is not None:
        file.write_text(text)
    done = world.run("import alpha; print(alpha.V); sys.exit(5)", str(file))
    assert (done.returncode, done.stdout) == (5, "2\n")
    assert done.stderr.startswith("liveinstall: the registry") and done.stderr.count("\n") == 1


def test_an_exclusive_registry_shuts_the_environment_out(world):
    world.registry("alone", world.alpha, exclusive=True)
    assert world.json(FIND, "alone")[0] == 1
    done = world.run("import beta", "alone")
    assert "ModuleNotFoundError" in done.stderr and "which is excluded" in done.stderr
    code = "from importlib.metadata import distributions; print(json.dumps(sorted({d.name for d in distributions()})))"
    assert world.json(code, "alone") == ["alpha"]


def test_a_registry_of_another_environment_counts_for_nothing(world):
    world.registry("theirs", world.alpha, prefix="/somewhere/else")
    world.registry("ours", world.alpha, prefix=str(world.env.root))
    assert world.json(FIND, "theirs")[0] == 2 and world.json(FIND, "ours")[0] == 1


def test_an_index_is_made_once_and_never_stale(world):
    path = Path(world.registry("changing", world.ns_c))
    assert world.json(FIND, "changing")[0] == 2
    before = set(os.listdir(Path(world.store.path, layout.INDEXES)))
    assert world.json(FIND, "changing")[0] == 2
    assert set(os.listdir(Path(world.store.path, layout.INDEXES))) == before
    stat = path.stat()
    text = path.read_text()
    path.write_text(text + f"alpha -> {world.alpha.path}\n")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert world.json(FIND, "changing")[0] == 1


def test_a_damaged_index_or_table_is_written_again_or_ignored(world):
    index_builder.write_tables([world.alpha.path], world.store.path)
    assert world.json(FIND)[0] == 1
    for path in Path(world.store.path, layout.INDEXES).iterdir():
        data = path.read_bytes()
        for damaged in (b"", data[:-3], data[:30] + b"\xff" * (len(data) - 30)):
            path.write_bytes(damaged)
            assert world.json(FIND)[0] == 1, path.name


def test_with_tables_and_without_the_same_is_found(world):
    for path in Path(world.store.path, layout.INDEXES).glob("*none-any.*"):
        path.unlink()
    without = [world.json(code) for code in (TOOLS, METADATA, FIND)]
    index_builder.write_tables([world.alpha.path], world.store.path)
    assert list(Path(world.store.path, layout.INDEXES).glob("alpha-1.0-*"))
    assert [world.json(code) for code in (TOOLS, METADATA, FIND)] == without


def test_a_table_of_another_content_is_not_used(tmp_path):
    store = Store.at(tmp_path / "store")
    entry = store.add(make_wheel(tmp_path, "alpha", "1.0", {"alpha/one.py": ""}))
    index_builder.write_tables([entry.path], store.path)
    name, stamp = os.path.basename(entry.path), indexes.stamp_of(entry.path, "alpha-1.0.dist-info")
    assert set(indexes.read_table(store.path, name, stamp)) == {"alpha", "alpha.one"}
    store.remove(entry)
    assert not list(Path(store.path, layout.INDEXES).glob("alpha*"))
    again = store.add(make_wheel(tmp_path, "alpha", "1.0", {"alpha/two.py": ""}))
    index_builder.write_tables([entry.path], store.path)
    assert indexes.read_table(store.path, name, stamp) is None
    assert set(indexes.read_table(store.path, name, indexes.stamp_of(again.path, "alpha-1.0.dist-info"))) == {
        "alpha",
        "alpha.two",
    }


def test_what_a_live_process_uses_is_not_removed(world):
    spare = world.add("spare", "1.0")
    world.registry("using", spare)
    variables = {**world.env.variables(), layout.REGISTRY_VARIABLE: "using"}
    code = "print(flush=True); input(); import spare.late"
    with subprocess.Popen(
        [world.env.python, "-c", code], env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as user:
        user.stdout.readline()
        with pytest.raises(StoreError, match="a running process uses spare-1.0"):
            world.store.remove(spare)
        user.communicate(b"\n")
    assert user.returncode == 0
    world.store.remove(spare)
    assert "does not exist" in world.run("", "using").stderr


@can_symlink
def test_what_a_live_process_uses_by_another_spelling_of_the_store_is_not_removed(world, tmp_path):
    spare = world.add("linked", "1.0")
    (tmp_path / "link").symlink_to(world.store.path)
    place = tmp_path / "link" / os.path.basename(spare.path)
    (tmp_path / "linked.txt").write_text(f"{MAGIC}\nlinked==1.0 -> {place}\nlinked -> {place}\n")
    variables = {**world.env.variables(), layout.REGISTRY_VARIABLE: str(tmp_path / "linked.txt")}
    command = [world.env.python, "-c", "print(flush=True); input(); import linked"]
    with subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        user.stdout.readline()
        with pytest.raises(StoreError, match="a running process uses"):
            world.store.remove(spare)
        user.communicate(b"\n")
    assert user.returncode == 0
    world.store.remove(spare)
    assert "does not exist" in world.run("", str(tmp_path / "linked.txt")).stderr


def test_of_two_first_starts_each_keeps_the_same_index(tmp_path):
    path = str(tmp_path / layout.INDEXES / "index")
    data = indexes.Index((), {}, ()).encode()
    assert indexes.write(path, data, over=False)
    _, first = indexes.read_and_keep(path)
    assert indexes.write(path, data, over=False), "the second found none before the first had written"
    assert os.path.samestat(os.fstat(first), os.stat(path)) and indexes.is_in_use(path)
    os.close(first)
    assert not indexes.is_in_use(path)
    Path(path).write_bytes(b"damaged")
    found = activate._written(path, indexes.Index((), {}, ()))
    assert found is not None and os.listdir(tmp_path / layout.INDEXES) == ["index"]
    os.close(found[1])


@pytest.mark.skipif(indexes.flock is None, reason="Windows replaces no open file")
def test_an_index_that_is_replaced_while_it_is_opened_is_opened_again(tmp_path, monkeypatch):
    path = str(tmp_path / layout.INDEXES / "index")
    assert indexes.write(path, indexes.Index((), {}, ()).encode())
    lock, left = indexes.flock, [1]

    def slow(handle, how):
        if left:
            left.pop()
            indexes.write(path, indexes.Index((), {}, (), ("new",)).encode())
        lock(handle, how)

    monkeypatch.setattr(indexes, "flock", slow)
    index, handle = indexes.read_and_keep(path)
    assert index.hidden == ("new",) and os.path.samestat(os.fstat(handle), os.stat(path))
    os.close(handle)


@pytest.mark.parametrize(("error", "expected"), [(PermissionError, True), (FileNotFoundError, False), (None, False)])
def test_without_locks_an_index_that_cannot_be_renamed_is_in_use(tmp_path, monkeypatch, error, expected):
    """As on Windows, where a process that uses an index has it open."""

    def rename(*paths):
        assert paths == (str(tmp_path), str(tmp_path))
        if error:
            raise error

    monkeypatch.setattr(indexes, "flock", None)
    monkeypatch.setattr(os, "rename", rename)
    assert indexes.is_in_use(str(tmp_path)) is expected


def test_an_index_of_a_missing_entry_is_not_used(world):
    spare = world.add("alpha", "0.5", {"alpha.py": "V = 0\n"})
    world.registry("gone", spare)
    assert world.json("import alpha; print(json.dumps(alpha.V))", "gone") == 0
    aside = spare.path.replace("alpha", "aside")
    os.rename(spare.path, aside)
    done = world.run("import alpha; print(alpha.V)", "gone")
    assert done.stdout == "2\n" and "does not exist" in done.stderr
    os.rename(aside, spare.path)
    code = f"import os; os.rename({spare.path!r}, {aside!r}); import alpha"
    assert f"{spare.path}, which had it, no longer exists" in world.run(code, "gone").stderr


def test_a_home_in_a_registry_is_the_one_of_who_starts(world, tmp_path):
    for number in "12":
        (tmp_path / number / "lib").mkdir(parents=True)
        (tmp_path / number / "lib/homely.py").write_text(f"V = {number}")
    (tmp_path / "homely.txt").write_text(f"{MAGIC}\nhomely -> ~/lib\n")
    variable = "USERPROFILE" if os.name == "nt" else "HOME"
    for number in (1, 2):
        code = "import homely; print(json.dumps(homely.V))"
        assert world.json(code, str(tmp_path / "homely.txt"), **{variable: str(tmp_path / str(number))}) == number


def test_a_shared_store_knows_who_uses_it_and_bare_names_stay_in_the_environment_s_own(world, tmp_path):
    shared = Store.at(tmp_path / "shared")
    other = shared.add(make_wheel(tmp_path, "other", "1.0"))
    world.registry("mixed", world.alpha, other, own_store=False)
    text = Path(files.path_of(str(world.env.site), "mixed")).read_text()
    mixed = tmp_path / "mixed.txt"
    mixed.write_text(text.replace(world.store.path + os.sep, ""))
    variables = {**world.env.variables(), layout.REGISTRY_VARIABLE: str(mixed), layout.STORE_VARIABLE: shared.path}
    code = "import alpha, other; print(alpha.V, flush=True); input()"
    with subprocess.Popen(
        [world.env.python, "-c", code], env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout.readline() == "1\n"
        for store, entry in ((shared, other), (world.store, world.alpha)):
            with pytest.raises(StoreError, match="a running process uses"):
                store.remove(entry)
        user.communicate("\n")
    shared.remove(other)


def test_a_store_that_cannot_be_written_to_is_used_all_the_same(world, tmp_path, monkeypatch):
    monkeypatch.setattr(indexes, "write", lambda *_, **__: False)
    found = activate.activate(
        f"{MAGIC}\nns -> {world.ns_c.path}\n".encode(), "x", "/", str(tmp_path / "none"), [], "a test"
    )
    try:
        assert not found.handles and activate.active() is found
        assert found.finder.find_spec("ns").submodule_search_locations
    finally:
        found.end()
        activate._active = None


def test_the_registry_of_children_is_kept_as_long_as_a_process_may_start_some(world):
    code = """
        import json, liveinstall, os, sys, subprocess
        liveinstall.require("alpha<2")
        path = os.environ["LIVEINSTALL_REGISTRY"]
        print(path, flush=True)
        input()
        child = "import alpha; print(alpha.V, flush=True); input(); print()"
        subprocess.Popen([sys.executable, "-c", child])
    """
    variables = world.env.variables()
    process = [world.env.python, "-c", textwrap.dedent(code)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(process, env=variables, **pipes) as user:
        path = Path(user.stdout.readline().strip())

        def swept():
            os.utime(path, (1_700_000_000, 1_700_000_000))
            with world.store.writing():
                pass
            return not path.exists()

        assert not swept()
        user.stdin.write("\n")
        user.stdin.flush()
        assert user.stdout.readline() == "1\n"
        user.wait()
        assert not swept(), "the child may start others"
        user.communicate("\n")
    assert swept()


def test_the_line_is_silent_without_liveinstall_and_can_be_removed(world):
    code = "print(json.dumps('liveinstall' in sys.modules))"
    assert world.json(code) is True and world.json(code, None) is False
    hidden = world.env.site / "liveinstall"
    aside = hidden.rename(world.env.root / "aside")
    try:
        assert world.json(FIND)[0] == 2
    finally:
        aside.rename(hidden)
    files.enable(str(world.env.site), on=False)
    try:
        assert not layout.is_enabled(str(world.env.site)) and world.json(code) is False
    finally:
        files.enable(str(world.env.site), on=True)


def test_the_line_imports_nothing_where_no_registry_is_chosen(world):
    code = "print(json.dumps(sorted(sys.modules)))"
    enabled = world.json(code, None)
    files.enable(str(world.env.site), on=False)
    try:
        more = set(enabled) - set(world.json(code, None))
        assert more <= {"encodings.utf_8_sig", "zipimport"}  # for any .pth file, from Python 3.13 on
    finally:
        files.enable(str(world.env.site), on=True)


@pytest.mark.parametrize(("version", "name"), [((3, 11), ".pth"), ((3, 17), ".pth"), ((3, 18), ".start")])
def test_the_line_is_what_each_version_of_python_runs(version, name):
    file, text = files.start_line(version)
    assert file.endswith(name) and text.count("\n") == 1 and text.isascii()
    assert text.startswith("import ") is (name == ".pth")


@pytest.mark.parametrize("name", ["", ".hidden", "a b", "x\ny"])
def test_a_name_that_none_can_have_is_refused(tmp_path, name):
    with pytest.raises(RegistryError, match="is not a registry name"):
        files.path_of(str(tmp_path), name)


def test_a_registry_is_written_read_listed_and_removed(tmp_path):
    site = str(tmp_path)
    assert files.known_names(site) == []
    files.write(site, "one", Registry(exclusive=True), ["a remark"])
    assert files.known_names(site) == ["one"] and files.read(site, "one")[1].exclusive
    with pytest.raises(RegistryError, match="Existing registries: one"):
        files.read(site, "two")
    files.remove(site, "one")
    assert files.known_names(site) == []


def test_each_writer_of_a_registry_elsewhere_has_its_own_draft(tmp_path, monkeypatch):
    drafts = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda draft, path: (drafts.append(draft), replace(draft, path)))
    for _ in range(2):
        files.write(str(tmp_path / "site"), str(tmp_path / "mine.txt"), Registry(exclusive=True))
    assert len(set(drafts)) == 2 and os.listdir(tmp_path) == ["mine.txt"]


def test_a_registry_or_a_line_is_old_or_new_after_a_kill(tmp_path):
    place = Place(tmp_path / "root")
    site = str(place.site)
    files.write(site, "env1", Registry(exclusive=True))
    files.enable(site, on=True)
    before = files.read(site, "env1")[1]
    new = Registry((Row("alpha", "alpha-1.0-py3-none-any"),))

    def change():
        files.write(site, "env1", new)
        files.enable(site, on=False)
        files.enable(site, on=True)

    _, points = place.fork(change)
    after = files.read(site, "env1")[1]
    assert points > 6 and [row.name for row in after.rows] == ["alpha"]
    line = files.start_line()[1]
    for at in range(points):
        files.write(site, "env1", Registry(exclusive=True))
        assert place.fork(change, at=at)[0] == KILLED
        assert files.read(site, "env1")[1] in (before, after), at
        found = [path.read_text() for path in place.site.glob("_liveinstall_registry*")]
        assert found in ([], [line]) and files.known_names(site) == ["env1"], at
    assert place.fork(change)[0] == 0
    assert sorted(os.listdir(place.site / ".liveinstall/registries")) == ["env1.txt"]
    assert os.listdir(place.site / ".liveinstall") == ["registries"]


def test_a_missing_entry_is_reported_although_the_index_exists(world):
    gone = world.add("gone", "1.0")
    world.registry("losing", gone)
    assert not world.run("import gone", "losing").stderr
    os.rename(gone.path, gone.path + "-away")
    done = world.run("", "losing")
    assert "losing is not active" in done.stderr and "does not exist" in done.stderr
    os.rename(gone.path + "-away", gone.path)


def test_a_build_for_another_python_is_reported(world):
    wheel = make_wheel(world.wheels, "foreign", "1.0")
    entry = world.store.add(wheel.rename(world.wheels / "foreign-1.0-cp38-cp38-win_amd64.whl"))
    world.registry("foreign", entry)
    variables = {**world.env.variables(), layout.REGISTRY_VARIABLE: "foreign"}  # with packaging
    done = subprocess.run([world.env.python, "-c", ""], env=variables, capture_output=True, text=True)
    assert "cannot use cp38-cp38-win_amd64" in done.stderr and done.stderr.count("\n") == 1


def test_looking_whether_a_build_is_for_this_python_loads_nothing_that_the_program_may_want(world):
    own = world.add("packaging", "0.1", {"packaging/__init__.py": "V = 'beside'\n"})
    native = f"{world.alpha.path.removesuffix('py3-none-any')}{next(sys_tags())}"
    shutil.copytree(world.alpha.path, native)
    lines = f"packaging==0.1 -> {own.path}\npackaging -> {own.path}\nalpha==1.0 -> {native}\nalpha -> {native}\n"
    file = world.env.root / "native.txt"
    file.write_text(f"{MAGIC}\n{lines}")
    done = subprocess.run(
        [world.env.python, "-c", "import packaging, alpha; print(packaging.V, alpha.V)"],
        env=world.env.variables(**{layout.REGISTRY_VARIABLE: str(file)}),
        capture_output=True,
        text=True,
    )
    shutil.rmtree(native)
    world.store.remove(own)
    assert done.stdout == "beside 1\n", done.stderr


def test_of_two_first_starts_at_once_both_are_known_to_use_an_entry(world):
    both = world.add("both", "1.0")
    world.registry("twice", both)
    variables = {**world.env.variables(), layout.REGISTRY_VARIABLE: "twice"}
    code = "print(flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    users = [subprocess.Popen([world.env.python, "-c", code], env=variables, **pipes) for _ in range(2)]
    for user in users:
        user.stdout.readline()
    for user in users:
        with pytest.raises(StoreError, match="a running process uses"):
            world.store.remove(both)
        user.communicate(b"\n")
    world.store.remove(both)


def test_a_good_index_is_not_replaced_so_that_its_lock_is_seen(tmp_path):
    path = str(tmp_path / "x" / "index")
    assert indexes.write(path, b"first", over=False) and indexes.write(path, b"second", over=False)
    assert Path(path).read_bytes() == b"first" and os.listdir(tmp_path / "x") == ["index"]
    assert indexes.write(path, b"third") and Path(path).read_bytes() == b"third"


@can_symlink
def test_a_store_is_one_by_any_path(tmp_path):
    store = Store.at(tmp_path / "store")
    (tmp_path / "link").symlink_to(tmp_path / "store")
    assert Store.at(tmp_path / "link").path == store.path


def test_what_the_environment_s_own_lines_import_at_a_start_is_found_although_it_is_shut_out(world):
    (world.env.site / "helper_of_line.py").write_text("")
    line = world.env.site / "zz-line.pth"
    line.write_text("import helper_of_line\n")
    try:
        world.registry("alone", world.alpha, exclusive=True)
        assert world.json(FIND, "alone")[0] == 1
        assert "which is excluded" in world.run("import beta", "alone").stderr
    finally:
        line.unlink()


GRANDCHILD = """
import multiprocessing as m, sys, json
def look(queue):
    import alpha
    queue.put(alpha.V)
def between(queue):
    child = m.get_context("spawn").Process(target=look, args=(queue,))
    child.start()
    child.join()
if __name__ == "__main__":
    import liveinstall
    liveinstall.require("alpha<2")
    queue = m.get_context("spawn").Queue()
    child = m.get_context("spawn").Process(target=between, args=(queue,))
    child.start()
    print(queue.get(timeout=60))
    child.join()
"""


PRELOADED = """
import multiprocessing as m
def look(queue):
    import alpha
    queue.put(alpha.V)
if __name__ == "__main__":
    import liveinstall
    liveinstall.require("alpha<2")
    context = m.get_context("forkserver")
    context.set_forkserver_preload(["alpha"])
    queue = context.Queue()
    child = context.Process(target=look, args=(queue,))
    child.start()
    child.join(60)
    print(child.exitcode, queue.get(timeout=1) if not child.exitcode else "")
"""


def preloaded(world, tmp_path, text):
    (tmp_path / "preloaded.py").write_text(text)
    files.enable(str(world.env.site), on=False)
    try:
        command = [world.env.python, tmp_path / "preloaded.py"]
        return subprocess.run(command, env=world.env.variables(), capture_output=True, text=True, timeout=100)
    finally:
        files.enable(str(world.env.site), on=True)


@has_forkserver
def test_a_server_of_forks_preloads_what_its_parent_sees(world, tmp_path):
    done = preloaded(world, tmp_path, PRELOADED)
    assert done.stdout == "0 1\n", done.stderr


@has_forkserver
def test_a_child_that_has_another_version_loaded_already_ends(world, tmp_path):
    late = PRELOADED.replace('    liveinstall.require("alpha<2")\n', "")
    late = late.replace(
        "    queue = ",
        "    from multiprocessing import forkserver\n    forkserver.ensure_running()\n"
        '    liveinstall.require("alpha<2")\n    queue = ',
    )
    done = preloaded(world, tmp_path, late)
    assert done.stdout == "1 \n" and "in the parent from" in done.stderr


def test_grandchildren_see_it_too(world, tmp_path):
    script = tmp_path / "grandchild.py"
    script.write_text(GRANDCHILD)
    files.enable(str(world.env.site), on=False)
    try:
        command = [world.env.python, script]
        done = subprocess.run(command, env=world.env.variables(), capture_output=True, text=True, timeout=100)
    finally:
        files.enable(str(world.env.site), on=True)
    assert done.stdout == "1\n", done.stderr
