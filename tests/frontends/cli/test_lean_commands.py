"""A command loads only what it needs: each module takes time at every call."""

import subprocess
import sys

import pytest

from liveinstall._frontends.cli.examples import EXAMPLES
from liveinstall._frontends.cli.main import main
from liveinstall._frontends.cli.parser import build_parser, parse, verbs_of
from liveinstall._frontends.cli.plain_words import plain_options
from liveinstall._system.package import __version__

IS_LEAN = sys.version_info < (3, 14)  # later versions of the standard library load more
DATACLASSES = ("dataclasses",) if IS_LEAN else ()
SLOW = ("typing", "shutil", "tempfile", "shlex", "urllib") if IS_LEAN else ()
PARSER = ("argparse", "gettext", "locale", "liveinstall._frontends.cli.parser", "liveinstall._requirements")
DETECTION = ("liveinstall._frontends.detect", "liveinstall._planning")


def loaded_by(*arguments):
    """The modules that a Python loads, in the order of their imports."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (["--version"], ("liveinstall._verbs", "liveinstall._environment", "liveinstall._sidebyside", *PARSER)),
        (["list", "--help"], ("liveinstall._verbs", "liveinstall._environment", *DATACLASSES)),
        (
            ["list"],
            (
                *("liveinstall._transactions.transaction", "liveinstall._verbs.undo", "liveinstall._repair"),
                *("liveinstall._environment.holders", "liveinstall._environment.checkouts", *PARSER, *DETECTION),
            ),
        ),
        (["status"], ("liveinstall._changes", "liveinstall._repair", *PARSER, *DETECTION)),
    ],
)
def test_a_command_loads_no_module_that_only_others_need(words, unneeded):
    loaded = loaded_by("-m", "liveinstall", *words)
    assert "liveinstall._frontends.cli.main" in loaded
    every = {"packaging", "installer", *unneeded, *(SLOW if words[-1:] != ["--help"] else ())}
    if IS_LEAN and "argparse" in unneeded and "json" not in loaded:  # it finds the project of an editable install
        every.add("re")
    found = set(loaded) - set(loaded_by("-c", "pass"))  # a start-up file may load any module
    assert [name for name in found if name in every or name.startswith(tuple(f"{each}." for each in every))] == []


@pytest.mark.parametrize("words", [["list"], ["status"], ["pending"], ["check"], ["history"], ["freeze"]])
def test_a_command_of_one_word_has_the_options_that_the_parser_finds(words):
    found = plain_options(words)
    assert {name: list(value) if value == () else value for name, value in found.items()} == parse(words)


@pytest.mark.parametrize("words", [[], ["install"], ["list", "alpha"], ["nothing"], ["--help"]])
def test_other_command_lines_are_parsed(words):
    assert plain_options(words) is None


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_is_shown_without_the_parser_as_by_it(option, capsys):
    assert main([option]) == 0
    shown = capsys.readouterr().out
    with pytest.raises(SystemExit):
        parse([option])
    assert capsys.readouterr().out == shown == f"liveinstall {__version__}\n"


@pytest.mark.parametrize("verb", EXAMPLES)
def test_a_command_is_parsed_without_the_others_as_with_them(verb):
    alone, among = (verbs_of(build_parser("liveinstall", only=only)) for only in (verb, ""))
    assert set(alone) == {verb}
    assert alone[verb].format_usage() == among[verb].format_usage()
    if verb != "help":  # which lists all commands
        assert alone[verb].format_help() == among[verb].format_help()
