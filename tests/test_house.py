"""The rules of the house: imports point down, errors have one root, bodies and files stay short, imports stay lazy."""

from __future__ import annotations

import ast
import inspect
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

import liveinstall
from liveinstall import errors

SOURCE = Path(liveinstall.__file__).parent
# Data flows down this list; an import may only point down it.
FLOW = [
    "hosts",
    "owners",
    "frontends",
    "session",
    "homes",
    "parallel",
    "environment",
    "planning",
    "staging",
    "commit",
    "events",
    "reports",
    "model",
]
BASE = {"cancelling", "collecting", "errors", "metadata", "record", "redact", "temporary"}
FILES = sorted(SOURCE.rglob("*.py")) + sorted((SOURCE.parent / "_liveinstall_boot").rglob("*.py"))


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                deeper = SOURCE.parent.joinpath(*node.module.split("."), alias.name)
                is_module = deeper.with_suffix(".py").exists() or deeper.is_dir()
                yield f"{node.module}.{alias.name}" if is_module else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down_the_flow(path):
    mine = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if mine in ("__init__", "__main__", "auto", "requiring"):
        return  # the doors stand above everything
    for module in imports(path):
        other = room(module) if module.startswith("liveinstall.") else ""
        if other and other != mine and other not in BASE:
            assert mine not in BASE, f"{mine} imports {module}"
            assert FLOW.index(other) > FLOW.index(mine), f"{path.name} imports {module}, which is above it"


def test_there_is_no_cycle_between_modules():
    graph = {}
    for path in SOURCE.rglob("*.py"):
        name = ".".join(["liveinstall", *path.relative_to(SOURCE).with_suffix("").parts]).removesuffix(".__init__")
        graph[name] = {module for module in imports(path) if module.startswith("liveinstall.")} - {name}
    done: set[str] = set()

    def visit(name, trail):
        assert name not in trail, f"a cycle: {trail} -> {name}"
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_the_boot_module_imports_next_to_nothing():
    allowed = {
        "os",
        "sys",
        "errno",
        "time",
        "atexit",
        "fcntl",
        "msvcrt",
        "os.path",
        "_sha2",
        "_sha256",
        "hashlib",
        "_signal",
    }
    for path in (SOURCE.parent / "_liveinstall_boot").glob("*.py"):
        assert set(imports(path)) <= allowed, path.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_bodies_stay_under_40_lines(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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
    text = (SOURCE.parents[1] / "docs" / "errors.md").read_text(encoding="utf-8")
    for kind in error_classes():
        assert f"## {kind.__name__}\n" in text, kind.__name__


def test_the_public_names_are_a_sorted_list_that_resolves():
    assert sorted(liveinstall.__all__) == liveinstall.__all__
    for name in liveinstall.__all__:
        assert getattr(liveinstall, name) is not None and name in dir(liveinstall)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = liveinstall.nothing


def test_importing_liveinstall_loads_nothing_heavy():
    code = "import sys; before = set(sys.modules); import liveinstall; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SOURCE.parent)
    assert set(ast.literal_eval(done.stdout)) <= {"liveinstall", "__future__"}


PAGES = [SOURCE.parents[1] / "README.md", *sorted((SOURCE.parents[1] / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_in_the_docs_parse_and_use_names_that_exist(page):
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for block in blocks:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "liveinstall":
                assert node.attr in liveinstall.__all__, f"{page.name}: liveinstall.{node.attr}"
    for block in re.findall(r"```json\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            assert json.loads(line)["liveinstall"] == 1
