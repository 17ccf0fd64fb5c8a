from __future__ import annotations

import argparse
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.capabilities import has_terminals

import liveinstall
from liveinstall._frontends.cli.exit_codes import MEANINGS
from liveinstall._frontends.cli.main import main
from liveinstall._frontends.cli.parser import ALIASES, UsageError, build_parser, parse, verbs_of
from liveinstall._frontends.cli.verbs import VERBS
from liveinstall._requirements.pip_options import parse_pip_command

DOCS = Path(__file__).parents[3] / "docs"
# Those for event loops are for Python only.
IN_PYTHON_ONLY = {"aensure", "ainstall", "aplan", "aundo", "auninstall"}  # a command has no event loop,
IN_PYTHON_ONLY |= {"give_back_pip", "recover", "repl", "restart", "take_over_pip"}  # and is not a prompt or a kernel
IN_PYTHON_ONLY |= {"trial"}  # its command is `try`
IN_PYTHON_ONLY |= {"require"}  # it is about a process; its command is `run --with`
NOT_TYPED = {"on_event", "restart"}
IN_ANOTHER = {"history": {"names"}}  # parameters that an argument of another name takes: `history NAME|ID`
API = sorted(name for name in [*liveinstall.__all__, "list"] if inspect.isfunction(getattr(liveinstall, name)))


def options_of(verb: str) -> set[str]:
    return {action.dest for action in verbs_of(build_parser())[verb]._actions}


@pytest.mark.parametrize("name", [name for name in API if name not in IN_PYTHON_ONLY])
def test_every_verb_of_the_api_is_a_command_with_all_its_options(name):
    parameters = set(inspect.signature(getattr(liveinstall, name)).parameters) - NOT_TYPED - {"options"}
    assert parameters - IN_ANOTHER.get(name, set()) <= options_of(name), name


@pytest.mark.parametrize("words", ["freeze --nonsense", "pending extra", "--json freeze --nonsense"])
def test_an_unknown_argument_is_refused_with_the_usage_of_its_command(words):
    verb = words.removeprefix("--json ").split()[0]
    with pytest.raises(UsageError, match=f"^unrecognized arguments: {words.split()[-1]}$") as caught:
        parse(words.split())
    assert caught.value.usage.startswith(f"usage: python -m liveinstall {verb} ")


def test_a_plan_and_ensure_take_what_install_takes():
    wanted = set(inspect.signature(liveinstall.install).parameters) - NOT_TYPED - {"dry_run", "parallel"}
    assert wanted <= options_of("plan") and wanted <= options_of("ensure")


def test_grammar_and_actions_name_the_same_verbs():
    assert set(verbs_of(build_parser())) == {*VERBS, *ALIASES, "help"}


@pytest.mark.parametrize(
    ("alias", "words"),
    [
        ("add -U rich", "install -U rich"),
        ("upgrade rich --pre", "install --upgrade rich --pre"),
        ("remove rich", "uninstall rich"),
        ("--json remove -y -r names.txt", "uninstall -y -r names.txt --json"),
    ],
)
def test_the_names_that_other_package_managers_use_are_aliases(alias, words):
    assert parse(alias.split()) == parse(words.split())


def shown(capsys, *words):
    assert main(words) == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


def test_without_a_command_the_help_is_shown_as_by_pip_but_a_program_gets_an_error(capsys):
    text = shown(capsys, "--help")
    assert shown(capsys) == shown(capsys, "help") == shown(capsys, "-v") == text
    assert main(["--json"]) == 2
    assert '"UsageError"' in capsys.readouterr().out


def test_the_help_has_each_command_once_in_a_group(capsys):
    text = shown(capsys, "--help").partition("\noptions:")[0]
    listed = re.findall(r"^  ([a-z]+) +\S", text, re.MULTILINE)
    assert sorted(listed) == sorted({*VERBS, "help"})
    titles = re.findall(r"^([a-z ]+):$", text, re.MULTILINE)
    assert titles[0] == "change packages" and len(titles) == 9


def test_the_help_of_a_command_can_be_requested_before_and_after_its_name(capsys):
    for about in ("undo", "home create", "prune"):
        assert shown(capsys, "help", *about.split()) == shown(capsys, *about.split(), "--help")
    assert shown(capsys, "help", "add") == shown(capsys, "install", "-h")
    assert "install --upgrade" in shown(capsys, "help") and shown(capsys, "-V") == shown(capsys, "--version")
    assert main(["help", "instal"]) == 2
    assert "did you mean install?" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["home", "registry"])
def test_the_options_of_one_action_are_not_in_the_help_of_the_others(verb, capsys):
    text = shown(capsys, verb, "--help")
    assert "--index-url" not in text and "package sources" not in text and f"{verb} create --help" in text
    assert "--index-url" in shown(capsys, verb, "create", "--help")
    assert "--index-url" not in shown(capsys, "help", verb)


@pytest.mark.parametrize("verb", sorted({*VERBS} - {"install", "plan", "ensure", "list"}))
def test_no_other_command_has_the_options_of_a_request_in_its_help(verb, capsys):
    assert "--index-url" not in shown(capsys, verb, "--help")


