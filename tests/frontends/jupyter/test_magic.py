"""`%liveinstall`, `%%liveinstall` and `%pip`: their calls and completions. (In IPython itself: integration.)"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import liveinstall
from liveinstall._frontends.cli import commands
from liveinstall._frontends.jupyter import magic
from liveinstall.errors import RequirementError
from liveinstall.results import Result


class Shell:
    """The part of IPython that the extension uses."""

    def __init__(self):
        self.asked = []
        self.hooks = {}
        self.strdispatchers = {"complete_command": SimpleNamespace(strs={})}
        self.magics_manager = SimpleNamespace(magics={"line": {"pip": self.asked.append}, "cell": {}})

    def register_magic_function(self, function, kind, name):
        self.magics_manager.magics[kind][name] = function

    def find_line_magic(self, name):
        return self.magics_manager.magics["line"].get(name)

    def set_hook(self, name, function, str_key):
        self.hooks[str_key] = function
        self.strdispatchers[name].strs.setdefault(str_key, []).append(function)


@pytest.fixture
def shell(monkeypatch):
    made = Shell()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: made))
    liveinstall.load_ipython_extension(made)
    yield made
    liveinstall.unload_ipython_extension(made)
    assert set(made.magics_manager.magics["line"]) == {"pip"}


@pytest.fixture
def asked(monkeypatch):
    """The calls of the session's functions."""
    found = []

    def install(*requirements, **options):
        files = [Path(path).read_text(encoding="utf-8") for path in options.get("requirement_files", ())]
        found.append((requirements, {k: v for k, v in options.items() if v}, files))
        return Result()

    monkeypatch.setitem(commands.VERBS, "install", lambda o: install(*o.pop("requirements"), **o))
    monkeypatch.setattr(magic, "install", install)
    return found


def test_a_line_is_a_command_and_gives_its_value(shell, asked):
    value = shell.magics_manager.magics["line"]["liveinstall"]("install -U 'numpy>=2' --prefer loaded  # why")
    assert isinstance(value, Result)
    ((requirements, options, _),) = asked
    assert requirements == ("numpy>=2",)
    assert options["upgrade"] is True and options["prefer"] == "loaded"


