"""Secrets are hidden, and text that only looks like one is not."""

from __future__ import annotations

import pickle
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveinstall import _redact as room
from liveinstall._redact import is_secret, learn, redact, without_secret_queries
from liveinstall.errors import EngineError


@pytest.mark.parametrize(
    "text",
    [
        *(
            "https://h/x?api_key=XXX",
            "https://h/x?a=1&private_token=XXX&b=2",
            "https://h/x?sig=XXX",
            "https://u:XXX@h/x",
        ),
        *("JUPYTER_TOKEN=XXX", "AWS_SECRET_ACCESS_KEY=XXX", "--token XXX", "--token 'a XXX'", '--token="a XXX"'),
        # A password has any character; a URL is split at the last @ before a slash.
        *("http://u:a@XXX@h/x", "http:/u:XXX@h/x.whl", "/cwd/http:/u:XXX@h", "-ihttps://u:XXX@h/", "https://XXX@h/s"),
        *("https://u:a/XXX@h/x", "https://u:XXX/b@h:80/x@1", "git+https://u:a:b@XXX@h/r@v1", "--proxy u:a@XXX@h:80"),
        *("HTTPS_PROXY=u:XXX@h:80", '"https://u:"XXX@h"', "HTTPS://U:XXX@H", "https://h/x;token=XXX#sha256=1"),
        *("Authorization: Basic XXX", "{'Authorization': 'Bearer XXX'}", '{"api_token": "XXX"}', "private-token: XXX"),
        *("X-Api-Key: XXX", "password: XXX", "machine h login u password XXX", "sent bearer XXX0123456", "Cookie: XXX"),
        *("PASSWORD='a XXX'", "--IdentityProvider.token=XXX", "-password a&XXX", "--db-passwd=a#XXX", "--key=XXX"),
    ],
)
def test_a_secret_is_hidden(text):
    shown = redact(f"jupyter {text} lab")
    assert "XXX" not in shown and "****" in shown and shown.startswith("jupyter ") and shown.endswith(" lab")


@pytest.mark.parametrize(
    "text",
    [
        *("tokenizers==0.19.1", "keyring>=25", "secretstorage===3.3", "keyring~=25.0; python_version >= '3.8'"),
        *(
            "https://h/x?a=1&b=2#sha256=abc",
            "pip install keyring tokenizers",
            "--only-binary keyring x",
            "-U keyring x",
        ),
        *("https://h:8080/simple/x@1", "x @ git+https://h/o/r@v1", "git@h:o/r.git@v1", "see https://h/x and mail a@b"),
        *(
            "file:///home/a@b/c-1.whl",
            "file:///C:/a@b/x",
            "see C:/a@b/x",
            "C:\\Users\\me@work\\x-1.whl",
            "12:30:15 a@b",
            "https://[::1]:8080/x@1",
            "basic authentication",
        ),
        *("keyring: not found", "a token is needed", 'File "x.py", line 1, in key', "https://h/a:b@c"),
    ],
)
def test_a_requirement_is_not(text):
    assert redact(text) == text


def test_a_path_with_a_drive_at_the_beginning_is_not():
    assert redact("C:/Users/me@work/x-1.whl") == "C:/Users/me@work/x-1.whl"
    assert "XXX" not in redact("C:/x https://u:XXX@h/x")


@pytest.fixture
def nothing_learnt(monkeypatch):
    monkeypatch.setattr(room, "_learnt", set())


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("https://u:a%40bXXX@h/x", ["a%40bXXX", "a@bXXX"]),
        ("https://tokenXXX@h/x", ["tokenXXX"]),
        ("git+https://u:a@bXXX@h/r@v1", ["a@bXXX"]),
    ],
)
def test_what_was_seen_in_a_url_is_hidden_wherever_it_appears_also_decoded(nothing_learnt, url, secrets):
    learn(f"asked for {url}")
    for secret in secrets:
        assert redact(f"a program prints {secret}!") == "a program prints ****!"


def test_what_environment_variables_have_is_hidden_wherever_it_appears(monkeypatch):
    for name, value in {
        "UV_INDEX_MINE_PASSWORD": "XXX-one",
        "CI_JOB_TOKEN": "XXX-two",
        "PIP_INDEX_URL": "https://u:XXX-three@h/simple",
        "https_proxy": "http://u:XXX%40four@h:80",
    }.items():
        monkeypatch.setenv(name, value)
    assert "XXX" not in redact("one XXX-one, two XXX-two, three XXX-three, four XXX@four, again XXX%40four")


def test_what_is_short_or_no_secret_is_not_hidden_everywhere(nothing_learnt, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "true")
    monkeypatch.setenv("KEYRING_PROVIDER", "subprocess")
    learn("https://u:pip@h/x and https://${USER}:${PASSWORD}@h/x")
    text = "true, subprocess, pip and ${PASSWORD}"
    assert redact(text) == text
    assert not is_secret(text) and is_secret("https://u:p@h")


@pytest.mark.parametrize(
    "text",
    ["a:a,", "x://a:b", "--token", "machine a login ", '"token', "authorization: ", "://a", "a", "eyJaaaaaaaaa."],
)
def test_no_text_takes_long(text):
    begun = time.process_time()
    redact(text * 20_000)
    assert time.process_time() - begun < 5


def test_an_error_shows_no_secret_whoever_raises_it():
    url = "https://u:a@XXX@h/x"
    error = EngineError(f"no {url}.", todo=f"See {url}", log=f"said {url}", urls=(url,), number=1)
    again = pickle.loads(pickle.dumps(error))
    for one in (error, again):
        told = [str(one), repr(one), str(one.args), str(vars(one))]
        assert "XXX" not in " ".join(told) and one.number == 1 and one.urls == ("https://****@h/x",)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://h/x.whl?token=XXX#sha256=ab", "https://h/x.whl#sha256=ab"),
        ("https://h/x.whl?a=1&api_key=XXX&b=2", "https://h/x.whl?a=1&b=2"),
        ("https://h/x.whl?a=1", "https://h/x.whl?a=1"),
        ("https://h/x.whl", "https://h/x.whl"),
    ],
)
def test_a_url_that_is_recorded_loses_the_secrets_of_its_query(url, kept):
    assert without_secret_queries(url) == kept


_FRAGMENTS = st.sampled_from(
    [
        *(
            "token",
            "KEY",
            "\u212aey",
            "\u017fecret",
            "passwd",
            "Credential",
            "sig",
            "auth",
            "X-Amz-Date",
            "Cookie",
            "api-key",
        ),
        *(
            "Proxy-Authorization",
            "Ba\u017fic",
            "bearer",
            "machine h login u password",
            "ghp_",
            "hf_",
            "AKIA",
            "eyJ",
            "xoxb-",
        ),
        *(
            "=",
            ": ",
            "?",
            "&",
            "#",
            "@",
            "://",
            "https",
            "'",
            '"',
            " ",
            "--",
            "0123456789ABCDEF",
            "abcdefghijklmnop.eyJx.y",
        ),
    ]
)


@given(st.lists(_FRAGMENTS, max_size=12).map("".join))
def test_a_pattern_that_is_not_tried_would_not_have_matched(text):
    folded = text.casefold()
    tried = {pattern for parts, pattern, _ in room._RULES if any(part in folded for part in parts)}
    assert not [pattern for _, pattern, _ in room._RULES if pattern not in tried and re.search(pattern, text)]