@has_terminals
def test_a_real_terminal_gets_colours(monkeypatch):
    import pty

    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    code = "from liveinstall._frontends.cli.main import main; main(['nothing'])"
    subprocess.run([sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, check=True)
    shown = os.read(ours, 10000).decode()
    os.close(ours), os.close(theirs)
    assert "\033[31mUsageError\033[0m: unknown command 'nothing'." in shown


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_each_verb_has_help_and_examples_that_parse(verb, capsys):
    assert main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert "--json" in text
    examples = re.findall(
        rf"^  .*?liveinstall ({verb}.*?)(?: > .*|\)\")?$", text.partition("examples:\n")[2], re.MULTILINE
    )
    assert examples
    for line in examples:
        assert parse(line.replace("'", "").split())["verb"] == verb


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_the_help_says_what_each_argument_is(verb, capsys):
    with pytest.raises(SystemExit):
        parse([verb, "--help"])
    _, _, rest = capsys.readouterr().out.partition("positional arguments:\n")
    lines = rest.partition("\n\n")[0].splitlines()
    for line, below in zip(lines, [*lines, ""][1:], strict=True):
        assert line.startswith(("   ", "  {")) or len(line.split()) > 1 or below.startswith("   "), line


def test_the_help_says_which_environment_and_every_status(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert sys.prefix in text and "even if another is active" in text
    for status, meaning in MEANINGS.items():
        assert f" {status.value} {meaning.replace('`', '')}" in " ".join(text.split())
    assert all(len(line) <= 80 for line in text.replace(sys.prefix, "").splitlines())


def test_the_docs_have_the_table_of_statuses_and_every_verb():
    text = (DOCS / "command-line.md").read_text(encoding="utf-8")
    for status, meaning in MEANINGS.items():
        assert f"| {status.value} | {meaning} |\n" in text
    for verb in VERBS:
        assert f"| `{verb}" in text, verb


def test_common_options_may_stand_before_or_after_the_verb():
    for words in (["--json", "-v", "status"], ["status", "--json", "--debug"], ["--verbose", "status", "--json"]):
        assert parse(words) == {"verb": "status", "json": True, "debug": True, "names": []}
    told = parse(["--json", "install", "alpha", "--pre", "beta"])
    assert (told["json"], told["requirements"], told["pre"]) == (True, ["alpha", "beta"], True)


def test_the_grammar_can_be_built_under_another_name():
    assert build_parser("%liveinstall").prog == "%liveinstall"
    assert isinstance(build_parser(), argparse.ArgumentParser)


def test_nothing_escapes_but_a_status(capsys):
    assert (main(["--version"]), main(["instal"]), main(["install", "--nonsense"])) == (0, 2, 2)
    told = capsys.readouterr()
    assert told.out == f"liveinstall {liveinstall.__version__}\n"
    assert "did you mean install?" in told.err and "Traceback" not in told.err


DOCKERFILE = (
    "--no-input --disable-pip-version-check --root-user-action=ignore --root-user-action ignore --progress-bar off "
    "--no-color --no-compile --compile -y --no-python-version-warning"
)


@pytest.mark.parametrize("verb", ["install", "plan", "ensure"])
def test_what_every_dockerfile_has_is_accepted_and_changes_nothing(verb):
    assert parse([verb, *DOCKERFILE.split(), "rich"]) == parse([verb, "rich"])
    assert parse_pip_command([*DOCKERFILE.split(), "rich"]) == {"requirements": ["rich"]}


def test_options_of_pip_are_passed_to_it():
    words = [
        "--isolated",
        "--no-cache-dir",
        "--retries",
        "3",
        "--trusted-host=h",
        "--cert",
        "c.pem",
        "--proxy",
        "p",
        "--cache-dir",
        "d",
    ]
    passed = ["--isolated", "--no-cache-dir", "--retries=3", "--trusted-host=h", "--cert=c.pem", "--proxy=p"]
    assert parse(["install", *words, "rich"])["pip_arguments"] == [*passed, "--cache-dir=d"]


@pytest.mark.parametrize(
    "words",
    [
        *("-t x", "--target=x", "--prefix /x", "--root /x", "--platform any", "--python-version 3.9", "--abi x"),
        *("--implementation cp", "--python x"),
    ],
)
def test_what_is_not_possible_is_refused_with_what_to_use_instead(words):
    option = words.partition("=")[0].split()[0]
    with pytest.raises(UsageError, match=f"^{option} is not supported: .{{20}}"):
        parse(["install", *words.split(), "rich"])
    with pytest.raises(ValueError, match=f"^{option} is not supported: "):
        parse_pip_command([*words.split(), "rich"])


def test_a_virtual_environment_can_be_required(monkeypatch):
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    for words in (["install", "--require-virtualenv", "x"], ["uninstall", "--require-virtualenv", "x"]):
        with pytest.raises(UsageError, match="is not a virtual environment"):
            parse(words)
    monkeypatch.setattr(sys, "prefix", "/venv")
    assert parse(["install", "--require-virtualenv", "x"]) == parse(["install", "x"])


def test_a_removal_takes_files_and_what_pip_takes():
    words = [
        "uninstall",
        "-y",
        "-r",
        "a.txt",
        "--requirement=b.txt",
        "--break-system-packages",
        "--root-user-action=ignore",
    ]
    found = parse(words)
    assert (found["names"], found["requirement_files"]) == ([], ["a.txt", "b.txt"]) and "_idle" not in found
    assert parse(["uninstall", "x", "-r", "a.txt"])["names"] == ["x"]
    with pytest.raises(UsageError, match="NAME"):
        parse(["uninstall", "-y"])
