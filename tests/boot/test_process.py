"""The command line that a hold shows to every user has no secret in it."""

from __future__ import annotations

import sys

import pytest

from _liveinstall_boot.process import command, without_secrets


@pytest.mark.parametrize(
    "word",
    [
        *(
            "https://u:XXX@h/s",
            "https://u:a@XXX@h/s",
            "git+https://XXX@h/r@v1",
            "C:/a;https://u:XXX@h/s",
            "http:/u:XXX@h/x",
            "https://u:a/XXX@h/s",
        ),
        *("-ihttps://u:XXX@h/", "--index-url=https://u:XXX@h", "--extra=https://h/a,https://u:XXX@h/b", "u:a@XXX@h:80"),
        *("--proxy=u:XXX@h:80", "HTTPS_PROXY=u:XXX@h", "--token XXX", "--api-key=XXX", "API_TOKEN=XXX", "ghp_XXX"),
        *("https://h/x?token=XXX&a=1", "x=https://h/x?a=1&api_key=XXX", "f('https://u:XXX@h','https://v:XXX@h')"),
    ],
)
def test_a_secret_is_hidden(word):
    shown = without_secrets(f"python -m x {word} rest")
    assert "XXX" not in shown and "****" in shown and shown.startswith("python -m x") and shown.endswith("rest")


@pytest.mark.parametrize(
    "line",
    [
        *("python -m pip install tokenizers==1.0 keyring", "python x.py --keyring subprocess", "python /a/b@c/x.py"),
        *("python -m x https://h:8080/s/x@1", "python -m x git+https://h/o/r@v1", "python -c import x; x.run(a=1)"),
        *(
            "python C:/me@work/b.py",
            "python C:\\me@work\\b.py",
            "python -m x --to=C:/me@work/b",
            "",
            "python  two  spaces",
            "python m.py k==1",
        ),
    ],
)
def test_what_is_none_stays(line):
    assert without_secrets(line) == line


def test_it_is_hidden_before_the_line_is_cut(monkeypatch):
    """A password that is cut off before its @ would not be recognised."""
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "y" * 95, "https://u:" + "XXX" * 20 + "@h/s", "a\nb"])
    assert "X" not in command() and len(command()) <= 120 and "\n" not in command()


def test_no_hold_has_the_secret_that_was_typed(env):
    """Neither one of `hold()` nor one of the guard."""
    code = "import os; from pathlib import Path; path = Path(os.environ['LIVEINSTALL_HOLD']); print(path.read_text())"
    asked = env.run(f"li.hold(); {code}", "-X", "at=https://u:XXX@h/s")
    env.run("li.guard('on')")
    guarded = env.run(code, "-X", "token=XXX")
    for done in (asked, guarded):
        assert done.stdout.startswith("liveinstall-hold 1"), done.stderr
        assert "XXX" not in done.stdout and "****" in done.stdout