@pytest.mark.parametrize("line", ["", "install --upgrade", "--upgrade"])
def test_a_cell_with_options_is_a_requirements_file(shell, asked, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    body = (
        "rich  # nice\nnumpy>=2\n-r more.txt\n-rmore.txt\n-r /more\n--constraint=/x.txt\n-r https://example.org/r.txt\n"
    )
    shell.magics_manager.magics["cell"]["liveinstall"](line, body)
    ((_, options, (text,)),) = asked
    assert text == body.replace("more.txt", str(tmp_path / "more.txt"))
    assert bool(options.get("upgrade")) is bool(line)
    (kept,) = options["requirement_files"]
    assert os.path.exists(kept)  # the history names it
    os.unlink(kept)


def test_a_secret_in_a_cell_does_not_stay_among_the_temporary_files(shell, asked):
    body = "--index-url https://u:XXX@h/simple\nrich\n"
    shell.magics_manager.magics["cell"]["liveinstall"]("", body)
    ((_, options, (text,)),) = asked
    assert text == body  # the engine got it
    (kept,) = options["requirement_files"]
    with open(kept) as stream:
        assert stream.read() == "--index-url https://****@h/simple\nrich\n"
    os.unlink(kept)


def test_a_file_of_a_request_that_failed_is_removed(shell, monkeypatch):
    files = []

    def fail(options):
        files.extend(options["requirement_files"])
        raise RequirementError("no", requirement="")

    monkeypatch.setitem(commands.VERBS, "install", fail)
    with pytest.raises(RequirementError):
        shell.magics_manager.magics["cell"]["liveinstall"]("", "-r /nested.txt")
    assert files and not os.path.exists(files[0])


def test_a_cell_of_requirements_alone_is_handed_on_as_they_are(shell, asked):
    body = """
        # what we need
        rich  # nice
        numpy>=2; python_version > "3"
        own @ https://example.org/own.zip#sha256=00
    """
    shell.magics_manager.magics["cell"]["liveinstall"]("-U", body)
    ((requirements, options, files),) = asked
    wanted = ("rich", 'numpy>=2; python_version > "3"', "own @ https://example.org/own.zip#sha256=00")
    assert requirements == wanted and options["upgrade"] and not files


@pytest.mark.parametrize("line", ["rich --hash=sha256:00", "rich \\", "${PACKAGE}", "--pre", "-e ."])
def test_what_is_more_than_a_requirement_goes_through_a_file(line):
    assert magic.plain_requirements(f"rich\n{line}\n") == []


def test_a_url_fragment_is_not_a_comment_and_an_open_quote_is_one_line(shell, asked):
    run = shell.magics_manager.magics["line"]["liveinstall"]
    run("install https://example.org/a.whl#sha256=00 'b # c'  # don't ask")
    assert asked[0][0] == ("https://example.org/a.whl#sha256=00", "b # c")
    for kind, arguments in {"line": ("install 'a",), "cell": ("install 'a", "rich")}.items():
        with pytest.raises(RequirementError, match="No closing quotation") as caught:
            shell.magics_manager.magics[kind]["liveinstall"](*arguments)
        assert "\n" not in caught.value._render_traceback_()[0]


def test_loaded_again_it_completes_once_and_unloaded_never(shell):
    registered = shell.strdispatchers["complete_command"].strs
    for _ in range(2):
        liveinstall.unload_ipython_extension(shell)
        assert not registered
        liveinstall.load_ipython_extension(shell)
    assert {key: len(found) for key, found in registered.items()} == {"%liveinstall": 1, "%%liveinstall": 1}


def test_help_is_shown_and_nonsense_is_an_error_without_a_traceback(shell, capsys):
    run = shell.magics_manager.magics["line"]["liveinstall"]
    assert run("") is None and "uninstall" in capsys.readouterr().out
    with pytest.raises(RequirementError) as caught:
        run("instal numpy")
    (line,) = caught.value._render_traceback_()
    assert line.startswith("RequirementError: ") and "\n" not in line


def test_restart_is_a_verb_here(shell, monkeypatch):
    done = []
    monkeypatch.setattr(
        "liveinstall._frontends.restart.restart.restart", lambda *, keep, limit: done.append((keep, limit))
    )
    for line in ("restart", "restart --keep", "restart --keep df model", "restart --keep df --limit 2 GB"):
        shell.magics_manager.magics["line"]["liveinstall"](line)
    assert done == [((), None), ("all", None), (["df", "model"], None), (["df"], "2 GB")]


def test_verbs_options_and_names_are_completed(shell, monkeypatch):
    monkeypatch.setattr(magic, "_names", lambda verb: [f"name-for-{verb}"])
    complete = shell.hooks["%liveinstall"]
    assert {"install", "restart", "status"} <= set(complete(None, SimpleNamespace(line="%liveinstall ")))
    assert {"install", "restart"} <= set(complete(None, SimpleNamespace(line="%liveinstall re")))
    found = complete(None, SimpleNamespace(line="%liveinstall install -U ri"))
    assert {"--upgrade", "--prefer", "name-for-install"} <= set(found)
    assert {"on", "off"} <= set(complete(None, SimpleNamespace(line="%liveinstall guard o")))
    assert complete(None, SimpleNamespace(line="%liveinstall nothing ")) == []


def test_names_are_those_of_this_environment():
    assert "packaging" in magic._names("uninstall")


def test_pip_is_left_alone_until_it_is_taken_over_and_given_back(shell, asked):
    lines = shell.magics_manager.magics["line"]
    own = lines["pip"]
    give_back = liveinstall.take_over_pip()
    liveinstall.take_over_pip()  # twice has the effect of once
    lines["pip"]("install -U rich")
    lines["pip"]("install --help")
    lines["pip"]("list")
    assert [requirements for requirements, *_ in asked] == [("pip install -U rich",)]
    assert shell.asked == ["install --help", "list"]
    give_back()
    assert lines["pip"] is own


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("-q install rich", "pip install -q rich"),
        ("--proxy http://p --log=l install 'numpy>=2'  # why", "pip install --proxy http://p --log=l 'numpy>=2'"),
        ("-qq --no-input install -U rich", "pip install -qq --no-input -U rich"),
    ],
)
def test_options_before_pips_verb_are_understood(shell, asked, line, wanted):
    liveinstall.take_over_pip()
    shell.magics_manager.magics["line"]["pip"](line)
    assert [requirements for requirements, *_ in asked] == [(wanted,)]


def test_an_unclear_command_of_pip_is_refused_and_another_goes_to_pip(shell, asked):
    liveinstall.take_over_pip()
    pip = shell.magics_manager.magics["line"]["pip"]
    with pytest.raises(RequirementError, match="is unclear"):
        pip("--unheard-of install rich")
    others = ["-q list", "--log install list", "--unheard-of list", "-q install --help", "download install"]
    for line in others:
        pip(line)
    assert shell.asked == others and not asked


def test_another_pip_magic_is_not_removed(shell):
    liveinstall.take_over_pip()
    theirs = shell.magics_manager.magics["line"]["pip"] = lambda line: None
    liveinstall.give_back_pip()
    assert shell.magics_manager.magics["line"]["pip"] is theirs
