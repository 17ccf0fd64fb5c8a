"""Detection of the front end, from the loaded modules."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from liveinstall._frontends.detect import FrontEnd, detect, opens_prompt
from liveinstall._frontends.rendering import restart_advice


@pytest.fixture
def kernel(monkeypatch):
    """A fake kernel: `kernel(metadata, stdin=..., **user_ns)`."""

    def make(metadata, stdin=True, **user_ns):
        shell = SimpleNamespace(
            kernel=SimpleNamespace(_allow_stdin=stdin), parent_header={"metadata": metadata}, user_ns=user_ns
        )
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
        return detect()

    return make


def test_a_script_is_not_a_prompt(monkeypatch):
    monkeypatch.delattr(sys, "ps1", raising=False)
    assert detect() is FrontEnd.SCRIPT
    assert not detect().is_interactive


def test_a_prompt_is_a_repl(monkeypatch):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    assert detect() is FrontEnd.REPL


@pytest.mark.parametrize(
    ("flags", "variable", "opens"), [((1, 1), "", True), ((0, 1), "", True), ((0, 0), "1", True), ((0, 0), "", False)]
)
def test_the_prompt_after_a_program_is_known_by_flags_that_stay_and_by_the_variable(
    monkeypatch, flags, variable, opens
):
    """From Python 3.14 on `inspect` is 0 at the prompt, and `interactive` stays."""
    monkeypatch.setattr(sys, "flags", SimpleNamespace(inspect=flags[0], interactive=flags[1]))
    monkeypatch.setenv("PYTHONINSPECT", variable)
    assert opens_prompt() is opens


def test_ipython_without_a_kernel_is_a_terminal(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=SimpleNamespace))
    assert detect() is FrontEnd.IPYTHON
    assert not detect().is_kernel


def test_kernels_are_distinguished(kernel, monkeypatch):
    assert kernel({"cellId": "x"}) is FrontEnd.NOTEBOOK
    assert kernel({}, stdin=False) is FrontEnd.RUNNER
    assert kernel({}) is FrontEnd.CONSOLE
    assert kernel({"other": 1}) is FrontEnd.KERNEL
    assert kernel({"cellId": "x"}, __vsc_ipynb_file__="x.ipynb") is FrontEnd.VSCODE
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    assert kernel({"cellId": "x"}) is FrontEnd.COLAB
    assert kernel({}).is_kernel


def _marimo(mode, request="of a page"):
    return {"running_in_notebook": True, "app_meta": SimpleNamespace(mode=mode, request=request)}


@pytest.mark.parametrize(
    ("modules", "expected", "advice"),
    [
        ({"marimo": _marimo("edit")}, FrontEnd.MARIMO, "kernel"),
        ({"marimo": _marimo("edit", None)}, FrontEnd.MARIMO_EXPORT, "export"),
        ({"marimo": _marimo("run")}, FrontEnd.MARIMO_APP, "marimo"),
        ({"marimo": {"running_in_notebook": False}}, FrontEnd.SCRIPT, "program"),
        ({"marimo": _marimo("script")}, FrontEnd.SCRIPT, "program"),
        ({"streamlit.runtime": {"exists": True}}, FrontEnd.STREAMLIT, "server"),
        ({"streamlit.runtime": {"exists": False}}, FrontEnd.SCRIPT, "program"),
        ({"bpython.curtsies": {}}, FrontEnd.BPYTHON, "bpython"),
    ],
)  # fmt: skip
def test_applications_that_run_code_themselves_have_their_own_advice(monkeypatch, modules, expected, advice):
    monkeypatch.delattr(sys, "ps1", raising=False)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    for name, answers in modules.items():
        functions = {function: lambda value=value: value for function, value in answers.items()}
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**functions))
    assert detect() is expected
    assert advice in restart_advice() and restart_advice().count(".") == 1
    assert detect().is_interactive == (expected in (FrontEnd.MARIMO, FrontEnd.BPYTHON))


def test_spyder_is_recognised_by_its_kernel(monkeypatch):
    kernel = type("SpyderKernel", (), {})()
    shell = SimpleNamespace(kernel=kernel, user_ns={})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert detect() is FrontEnd.SPYDER and detect().is_kernel
    assert "Consoles > Restart kernel" in restart_advice()
