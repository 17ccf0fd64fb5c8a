"""Other state of an IPython session that is restored by a restart; its start does not change the variables."""

from __future__ import annotations

from types import SimpleNamespace

from liveinstall._frontends.restart import EXTENSION, keep, lost_variables, session_state


class _Events:
    def __init__(self):
        self.callbacks = []

    def register(self, _event, callback):
        self.callbacks.append(callback)

    def unregister(self, _event, callback):
        self.callbacks.remove(callback)

    def cell(self, *, store_history):
        for callback in list(self.callbacks):
            callback(SimpleNamespace(store_history=store_history))


def test_what_ipython_does_at_the_end_of_its_start_neither_hides_nor_changes_restored_variables(monkeypatch):
    shell = SimpleNamespace(user_ns={"a": 1, "b": 2}, user_ns_hidden={}, events=_Events())
    monkeypatch.setattr(lost_variables, "ipython", lambda: shell)
    session_state.protect(shell, ["a", "b"])
    shell.events.cell(store_history=False)  # a line of the configuration
    shell.user_ns |= {"a": "of a startup file", "c": 3}
    shell.user_ns_hidden.update(shell.user_ns)
    assert lost_variables.variables() == {}
    shell.user_ns["b"] = "of a callback"
    shell.events.cell(store_history=False)  # of a variable inspector
    assert lost_variables.variables() == {"a": 1, "b": "of a callback"}
    assert shell.user_ns["c"] == 3 and shell.events.callbacks == []


def test_a_variable_of_a_startup_file_that_the_user_has_set_again_is_the_users(monkeypatch):
    shell = SimpleNamespace(user_ns={"limit": 5, "own": 2}, user_ns_hidden={"limit": 1, "own": 2})
    for module in (lost_variables, keep):
        monkeypatch.setattr(module, "ipython", lambda: shell)
    assert keep._chosen("all") == {"limit": 5} == lost_variables.variables()


def test_the_extension_that_restores_is_not_one_of_the_users(monkeypatch):
    manager = SimpleNamespace(loaded={EXTENSION.removeprefix("--ext="), "autoreload"})
    shell = SimpleNamespace(extension_manager=manager, magics_manager=SimpleNamespace(registry={}))
    monkeypatch.setattr(session_state, "ipython", lambda: shell)
    assert session_state.state(history=False)["extensions"] == ["autoreload"]
