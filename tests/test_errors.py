"""The texts of errors: whole sentences, once each, and one line in IPython."""

from __future__ import annotations

import pytest

from liveinstall.errors import DownloadError, LiveInstallError


@pytest.mark.parametrize(
    ("what", "todo", "shown"),
    [
        ("it failed.", "Do it.", "it failed. Nothing was changed. Do it."),
        ("the page said: refused - skipping", "", "the page said: refused - skipping. Nothing was changed."),
        ("it failed..", "", "it failed. Nothing was changed."),
        ("it failed", "Did you mean this?", "it failed. Nothing was changed. Did you mean this?"),
        ("it read x ...", "", "it read x ... Nothing was changed."),
    ],
)
def test_each_part_of_a_message_is_a_sentence(what, todo, shown):
    assert str(LiveInstallError(what, todo=todo)) == shown


def test_in_ipython_an_error_is_its_message_and_its_notes():
    error = DownloadError("it failed", log="")
    error.add_note("after 3 tries")
    assert error._render_traceback_() == [
        "DownloadError: it failed. Nothing was changed. Check the address and the network, and try again.",
        "after 3 tries",
    ]


def test_a_cancel_of_nothing_says_so(env):
    told = env.run("try: li.cancel()\nexcept li.errors.NotPendingError as error: print(error)").stdout
    assert told == "no changes are pending. Nothing was changed.\n"
