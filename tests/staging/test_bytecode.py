"""Modules for the next import are compiled during the unpacking, for their final path; failures are ignored."""

from __future__ import annotations

import os
import py_compile
import shutil
import subprocess
import sys
import time
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from liveinstall._staging import _compile_child
from liveinstall._staging._compile_child import _TOP_LEVEL, Compiler, imports, statements, try_blocks
from liveinstall._staging.bytecode import BytecodeCompiler


@pytest.fixture
def part(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    files = {
        "pkg/__init__.py": "from .a import x\nfrom pkg import b\nimport pkg.sub.deep as d, os\n",
        "pkg/a.py": "x = 1\n",
        "pkg/b.py": "from . import (\n    c,\n)\n",
        "pkg/c.py": "def f():\n    from . import late\n",
        "pkg/late.py": "",
        "pkg/broken.py": "this is not python(",
        "pkg/sub/__init__.py": "",
        "pkg/sub/deep.py": "",
    }
    for path, text in files.items():
        full = tmp_path / "part" / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text)
    return tmp_path / "part", list(files)


def compiled(part, files):
    return {path for path in files if os.path.exists(cache_from_source(str(part / path)))}


def test_top_level_imports_are_followed():
    text = "from .a import x\nfrom ..up import y\nimport pkg.sub.deep as d, os\n    from . import late\n"
    assert list(imports(f"\n{text}", "pkg/mod/__init__.py", _TOP_LEVEL)) == [
        "pkg",
        "pkg/mod",
        "pkg/mod/a",
        "pkg/mod/a/x",
        "pkg",
        "pkg/up",
        "pkg/up/y",
        "pkg",
        "pkg/sub",
        "pkg/sub/deep",
        "os",
    ]


def test_what_an_import_of_the_package_needs_is_compiled_and_nothing_else(part):
    root, files = part
    compiler = Compiler()
    for path in files:
        compiler.announce("seed" if path == "pkg/__init__.py" else "more", str(root), "/final", path)
    while compiler.ready:
        compiler.compile_next()
    assert compiled(root, files) == {
        f"pkg/{name}.py" for name in ("__init__", "a", "b", "c", "sub/__init__", "sub/deep")
    }


def test_children_share_the_work_without_a_word(part, monkeypatch):
    root, files = part
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    with BytecodeCompiler() as compiler:
        assert len(compiler._children) == 3
        for path in reversed(files):
            compiler.announce("pkg", str(root), "/final", path)
        compiler.finish()
    assert compiled(root, files) == {
        f"pkg/{name}.py" for name in ("__init__", "a", "b", "c", "sub/__init__", "sub/deep")
    }


def test_a_child_compiles_only_its_share_and_follows_all(part):
    root, files = part
    found = []
    for share in range(3):
        before = compiled(root, files)
        compiler = Compiler(share, 3)
        for path in files:
            compiler.announce("seed" if path == "pkg/__init__.py" else "more", str(root), "/final", path)
        while compiler.ready:
            compiler.compile_next()
        found.append(compiled(root, files) - before)
    assert sum(map(len, found)) == 6 and all(len(share) < 6 for share in found)


def test_what_a_package_imports_within_its_functions_is_compiled_only_while_nothing_else_is_to_do(tmp_path):
    files = {
        "pkg/__init__.py": "from . import a\ndef setup():\n    from pkg import lazy\n    import pkg.both\n",
        "pkg/a.py": "import pkg.both\ndef f():\n    import pkg.never\n",
        "pkg/both.py": "",
        "pkg/lazy.py": "from . import needed\n",
        "pkg/needed.py": "",
        "pkg/never.py": "",
    }
    compiler = Compiler()
    for path, text in files.items():
        tmp_path.joinpath(path).parent.mkdir(exist_ok=True)
        tmp_path.joinpath(path).write_text(text)
        compiler.announce("seed" if path == "pkg/__init__.py" else "more", str(tmp_path), "/final", path)
    while compiler.ready:
        compiler.compile_next()
    assert compiled(tmp_path, files) == {"pkg/__init__.py", "pkg/a.py", "pkg/both.py"}
    while compiler.spare:
        compiler.compile_next()
    assert compiled(tmp_path, files) == {*files} - {"pkg/never.py"}


