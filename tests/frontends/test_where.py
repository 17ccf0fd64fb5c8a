"""Where a person is, told from what is loaded."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from liveinstall.frontends.where import Where, where


@pytest.fixture
def kernel(monkeypatch):
    """A pretended kernel: `kernel(metadata, stdin=..., **user_ns)`."""

    def make(metadata, stdin=True, **user_ns):
        shell = SimpleNamespace(
            kernel=SimpleNamespace(_allow_stdin=stdin), parent_header={"metadata": metadata}, user_ns=user_ns
        )
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
        return where()

    return make


def test_a_script_is_no_prompt(monkeypatch):
    monkeypatch.delattr(sys, "ps1", raising=False)
    assert where() is Where.SCRIPT
    assert not where().is_interactive


def test_a_prompt_is_a_repl(monkeypatch):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    assert where() is Where.REPL


def test_ipython_without_a_kernel_is_a_terminal(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=SimpleNamespace))
    assert where() is Where.IPYTHON
    assert not where().is_kernel


def test_kernels_are_told_apart(kernel, monkeypatch):
    assert kernel({"cellId": "x"}) is Where.NOTEBOOK
    assert kernel({}, stdin=False) is Where.RUNNER
    assert kernel({}) is Where.CONSOLE
    assert kernel({"other": 1}) is Where.KERNEL
    assert kernel({"cellId": "x"}, __vsc_ipynb_file__="x.ipynb") is Where.VSCODE
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    assert kernel({"cellId": "x"}) is Where.COLAB
    assert kernel({}).is_kernel
