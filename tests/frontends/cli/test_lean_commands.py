"""A command loads only what it needs: each module takes time at every call."""

import subprocess
import sys

import pytest

DATACLASSES = ("dataclasses",) if sys.version_info < (3, 14) else ()  # later versions of argparse load it


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (
            ["--version"],
            ("liveinstall._verbs", "liveinstall._environment", "liveinstall._sidebyside.store", "packaging"),
        ),
        (["list", "--help"], ("liveinstall._verbs", "liveinstall._environment", "packaging", *DATACLASSES)),
        (["list"], ("liveinstall._sidebyside.store", "liveinstall._verbs.undo", "packaging.requirements", "installer")),
        (["status"], ("liveinstall._sidebyside.store", "liveinstall._repair", "packaging.requirements", "installer")),
    ],
)
def test_a_command_loads_no_module_that_only_others_need(words, unneeded):
    command = [sys.executable, "-X", "importtime", "-m", "liveinstall", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert "liveinstall._frontends.cli.parser" in loaded
    assert [name for name in loaded if name.startswith(unneeded)] == []