def test_what_is_tried_at_the_top_level_is_followed_but_not_what_is_deeper(tmp_path):
    text = (
        "try:\n    from . import fast\n\n    import pkg.two\nexcept ImportError:\n    from . import slow\n"
        "def f():\n    try:\n        from . import late\n    except ImportError:\n        pass\n"
        "try:\n    def g():\n        from . import later\nfinally:\n    pass\n"
    )
    names = ("fast", "two", "slow", "late", "later")
    files = {"pkg/sub.py": text, **{f"pkg/{name}.py": "" for name in names}}
    compiler = Compiler()
    (tmp_path / "pkg").mkdir()
    for path, content in files.items():
        tmp_path.joinpath(path).write_text(content)
        compiler.announce("seed" if path == "pkg/sub.py" else "more", str(tmp_path), "/final", path)
    while compiler.ready:
        compiler.compile_next()
    assert compiled(tmp_path, files) == {"pkg/sub.py", "pkg/fast.py", "pkg/two.py"}


def test_the_same_path_in_two_parts_is_compiled_in_both(tmp_path):
    compiler = Compiler()
    for part in ("one", "two"):
        tmp_path.joinpath(part).mkdir()
        tmp_path.joinpath(part, "mod.py").touch()
        compiler.announce("seed", str(tmp_path / part), "/final", "mod.py")
        if part == "one":
            compiler.compile_next()
    while compiler.ready:
        compiler.compile_next()
    for part in ("one", "two"):
        assert compiled(tmp_path / part, ["mod.py"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from a import b, c as d", [("a", " b, c as d")]),
        ("from .a import (\n    b,  # why\n    c,\n)\nimport x", [(".a", " (\n    b,  # why\n    c,\n"), (None, "x")]),
        ("from . import(a)", [(".", "(a")]),
        ("from  .. \t import\ta", [("..", "\ta")]),
        ("import a.b as c, d", [(None, "a.b as c, d")]),
        ("import a; from b import c", [(None, "a; from b import c")]),
        ("from a import (b, c", [("a", " (b, c")]),
        ("from important import x", [("important", " x")]),
        ("from a b import c", []),
        ("from a important", []),
        ("from", []),
        ("from \nimport x", [(None, "x")]),
        ("from a\nimport x", [(None, "x")]),
        ("from a.b", []),
        ("from a import", []),
    ],
)
def test_import_statements_are_found(text, found):
    assert sorted(statements(f"\n{text}", _TOP_LEVEL), key=str) == sorted(found, key=str)


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("try:\n    a\n\n\tb\nexcept E:\n    c", ["\ntry:\n    a\n\n\tb"]),
        ("try:\n    a", ["\ntry:\n    a"]),
        ("try:", ["\ntry:"]),
        ("try: a\ntry: # why\n  b\n", ["\ntry: a", "\ntry: # why\n  b"]),
        ("    try:\n        a\n", []),
    ],
)
def test_try_blocks_end_with_their_indentation(text, blocks):
    assert list(try_blocks(f"\n{text}")) == blocks


def test_words_that_only_look_like_imports_are_looked_at_once():
    text = "x = '" + " import a" * 1000 + "'\n" + " from a import (b\n" * 1000
    assert len(list(statements(text, (" import ",)))) == 1 + 1000
    assert len(list(statements(text, (" from ",)))) == 1000


