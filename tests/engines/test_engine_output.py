"""The other output of engines: retries, and warnings."""

import json

import pytest

from liveinstall._engines.pip import output as pip
from liveinstall._engines.uv import output as uv
from liveinstall.events import Retrying

_NO = "Could not find a version that satisfies the requirement "
_RETRY = (
    "WARNING: Retrying (Retry(total={}, connect=None, read=None, redirect=None, status=None)) after connection "
    "broken by 'NewConnectionError(\"HTTPConnection(host='127.0.0.1', port=80): Failed to establish a new connection: "
    "[Errno 111] Connection refused\")': /simple/alpha/\n"
)
_UV_RETRY = """\
DEBUG Transient request failure for `http://u:PASS@127.0.0.1/simple/alpha/`, retrying: error sending request for url (x)
  Caused by: client error (Connect)
  Caused by: tcp connect error
  Caused by: Connection refused (os error 111)
"""


def test_pips_retries_are_reported_while_they_happen():
    heard = []
    listener = pip.Listener(heard.append)
    for left in (4, 3):
        listener.hear(_RETRY.format(left))
    assert heard == [Retrying("127.0.0.1", "Connection refused", 4), Retrying("127.0.0.1", "Connection refused", 3)]


def test_uvs_retries_are_reported_once_each_with_their_last_cause():
    heard = []
    listener = uv.Retries(heard.append)
    for line in (_UV_RETRY * 2 + "error: it failed\n").splitlines(keepends=True):
        listener.hear(line)
    assert [(event.reason, event.remaining) for event in heard] == [("Connection refused", None)] * 2
    assert "PASS" not in heard[0].url and heard[0].url.endswith("/simple/alpha/")
    assert uv.without_retries(_UV_RETRY + "error: it failed\n") == "error: it failed\n"


def test_warnings_are_one_line_each_and_yanked_versions_have_their_reason(tmp_path):
    yanked = "The candidate selected for download or install is a yanked version: "
    yanked += "'Be.ta' candidate (version 1.0 at u)\n"
    found = ["alpha 1.0 does not provide\n the extra 'foo'.", f"{yanked}Reason for being yanked: it is broken"] * 2
    (tmp_path / "answer").write_text(json.dumps({"warnings": found}))
    assert pip.warnings(str(tmp_path / "answer")) == ("alpha 1.0 does not provide the extra 'foo'",)
    assert pip.yanked_reasons(found) == {("be-ta", "1.0"): "it is broken"}
    log = "warning: The package `a==1` does not have an extra named `foo`\nwarning: `b==2` is yanked\n"
    assert uv.warnings(log) == ("The package `a==1` does not have an extra named `foo`",)


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (
            [f"{_NO}a (from versions: none)", "No matching distribution found for a"],
            ["No matching distribution found for a"],
        ),
        (
            [f"{_NO}a==9 (from versions: 1)", "No matching distribution found for a==9"],
            [f"{_NO}a==9 (from versions: 1)"],
        ),
        (["they conflict.", "ResolutionImpossible: for help visit it"], ["they conflict"]),
        (
            ["Invalid requirement: 'b=1': no end\n    b=1\n     ^ (from line 2 of f)\nHint: Did you mean == ?"],
            ["Invalid requirement: 'b=1': no end (from line 2 of f). Hint: Did you mean ==?"],
        ),
    ],
)  # fmt: skip
def test_pips_messages_say_everything_once(lines, kept):
    assert pip.essential(lines) == kept
    assert pip.unreachable(
        "Could not fetch URL http://h/a/: connection error: [Errno 111] Connection refused - skipping"
    ) == ("http://h/a/: Connection refused")


def test_the_reason_of_a_status_is_the_status():
    url = "http://127.0.0.1:1/simple/x/"
    text = f"Could not fetch URL {url}: 401 Client Error: Unauthorized for url: {url} - skipping"
    assert pip.unreachable(text) == f"{url}: 401 Client Error: Unauthorized"
