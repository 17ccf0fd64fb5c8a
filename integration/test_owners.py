"""Real distributions by registry, wheel, archive and home: the same results as in an environment.

The whole table is docs/side-by-side-packages.md; this is a small part of it: extension modules with libraries of their
own, namespaces of several distributions, data files, entry points, and pure modules that are imported straight.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from integration.lib.environments import user_variables
from integration.lib.interpreters import find_python
from integration.reports import owner_mechanisms as owner_table

NAMES = ("numpy", "google-cloud-core", "pyyaml", "jinja2", "attrs")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> owner_table.Bench:
    """The wheels of these distributions and of all their dependencies."""
    if not find_python("3.11"):
        pytest.skip("the wheels are for 3.11, which is not here")
    path = tmp_path_factory.mktemp("owners")
    words = ["download", "-q", "--only-binary", ":all:", "--python-version", "3.11", "--dest", str(path / "wheels")]
    command = [sys.executable, "-m", "pip", *words, "--disable-pip-version-check", *NAMES]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=user_variables())
    assert done.returncode == 0, done.stderr
    return owner_table.prepare(path, path / "wheels")


@pytest.mark.parametrize("name", NAMES)
def test_what_a_process_sees_is_what_it_sees_where_it_is_installed(bench: owner_table.Bench, name: str) -> None:
    found = owner_table.compare(owner_table.examine(bench, name))
    assert set(found) == set(owner_table.MECHANISMS)
    assert not [kind for kind, checks in found.items() if "refused" in checks], found
    assert not owner_table.unexplained({name: found})


def test_a_table_that_is_compared_finds_differences() -> None:
    plain = {"imports": {"a": ""}, "listing": ["x"], "metadata": ["1", ["b"]], "spawn": "failed: X"}
    other = {"imports": {"a": "ImportError"}, "listing": "failed", "metadata": ["1", ["c"]]}
    found = owner_table.compare(
        {"plain": plain, "wheel": other, "registry": plain, "archive": {"refused": "why"}, "home": plain}
    )
    assert found["wheel"]["imports"] == "a:  -> ImportError" and found["wheel"]["metadata"] == "b -> c"
    wrong = owner_table.unexplained({"x": found})
    assert [line for line in wrong if "spawn" not in line] == [
        "x, wheel, imports: a:  -> ImportError",
        "x, wheel, metadata: b -> c",
    ]  # the difference in `listing` has a documented reason
    assert sum("spawn" in line for line in wrong) == 3
    page = owner_table.render({"x": found})
    assert "| x | differs: spawn | differs: imports, metadata, spawn, listing | refused | differs: spawn |" in page
    assert "- x, archive, refused: why" in page and Path(owner_table.PAGE).name in "side-by-side-packages.md"
