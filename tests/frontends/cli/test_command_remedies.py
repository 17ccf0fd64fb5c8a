"""Remedies: calls in Python are shown as commands, where there is a command that does the same."""

from __future__ import annotations

import pytest

from liveinstall._frontends.cli.parser import build_parser, verbs_of
from liveinstall._frontends.cli.remedies import as_commands


@pytest.fixture(scope="module")
def verbs():
    return verbs_of(build_parser("li"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("liveinstall.history() lists all.", "`li history` lists all."),
        ('For example: install("requests").', "For example: `li install requests`."),
        ('install("packaging>=26.1"), and restart.', "`li install 'packaging>=26.1'`, and restart."),
        ('liveinstall.install("a b", upgrade=True)', "`li install --upgrade 'a b'`"),
        ("Undo it: undo(to=...).", "Undo it: `li undo --to ...`."),
        ("Call require() before, or gone(1).", "Call require() before, or gone(1)."),
        ("install(deps=False, own=1)", "install(deps=False, own=1)"),
        ('install("a", colour=1), cancel("a")', 'install("a", colour=1), `li cancel a`'),
        ("install(name)", "install(name)"),
    ],
)
def test_a_call_becomes_the_command_that_does_the_same(verbs, text, shown):
    assert as_commands(text, "li", verbs) == shown
