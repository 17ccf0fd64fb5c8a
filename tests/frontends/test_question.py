"""Questions: how an answer is read, and what counts as none."""

from __future__ import annotations

import io

import pytest

from liveinstall._frontends import question


@pytest.mark.parametrize("error", [EOFError, KeyboardInterrupt, RuntimeError, OSError])
def test_no_answer_is_empty(monkeypatch, error):
    def fail(_question):
        raise error

    monkeypatch.setattr("builtins.input", fail)
    assert question.read_answer("Restart? ") == ""


def test_a_prompt_that_cannot_display_the_question_does_not_end_the_request(monkeypatch, capsys):
    def fail(_question):
        raise IndexError

    monkeypatch.setattr("builtins.input", fail)
    monkeypatch.setattr("sys.stdin", io.StringIO("Y\nmore\n"))
    assert question.read_answer("Restart? ") == "y"
    assert capsys.readouterr().err == "Restart? "
