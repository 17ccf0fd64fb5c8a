"""Secrets are passed to engines by variables and files that only this user can read; arguments are visible to all."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from liveinstall._engines.credentials import without_git_credentials, without_uv_credentials

INDEX = "https://u:p%40w@h/simple"


def test_sources_of_uv_with_a_secret_are_passed_by_variables(tmp_path):
    asked = [f"--default-index={INDEX}", "--index=https://open/simple", f"--index={INDEX}", "--pre", "--", "alpha"]
    words, more = without_uv_credentials(asked, {}, str(tmp_path))
    assert words == ["--pre", "--", "alpha"]
    assert more == {"UV_DEFAULT_INDEX": INDEX, "UV_INDEX": f"https://open/simple {INDEX}"}


@pytest.mark.parametrize(
    ("words", "variable"),
    [
        (["--index-url", INDEX], "UV_INDEX_URL"),
        (["-i", INDEX], "UV_INDEX_URL"),
        ([f"-i{INDEX}"], "UV_INDEX_URL"),
        (["--extra-index-url", INDEX], "UV_EXTRA_INDEX_URL"),
        (["--default-index", INDEX], "UV_DEFAULT_INDEX"),
        (["-f", INDEX], "UV_FIND_LINKS"),
    ],
)
def test_an_option_of_uv_with_a_secret_is_found_in_each_spelling(tmp_path, words, variable):
    assert without_uv_credentials([*words, "--pre", "--", "alpha"], {}, str(tmp_path)) == (
        ["--pre", "--", "alpha"],
        {variable: INDEX},
    )


def test_after_the_options_every_word_is_a_requirement(tmp_path):
    assert without_uv_credentials(["-i", "https://h/", "--", "-i", "x"], {}, str(tmp_path))[0][1:] == ["--", "-i", "x"]


def test_what_separates_links_is_escaped_in_them(tmp_path):
    links = ["--find-links=https://u:a,b@h/x", "--find-links=./here"]
    words, more = without_uv_credentials([*links, "--", "alpha"], {}, str(tmp_path))
    assert (words, more) == (["--", "alpha"], {"UV_FIND_LINKS": "https://u:a%2Cb@h/x,./here"})


def test_what_is_required_with_a_secret_goes_into_a_file_for_this_user_only(tmp_path):
    direct = "alpha @ https://u:p@h/alpha-1-py3-none-any.whl"
    words, more = without_uv_credentials(["--", "beta", direct], {}, str(tmp_path))
    (file,) = tmp_path.iterdir()
    assert words == [f"--requirements={file}", "--", "beta"] and not more
    assert file.read_text(encoding="utf-8") == f"{direct}\n"
    assert os.name == "nt" or file.stat().st_mode & 0o077 == 0


def test_what_has_no_secret_stays_as_it_is(tmp_path):
    asked = ["--default-index=https://h/simple", "--index=https://h/more", "--", "alpha", "x @ git+https://h/r@v1"]
    assert without_uv_credentials(asked, {"UV_INDEX": "https://u:p@h"}, str(tmp_path)) == (asked, {})
    assert list(tmp_path.iterdir()) == []


def test_a_repository_is_asked_for_without_its_credentials():
    texts = ["x @ git+https://u:p%40w@h:8/r@v1", "git+https://token@other/r#egg=y", "z"]
    bare, more = without_git_credentials(texts, {"GIT_CONFIG_COUNT": "2"})
    assert bare == ["x @ git+https://h:8/r@v1", "git+https://other/r#egg=y", "z"]
    assert more["GIT_CONFIG_COUNT"] == "4"
    assert more["GIT_CONFIG_KEY_2"] == "credential.https://h:8.helper"
    assert (more["LIVEINSTALL_GIT_USER_0"], more["LIVEINSTALL_GIT_PASSWORD_0"]) == ("u", "p@w")
    assert (more["LIVEINSTALL_GIT_USER_1"], more["LIVEINSTALL_GIT_PASSWORD_1"]) == ("token", "")
    assert not any(secret in more["GIT_CONFIG_VALUE_2"] for secret in ("p@w", "u:"))


def test_of_two_users_of_one_host_the_second_is_asked_for_as_it_was():
    texts = ["x @ git+https://u:p@h/r", "y @ git+https://u:p@h/s", "z @ git+https://v:q@h/t"]
    assert without_git_credentials(texts, {})[0] == ["x @ git+https://h/r", "y @ git+https://h/s", texts[2]]


@pytest.mark.parametrize("count", ["", "many", "-1"])
def test_a_count_of_settings_that_is_none_is_replaced(count):
    assert without_git_credentials(["git+https://u:p@h/r"], {"GIT_CONFIG_COUNT": count})[1]["GIT_CONFIG_COUNT"] == "1"


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
@pytest.mark.parametrize("password", ["plain", "a%40b", "%22quoted%22%20%24HOME%20%5C%25s", ""])
def test_git_gets_them_as_they_are(password, tmp_path):
    from urllib.parse import unquote

    _, more = without_git_credentials([f"git+https://u:{password}@h:8/r"])
    variables = {**os.environ, **more, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull}
    asked = subprocess.run(
        ["git", "credential", "fill"],
        input="protocol=https\nhost=h:8\n\n",
        env=variables,
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert f"username=u\npassword={unquote(password)}\n" in asked
