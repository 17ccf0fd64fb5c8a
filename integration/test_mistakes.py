"""The messages for mistakes: in a script, on the command line, in a kernel, and at the prompts of Python, IPython."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.lib.environments import Environment, user_variables
from integration.lib.kernels import Kernel, kernel
from integration.lib.mistakes import MISTAKES, Mistake, write_files

_NAMES = [mistake.about for mistake in MISTAKES]
_CLOSED = "http://127.0.0.1:9"  # nothing listens there
_QUIET = {"PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0", "PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": ""}
# Not allowed in messages: two full stops, a space before one, none before the next sentence, markup, reprs of objects.
_BAD = re.compile(
    r"(?<!\.)\.\.(?!\.)| \.(?= |$)|[?!]\.|[a-z)\'\"] Nothing was|\[/?(?:bold|red|link)|<class |  | object at 0x"
    r"|\[Errno"
)
_CALL = re.compile(r"liveinstall\.\w+\(|\b[a-z_]+=(?:True|\"|\.$)")
_UNCHANGED = re.compile(r"Nothing was (?:changed|activated)\. \S")  # what helps follows
_ENGINES = re.compile(r"errors\.((?:Resolution|Download|Build|WheelRefused|EngineTimeout)Error): ")
_CHAIN = re.compile("direct cause of the following|During handling of the above")

_PROGRAM = """
import contextlib, io, json, sys, traceback
import liveinstall as li
import alpha
from liveinstall._frontends.cli.main import main
sys.argv[0] = "liveinstall"
for call, words in json.load(sys.stdin):
    told, out = "", io.StringIO()
    try:
        told = str(eval(call))
    except BaseException as error:
        told = "".join(traceback.format_exception(error))
    with contextlib.redirect_stderr(out), contextlib.redirect_stdout(io.StringIO()):
        status = main(words) if words else None
    print(json.dumps([told, status, out.getvalue()]))
"""


def _filled(text: str, wheels: Path, files: Path) -> str:
    for name, value in (("{wheels}", wheels), ("{files}", files), ("{closed}", _CLOSED)):
        text = text.replace(name, str(value))
    return text


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write_files(folder)
    return folder


@pytest.fixture(scope="module")
def shown(notebooks: Environment, wheels: Path, files: Path) -> dict[str, tuple[str, int | None, str]]:
    """The output of each mistake in a script, and as a command: the traceback, the exit status, stderr."""
    import shlex

    asked = [
        (_filled(each.call, wheels, files), shlex.split(_filled(each.command, wheels, files))) for each in MISTAKES
    ]
    environment = user_variables(**_QUIET)
    done = notebooks.run("-c", _PROGRAM, input=json.dumps(asked), env=environment, cwd=files)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    return {name: tuple(json.loads(line)) for name, line in zip(_NAMES, lines, strict=True)}


@pytest.mark.parametrize("mistake", MISTAKES, ids=_NAMES)
def test_mistake_in_a_script(mistake: Mistake, shown: dict[str, tuple[str, int | None, str]]) -> None:
    told, _, _ = shown[mistake.about]
    assert not _CHAIN.search(told), told
    message = told.strip().splitlines()[-1]
    assert mistake.says.replace("{closed}", _CLOSED).rpartition("/")[2] in message, message
    assert not _BAD.search(message), message
    assert not message.startswith("liveinstall.errors.") or _UNCHANGED.search(message), message


@pytest.mark.parametrize("mistake", [each for each in MISTAKES if each.command], ids=lambda each: each.about)
def test_mistake_on_the_command_line(mistake: Mistake, shown: dict[str, tuple[str, int | None, str]]) -> None:
    _, status, told = shown[mistake.about]
    progress = ("usage: ", "Resolving", "Failed", "No answer", "Planned", "Unpacking", "Installing", "Done", "       ")
    lines = [line for line in told.splitlines() if not line.startswith(progress)]
    assert len(lines) <= 1 and (status in (1, 2) or mistake.about.startswith("removal")), told
    assert not any(_BAD.search(line) or _CALL.search(line) for line in lines), told


@pytest.fixture(scope="module")
def cells(notebooks: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with kernel(notebooks, tmp_path_factory.mktemp("kernel")) as manager:
        found = Kernel(manager.blocking_client())
        found.run(f"import os; os.environ.update({_QUIET!r}); import liveinstall as li, alpha")
        yield found


@pytest.fixture(scope="module")
def quick(shown: dict[str, tuple[str, int | None, str]], wheels: Path, files: Path) -> dict[str, str]:
    """The calls of all mistakes that need no engine, and of one of each kind that does."""
    kinds: set[str] = set()
    found = {}
    for mistake in MISTAKES:
        kind = _ENGINES.search(shown[mistake.about][0])
        if "Error: " in shown[mistake.about][0] and not (kind and kind[1] in kinds):
            found[mistake.about] = _filled(mistake.call, wheels, files)
            kinds.update(kind.groups() if kind else ())
    return found


def test_mistakes_in_a_notebook(quick: dict[str, str], cells: Kernel, files: Path) -> None:
    cells.run(f"os.chdir({str(files)!r})")
    for call in quick.values():
        if not call.startswith("li.restart("):  # which the kernel of a notebook can do
            errors = [m["content"] for m in cells.cell(call) if m["msg_type"] == "error"]
            if errors[0]["ename"] != "TypeError":
                (line,) = errors[0]["traceback"]
                assert not _BAD.search(line), line


@pytest.mark.parametrize(
    "prompt", [["python", "-iq"], ["ipython", "--simple-prompt", "--no-banner", "--colors=NoColor"]]
)
def test_mistakes_at_a_prompt(quick: dict[str, str], notebooks: Environment, files: Path, prompt: list[str]) -> None:
    lines = ["import sys; import liveinstall as li, alpha"]
    for about, call in quick.items():
        lines += [f"print('## ' + {about!r}, file=sys.stderr, flush=True)", call]
    done = subprocess.run(
        [notebooks.scripts / prompt[0], *prompt[1:]],
        input="\n".join([*lines, ""]),
        env=user_variables(**_QUIET, IPYTHONDIR=str(files / "ipython"), PYTHONUNBUFFERED="1"),
        cwd=files,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    parts = [part.partition("\n")[::2] for part in re.split("^.*## ", done.stdout, flags=re.MULTILINE)[1:]]
    assert [about for about, _ in parts] == [*quick], done.stdout
    for about, told in parts:
        lines = [line.rpartition("]: ")[2] if line.startswith("In [") else line for line in told.splitlines()]
        errors = [line for line in lines if re.match(r"(?:\w+\.)*\w+Error: ", line)]
        assert len(errors) == 1 and not _BAD.search(errors[0]) and "/liveinstall/" not in told, (about, told)
