"""The rules of the architecture: imports, private names, unambiguous names, errors with one base class."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import pickle
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

import liveinstall
from liveinstall import errors

SOURCE = Path(liveinstall.__file__).parent.parent
ROOT = SOURCE.parent
# Imports point down this list; packages on one line do not import each other at run time. CONTRIBUTING shows it too.
ROOMS = """
__init__, __main__, hosts, registries, auto, cluster
_frontends
_cluster
_verbs, homes, owners
_changes
_homes
_sidebyside
_repair, _engines
_environment, _requirements, _planning, _staging, _transactions
events, _model
results, reports
_system
errors
_redact
_liveinstall_boot
"""
# Exceptions: the presenter, by which lower packages reach the front ends; and errors, which hide secrets.
UPWARD = {("liveinstall._system.presenter", "liveinstall._frontends.presenter")}
# `results` loads the names of `reports` when they are first used: two files of one public module.
SAME_DOOR = {("liveinstall.results", "liveinstall.reports"), ("liveinstall.reports", "liveinstall.results")}
# Names of earlier versions, kept for their files on disk and their running processes.
FORMER_NAMES = {"model", "parallel", "frontends"}
RANK = {room: rank for rank, line in enumerate(ROOMS.split("\n")) for room in line.split(", ") if room}
# The modules that may start child processes, each for the reason in its docstring.
STARTS_CHILDREN = {
    "liveinstall/_system/child_process.py",
    "liveinstall/_system/interpreter.py",
    "liveinstall/_system/programs.py",
    "liveinstall/_staging/bytecode.py",
    "liveinstall/_sidebyside/wheels/helper.py",
}
# Two modules may have one name if one is a verb of the API and the other its implementation, or if two
# engines, kinds of locations or packages have the same component.
SHARED_STEMS = {
    *("__init__", "__main__"),
    *("install", "require", "trial", "run", "remove", "undo", "store", "registry", "requesters", "restart", "pending"),
    *("engine", "arguments", "output", "record", "report", "archive", "owner", "layout", "files", "presenter"),
}
NOUNS_IN_ING = {"rendering", "pending", "running_versions", "lean_packaging"}


def path_id(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


FILES = sorted(path for top in ("liveinstall", "_liveinstall_boot") for path in (SOURCE / top).rglob("*.py"))
OWN = [path for path in FILES if path.relative_to(SOURCE).parts[1].removesuffix(".py") not in FORMER_NAMES]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def room(module: str) -> str:
    top, _, rest = module.partition(".")
    return (rest.partition(".")[0] or "__init__") if top == "liveinstall" else top


def is_module(name: str) -> bool:
    path = SOURCE.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def guarded(path: Path) -> set[ast.AST]:
    """The code that only type checkers read."""
    tests = [node for node in ast.walk(tree(path)) if isinstance(node, ast.If) and isinstance(node.test, ast.Name)]
    return {
        inner for node in tests if node.test.id == "TYPE_CHECKING" for body in node.body for inner in ast.walk(body)
    }


def imports(path: Path, *, types_too: bool = False):
    """The modules that a file imports: by statements, and by names that it hands to `import_module`."""
    skipped = set() if types_too else guarded(path)
    here = module_of(path).split(".") + ([] if path.name != "__init__.py" else [""])
    for node in ast.walk(tree(path)):
        if node in skipped:
            continue
        if isinstance(node, ast.ImportFrom):
            base = (
                ".".join([*here[: len(here) - node.level], *filter(None, [node.module])]) if node.level else node.module
            )
            for alias in node.names:
                yield f"{base}.{alias.name}" if is_module(f"{base}.{alias.name}") else base
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif is_dotted_name(node) and is_module(node.value) and node.value != "liveinstall.owners":
            yield node.value  # for `import_module()`; `liveinstall.owners` is a group of entry points, too


def is_dotted_name(node: ast.AST) -> bool:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return is_text and bool(re.fullmatch(r"liveinstall(\.\w+)+", node.value))


def ours(path: Path, **options: bool):
    return {name for name in imports(path, **options) if name.split(".")[0] in ("liveinstall", "_liveinstall_boot")}


def down_the_list(importer: str, imported: str) -> bool:
    mine, other = room(importer), room(imported)
    return mine == other or RANK[other] > RANK[mine] or (importer, imported) in UPWARD | SAME_DOOR


@pytest.mark.parametrize("path", OWN, ids=path_id)
def test_imports_point_down_the_list_of_rooms(path):
    for module in ours(path):
        assert down_the_list(module_of(path), module), f"{path_id(path)} imports {module}, which is not below it"


@pytest.mark.parametrize("path", OWN, ids=path_id)
def test_types_come_from_the_same_height_or_below(path):
    for module in ours(path, types_too=True):
        beside = RANK[room(module)] == RANK[room(module_of(path))]
        assert beside or down_the_list(module_of(path), module), f"{path_id(path)} names types of {module}"


@pytest.mark.parametrize("path", [path for path in OWN if "_" in str(path.relative_to(SOURCE))[12:13]], ids=path_id)
def test_no_private_file_imports_the_package_itself(path):
    assert "liveinstall" not in ours(path)


def test_contributing_shows_the_same_list_of_rooms():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert ROOMS.strip() in text


def test_every_room_is_on_the_list():
    assert {room(module_of(path)) for path in OWN} == set(RANK)


def test_there_is_no_cycle_between_modules():
    graph = {module_of(path): ours(path) - {module_of(path)} for path in OWN}
    done: set[str] = set()

    def visit(name, trail):
        assert name not in trail, f"a cycle: {trail} -> {name}"
        if name not in done:
            for other in graph.get(name, ()):
                if (name, other) not in UPWARD | SAME_DOOR:
                    visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", OWN, ids=path_id)
def test_no_private_name_crosses_a_file(path):
    modules = {}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                base = node.module or ""
                private = alias.name.startswith("_") and not alias.name.startswith("__")
                known = node.level or base.split(".")[0] in ("liveinstall", "_liveinstall_boot")
                inside = is_module(f"{base}.{alias.name}") if not node.level else True
                assert not (known and private and not inside), f"{path_id(path)} takes {alias.name} from {base}"
                if known and is_module(f"{base}.{alias.name}"):
                    modules[alias.asname or alias.name] = f"{base}.{alias.name}"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            private = node.attr.startswith("_") and not node.attr.startswith("__")
            assert not private or is_module(f"{modules[node.value.id]}.{node.attr}"), f"{path_id(path)}: {node.attr}"


def test_a_module_name_means_one_module():
    stems = defaultdict(list)
    for path in OWN:
        stems[path.stem].append(path_id(path))
    assert {stem: paths for stem, paths in stems.items() if len(paths) > 1 and stem not in SHARED_STEMS} == {}


def test_a_class_name_means_one_class():
    classes = defaultdict(list)
    for path in OWN:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                classes[node.name.lstrip("_")].append(path_id(path))
    assert {name: paths for name, paths in classes.items() if len(paths) > 1} == {}


@pytest.mark.parametrize("path", OWN, ids=path_id)
def test_modules_are_nouns_or_verbs_of_the_field(path):
    words = path.stem.split("_")
    assert path.stem in NOUNS_IN_ING or not any(word.endswith("ing") for word in words)


@pytest.mark.parametrize("path", OWN, ids=path_id)
def test_four_documented_files_start_child_processes(path):
    starts = {"Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput"}
    for node in ast.walk(tree(path)):
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if is_call and isinstance(node.func.value, ast.Name) and node.func.value.id == "subprocess":
            allowed = path_id(path) in STARTS_CHILDREN or node.func.attr not in starts
            assert allowed, f"{path_id(path)}:{node.lineno} starts a child process"
        is_other = is_call and node.func.attr in (
            "create_subprocess_exec",
            "create_subprocess_shell",
            "popen",
            "system",
        )
        assert not is_other, f"{path_id(path)}:{node.lineno} starts a child process"


@pytest.mark.parametrize("path", OWN, ids=path_id)
def test_environment_variables_of_ours_are_read_in_one_place(path):
    text = path.read_text(encoding="utf-8")
    allowed = {"liveinstall/_system/settings.py", "liveinstall/_sidebyside/layout.py"}
    for node in ast.walk(tree(path)):
        own = (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch("LIVEINSTALL_[A-Z]+", node.value)
        )
        if own and path_id(path) not in allowed and not path_id(path).startswith("_liveinstall_boot"):
            raise AssertionError(f"{path_id(path)} names {node.value}: {text.splitlines()[node.lineno - 1].strip()}")


# Files that they cannot rename or remove at once are handled in another way, or by the next call.
_IMPATIENT = {
    *(f"_liveinstall_boot/{name}.py" for name in ("files", "recover", "holds")),
    "liveinstall/_sidebyside/imports/code_archive_writer.py",
}


@pytest.mark.parametrize("path", OWN, ids=path_id)
def test_what_is_renamed_or_removed_is_so_patiently(path):
    """On Windows a scanner may have opened any file; `dir_fd` is of POSIX only."""
    if path_id(path) in ("_liveinstall_boot/patient.py", "liveinstall/_engines/pip/_pip_child.py"):
        return
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
        is_by_os = owner == "os" and node.func.attr in ("rename", "replace", "unlink", "remove", "rmdir")
        is_by_path = node.func.attr == "unlink" and owner not in ("os", "files", "patient", "home", "self")
        is_tried_again = path_id(path) in _IMPATIENT
        if (is_by_os or is_by_path) and not is_tried_again:
            assert any(word.arg == "dir_fd" for word in node.keywords), f"{path_id(path)}:{node.lineno}"


def test_the_boot_package_imports_next_to_nothing():
    allowed = {
        *("os", "sys", "errno", "time", "atexit", "os.path", "stat", "fcntl", "msvcrt"),
        *("_sha2", "_sha256", "hashlib", "gc", "binascii", "_signal", "_thread", "_winapi", "_xxsubinterpreters"),
        *("marshal", "_imp", "_frozen_importlib", "_frozen_importlib_external"),  # built in, and loaded in any case
    }
    for path in (SOURCE / "_liveinstall_boot").glob("*.py"):
        others = {name for name in imports(path) if name.split(".")[0] != "_liveinstall_boot"}
        assert others <= allowed, path.name


@pytest.mark.parametrize("path", FILES, ids=path_id)
def test_files_stay_under_400_lines_and_bodies_under_40(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 400
    for node in ast.walk(tree(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            start = node.body[1].lineno if ast.get_docstring(node) and len(node.body) > 1 else node.body[0].lineno
            assert node.end_lineno - start < 40, f"{path.name}: {node.name}"


def error_classes():
    return [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Exception)]


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_every_error_has_the_root_and_survives_pickling(kind):
    assert issubclass(kind, errors.LiveInstallError)
    error = pickle.loads(pickle.dumps(kind("it failed.", todo="Do this.", name="x", log="y")))
    assert (type(error), error.what, error.todo, error.log) == (kind, "it failed.", "Do this.", "y")
    assert str(error).startswith("it failed.") and str(error).endswith("Do this.")


def test_every_error_has_its_section_in_the_docs():
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    for kind in error_classes():
        assert f"## {kind.__name__}\n" in text, kind.__name__


def test_every_public_name_is_in_the_reference():
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site_hooks.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    pages = {name: (SOURCE / "liveinstall" / f"{name}.py").read_text(encoding="utf-8") for name in hooks.VALUES}
    values = {name for text in pages.values() for name in re.findall(r"^class (\w+)", text, re.MULTILINE)}
    functions = {name for names in hooks.FUNCTIONS.values() for name in names}
    modules = {*hooks.MODULES, "errors", "events", "results"}
    assert {*liveinstall.__all__, "list"} - {"LiveInstallError"} <= functions | values | modules
    assert set(functions) <= set(liveinstall._LAZY)
    for module in hooks.MODULES:
        assert hooks.exported(hooks.tree_of(module))


def test_the_public_names_are_a_sorted_list_that_resolves():
    assert sorted(liveinstall.__all__) == liveinstall.__all__
    for name in liveinstall.__all__:
        assert getattr(liveinstall, name) is not None and name in dir(liveinstall)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = liveinstall.nothing


def test_a_star_import_takes_no_builtin_away():
    code = (
        "import builtins; from liveinstall import *; assert install and list is builtins.list\n"
        "assert not {*dir(builtins)} & {name for name in globals() if not name.startswith('__')} - {'builtins'}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SOURCE)


def test_the_listing_of_the_package_has_each_public_name_once_and_nothing_private():
    import liveinstall.reports

    assert liveinstall.reports.Status is liveinstall.Status
    listed = dir(liveinstall)
    assert len(listed) == len(set(listed))
    public = {name for name in listed if not name.startswith("__")}
    assert public == {*liveinstall._LAZY, *liveinstall._FOR_PROGRAMS} - {"__version__"}


def test_the_stub_for_type_checkers_has_each_public_name_from_the_same_module():
    stub = {}
    for node in ast.parse((SOURCE / "liveinstall/__init__.pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module.startswith("liveinstall"):
            for alias in node.names:
                assert alias.asname == alias.name
                stub[alias.name] = node.module.partition(".")[2] or alias.name
        if isinstance(node, ast.Assign):
            assert ast.literal_eval(node.value) == liveinstall.__all__
    assert stub == {**liveinstall._LAZY, **liveinstall._FOR_PROGRAMS}


@pytest.mark.parametrize(
    "door", ["cluster", "homes", "owners", "registries", "results", "reports", "hosts", "events", "errors"]
)
def test_every_name_of_a_door_resolves(door):
    module = getattr(liveinstall, door) if door != "reports" else __import__("liveinstall.reports").reports
    for name in getattr(module, "__all__", ()):
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing


def test_results_gives_the_names_of_reports_too():
    from liveinstall import reports, results

    assert results.Status is reports.Status and results.Plan is liveinstall.Plan


def test_importing_liveinstall_loads_nothing_heavy():
    code = "import sys; before = set(sys.modules); import liveinstall; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SOURCE)
    assert set(ast.literal_eval(done.stdout)) <= {"liveinstall", "__future__"}


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_in_the_docs_parse_and_use_names_that_exist(page):
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for block in blocks:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "liveinstall":
                assert node.attr in liveinstall._LAZY, f"{page.name}: liveinstall.{node.attr}"
    for block in re.findall(r"```json\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            assert json.loads(line)["liveinstall"] == 1


def test_what_a_start_loads_does_not_load_the_future_module():
    """A line `from __future__` loads a file of the standard library, which costs a start as much as one of ours."""
    loaded = [
        "__init__",
        "_sidebyside/__init__",
        "_sidebyside/layout",
        "_sidebyside/activate",
        "_sidebyside/imports/__init__",
        "_sidebyside/imports/owner",
        "_sidebyside/imports/directory",
        "_sidebyside/imports/finder",
        "_sidebyside/imports/isolation",
        "_sidebyside/imports/index",
        "_system/__init__",
        "_system/caller",
    ]
    for name in loaded:
        assert "__future__" not in imports(SOURCE / "liveinstall" / f"{name}.py"), name


# Other code may be the cause of an error: its traceback is shown.
_CAUSED_BY_OTHERS = {
    "_sidebyside/imports/places.py",
    "_sidebyside/imports/virtual.py",
    "_sidebyside/imports/code_archive.py",
}
_INTERNAL = {"_environment/checkouts.py", "_engines/pip/_pip_wheels.py"}


@pytest.mark.parametrize("path", OWN, ids=path_id)
def test_errors_print_no_chain_of_tracebacks(path):
    """`raise ... from None`: the cause stays in `__context__`, and the message has the advice."""
    if path_id(path).removeprefix("liveinstall/") in _CAUSED_BY_OTHERS | _INTERNAL:
        return
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Raise) and node.cause is not None:
            assert isinstance(node.cause, ast.Constant), f"{path.name}:{node.lineno}"
