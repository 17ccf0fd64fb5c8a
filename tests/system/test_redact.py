"""Secrets are hidden, and what only looks like one is not."""

from __future__ import annotations

import pytest

from liveinstall._system.redact import redact


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
    ],
)
def test_a_requirement_is_not(text):
    assert redact(text) == text
