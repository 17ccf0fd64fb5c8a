"""Every block of code of the documentation, run as a reader would: in order, page by page, each in a new process.

The reader has an environment with liveinstall and numpy 1.26.4, an index of small packages, and a directory of files
(`lib/readers.py`). What comments in a page can change about that: `lib/documents.py`.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from integration.lib.documents import Snippet, pattern, snippets, typed
from integration.lib.environments import ROOT, Environment, add_liveinstall, user_variables
from integration.lib.interpreters import CURRENT, find_python
from integration.lib.readers import INSTALLED, write_directory, write_offered
from integration.lib.terminals import terminal

PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
# A minute of one core runs the rest; `nox -s release` runs these, too.
LONG = ("clusters", "concepts", "homes", "owners", "requirements", "restart", "trial")
RUN = [
    pytest.param(page, id=str(page.relative_to(ROOT)), marks=[pytest.mark.full] if page.stem in LONG else [])
    for page in PAGES
    if any(snippet.is_run for snippet in snippets(page))
]
_PROMPT = ">>> "
_CELLS = """\
from IPython.core.interactiveshell import InteractiveShell
for cell in open(0).read().split("\\0"):
    InteractiveShell.instance().run_cell(cell).raise_error()
"""
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the pages are written for a POSIX shell")


@pytest.fixture(scope="session")
def offered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the index."""
    directory = tmp_path_factory.mktemp("index")
    write_offered(directory)
    return directory


@pytest.mark.parametrize("page", RUN)
def test_the_blocks_of_a_page_work(page: Path, tmp_path: Path, wheel: Path, offered: Path) -> None:
    base = find_python(CURRENT)
    assert base
    chosen = [snippet for snippet in snippets(page) if snippet.is_run]
    environment = Environment.make(tmp_path / "venv", base)
    add_liveinstall(environment, wheel)
    environment.add(*(offered / f"{name}-py3-none-any.whl" for name in INSTALLED))
    if any(snippet.language == "ipython" or "in IPython" in snippet.options for snippet in chosen):
        environment.add("ipython", deps=True)
    directory = tmp_path / "directory"
    write_directory(directory, offered)
    variables = _variables(environment, tmp_path, offered)
    for snippet in chosen:
        _run(snippet, directory, variables)


def _variables(environment: Environment, home: Path, offered: Path) -> dict[str, str]:
    """Those of a shell in which the environment is activated; pip and uv use the small index only."""
    configuration = home / ".config" / "uv" / "uv.toml"
    configuration.parent.mkdir(parents=True)
    configuration.write_text(f"no-index = true\nfind-links = ['{offered}']\n", encoding="utf-8")
    return user_variables(
        HOME=str(home),
        XDG_CACHE_HOME=str(home / "cache"),
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(offered),
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        VIRTUAL_ENV=str(environment.path),
        PATH=f"{environment.scripts}{os.pathsep}{os.environ['PATH']}",
    )


def _run(snippet: Snippet, directory: Path, variables: dict[str, str]) -> None:
    before = snippet.options.get("before", "")
    if "at a prompt" in snippet.options:
        _type(snippet, directory, variables)
    elif snippet.text.startswith("$ "):
        if before:
            assert _done("", ["bash", "-euc", before], directory, variables).returncode == 0, snippet
        for command, shown in typed(snippet.text, "$ "):
            _compare(snippet, _done("", ["bash", "-uc", command], directory, variables), shown)
    elif snippet.language == "console":
        _check(snippet, _done("", ["bash", "-euc", f"{before}\n{snippet.text}"], directory, variables))
    elif snippet.language == "ipython" or "in IPython" in snippet.options:
        cells = f"import liveinstall\0{before}\0{snippet.text}"
        _check(snippet, _done(cells, ["python", "-c", _CELLS], directory, variables))
    else:
        code = f"import liveinstall\n{before}\n{snippet.text}"
        _check(snippet, _done("", ["python", "-c", code], directory, variables))


def _done(
    given: str, command: list[str], directory: Path, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=directory, env=variables, input=given, capture_output=True, text=True, check=False, timeout=120
    )


def _type(snippet: Snippet, directory: Path, variables: dict[str, str]) -> None:
    python = Path(variables["VIRTUAL_ENV"], "bin", "python")
    lines = [snippet.options.get("before", ""), *snippet.text.splitlines()]
    more = {name: value for name, value in variables.items() if name != "HOME" and os.environ.get(name) != value}
    with terminal(directory, python, "-q", PYTHON_BASIC_REPL="1", **more) as prompt:
        prompt.until(_PROMPT)
        for line in filter(None, lines):
            answer = prompt.enter(f"import liveinstall; {line}", _PROMPT)  # again: a line may restart Python
            assert "Error" not in answer, f"{snippet}: {line!r}:\n{answer}"


def _check(snippet: Snippet, done: subprocess.CompletedProcess[str]) -> None:
    output = done.stdout + done.stderr
    if error := snippet.options.get("raises"):
        assert done.returncode and error in done.stderr.splitlines()[-1], f"{snippet}: not {error}:\n{output}"
    else:
        assert done.returncode == 0, f"{snippet}:\n{output}"


def _compare(snippet: Snippet, done: subprocess.CompletedProcess[str], shown: list[str]) -> None:
    """The output in the page appears; if it shows no error, there is none."""
    output = done.stdout + done.stderr
    for line in shown:
        assert pattern(line).search(output), f"{snippet} shows {line!r}, but this appeared:\n{output}"
    assert done.returncode == 0 or any("Error" in line for line in shown), f"{snippet}:\n{output}"
