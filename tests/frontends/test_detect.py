"""Where a person is, told from what is loaded."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from liveinstall._frontends.detect import FrontEnd, detect


@pytest.fixture
def kernel(monkeypatch):
    """A pretended kernel: `kernel(metadata, stdin=..., **user_ns)`."""

    def make(metadata, stdin=True, **user_ns):
        shell = SimpleNamespace(
            kernel=SimpleNamespace(_allow_stdin=stdin), parent_header={"metadata": metadata}, user_ns=user_ns
        )
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
        return detect()

    return make


def test_a_script_is_no_prompt(monkeypatch):
    monkeypatch.delattr(sys, "ps1", raising=False)
    assert detect() is FrontEnd.SCRIPT
    assert not detect().is_interactive


def test_a_prompt_is_a_repl(monkeypatch):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    assert detect() is FrontEnd.REPL


def test_ipython_without_a_kernel_is_a_terminal(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=SimpleNamespace))
    assert detect() is FrontEnd.IPYTHON
    assert not detect().is_kernel


def test_kernels_are_told_apart(kernel, monkeypatch):
    assert kernel({"cellId": "x"}) is FrontEnd.NOTEBOOK
    assert kernel({}, stdin=False) is FrontEnd.RUNNER
    assert kernel({}) is FrontEnd.CONSOLE
    assert kernel({"other": 1}) is FrontEnd.KERNEL
    assert kernel({"cellId": "x"}, __vsc_ipynb_file__="x.ipynb") is FrontEnd.VSCODE
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    assert kernel({"cellId": "x"}) is FrontEnd.COLAB
    assert kernel({}).is_kernel
