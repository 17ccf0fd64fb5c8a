"""A command loads only what it needs: each module takes time at every call."""

import subprocess
import sys

import pytest

from liveinstall._frontends.cli.examples import EXAMPLES
from liveinstall._frontends.cli.parser import build_parser, verbs_of

IS_LEAN = sys.version_info < (3, 14)  # later versions of argparse load more
DATACLASSES = ("dataclasses",) if IS_LEAN else ()
SLOW = ("typing", "shutil", "tempfile", "shlex", "urllib") if IS_LEAN else ()


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (
            ["--version"],
            ("liveinstall._verbs", "liveinstall._environment", "liveinstall._sidebyside.store", "packaging", *SLOW),
        ),
        (["list", "--help"], ("liveinstall._verbs", "liveinstall._environment", "packaging", *DATACLASSES)),
        (
            ["list"],
            ("liveinstall._transactions.transaction", "liveinstall._verbs.undo", "packaging", "installer", *SLOW),
        ),
        (["status"], ("liveinstall._changes", "liveinstall._repair", "packaging", "installer", *SLOW)),
    ],
)
def test_a_command_loads_no_module_that_only_others_need(words, unneeded):
    command = [sys.executable, "-X", "importtime", "-m", "liveinstall", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert "liveinstall._frontends.cli.parser" in loaded
    assert [name for name in loaded if name.startswith(unneeded)] == []


@pytest.mark.parametrize("verb", EXAMPLES)
def test_a_command_is_parsed_without_the_others_as_with_them(verb):
    alone, among = (verbs_of(build_parser("liveinstall", only=only)) for only in (verb, ""))
    assert set(alone) == {verb}
    assert alone[verb].format_usage() == among[verb].format_usage()
    if verb != "help":  # which lists all commands
        assert alone[verb].format_help() == among[verb].format_help()