@pytest.mark.parametrize("word", [" import a", " from a", " from a import (b", "\ntry:"])
def test_no_source_takes_long(word):
    text = word * (2_000_000 // len(word))
    begin = time.process_time()
    for _ in try_blocks(text):
        pass
    for _ in statements(text, (" from ", " import ")):
        pass
    assert time.process_time() - begin < 10  # it would be hours if each were looked for to the end of the line


@pytest.mark.parametrize("epoch", ["", "1"])
def test_the_bytecode_is_what_py_compile_makes(part, monkeypatch, epoch):
    root, _ = part
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    source = root / "pkg/b.py"
    source.write_bytes("# coding: latin-1\r\nx = '\xe4'\r\n".encode("latin-1"))
    os.chmod(source, 0o640)
    compiler = Compiler()
    compiler.announce("must", str(root), "/final", "pkg/b.py")
    compiler.compile_next()
    written = Path(cache_from_source(str(source)))
    ours, mode = written.read_bytes(), written.stat().st_mode
    py_compile.compile(str(source), dfile=os.path.normpath("/final/pkg/b.py"), doraise=True)
    assert (ours, mode) == (written.read_bytes(), written.stat().st_mode)


def test_a_child_loads_few_modules():
    def loaded(*code):
        command = [sys.executable, "-I", "-S", "-c", "; ".join(("import sys", *code, "print(*sys.modules)"))]
        return {*subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()}

    file = _compile_child.__file__
    more = loaded(f"exec(compile(open({file!r}).read(), {file!r}, 'exec'), {{'__name__': 'child'}})") - loaded("pass")
    assert "marshal" in more | loaded("pass") and "os" in more
    assert not more & {"re", "threading", "queue", "collections", "py_compile", "zlib", "enum", "importlib"}


def test_what_is_only_likely_is_not_waited_for(tmp_path):
    pkg = tmp_path / "pkg"
    pkg.mkdir()
    names = [f"lazy{number}" for number in range(2000)]
    pkg.joinpath("__init__.py").write_text(f"def f():\n    from . import {', '.join(names)}\n")
    with BytecodeCompiler() as compiler:
        for name in ("__init__", *names):
            path = f"pkg/{name}.py"
            tmp_path.joinpath(path).touch()
            compiler.announce("pkg", str(tmp_path), "/final", path)
        compiler.finish()
    assert "pkg/__init__.py" in compiled(tmp_path, ["pkg/__init__.py"])
    assert len(compiled(tmp_path, [f"pkg/{name}.py" for name in names])) < len(names)


def test_what_must_be_is_compiled_before_the_context_ends_for_its_final_place(part):
    root, files = part
    final = os.path.normpath("/final")
    wanted = {os.path.join(final, "pkg", "a.py"), os.path.join(final, "pkg", "broken.py")}
    with BytecodeCompiler() as compiler:
        compiler.only({"pkg": wanted})
        for path in files:
            compiler.announce("pkg", str(root), final, path)
        compiler.finish()
    assert compiled(root, files) == {"pkg/a.py"}
    import marshal

    with open(cache_from_source(str(root / "pkg/a.py")), "rb") as stream:
        assert marshal.loads(stream.read()[16:]).co_filename == os.path.join(final, "pkg", "a.py")


def test_a_cancelled_or_dead_compiler_is_not_a_failure(part):
    root, files = part
    with BytecodeCompiler() as compiler:
        for child in compiler._children:
            child.kill()
            child.wait()
        for path in files * 1000:
            compiler.announce("pkg", str(root), "/final", path)
        compiler.finish()
    with BytecodeCompiler() as compiler:
        compiler.cancel()
        compiler.cancel()
        compiler.announce("pkg", str(root), "/final", files[0])


def test_children_end_with_a_process_that_is_killed(tmp_path):
    body = "".join(f"def f{n}(a, b=1, *c, **d):\n    return [a, b, c, d, {n}]\n" for n in range(300))
    names = [f"m{n}.py" for n in range(400)]
    for name in names:
        (tmp_path / name).write_text(body)
    code = """
import sys, time
from liveinstall._staging.bytecode import BytecodeCompiler
compiler = BytecodeCompiler().__enter__()
for n in range(400):
    compiler.announce("many", sys.argv[1], "/final", f"m{n}.py")
print("announced", flush=True)
{finish}
time.sleep(60)
"""
    for finish in ("", "compiler.finish()"):
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        variables["PYTHONPATH"] = os.pathsep.join(sys.path)
        command = [sys.executable, "-c", code.replace("{finish}", finish), str(tmp_path)]
        process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE)
        assert process.stdout.readline().strip() == b"announced"
        end = time.monotonic() + 30
        while not compiled(tmp_path, names) and time.monotonic() < end:
            time.sleep(0.01)
        process.kill()
        process.communicate()
        time.sleep(0.3)
        seen = compiled(tmp_path, names)
        assert 0 < len(seen) < len(names)
        time.sleep(0.5)
        assert compiled(tmp_path, names) == seen
        shutil.rmtree(tmp_path / "__pycache__")


def test_nothing_is_compiled_where_no_bytecode_is_wanted(part, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with BytecodeCompiler() as compiler:
        assert compiler._children == []
        compiler.announce("pkg", str(part[0]), "/final", "pkg/a.py")
        compiler.finish()
    assert compiled(*part) == set()
