"""Variables that are kept over a restart: what is pickled together, the file, the preview, and what is lost."""

from __future__ import annotations

import builtins
import json
import os
import pickle
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

import liveinstall
from liveinstall._frontends.detect import FrontEnd
from liveinstall._frontends.restart import keep, variables_file
from liveinstall._frontends.restart.variable_groups import group
from liveinstall._system.settings import RESTARTED
from liveinstall.errors import CannotKeepError

HAS_MODES = hasattr(os, "geteuid")


class Block:
    """An array: its bytes are a buffer that is left out of the pickle."""

    def __init__(self, data):
        self.data = data

    def __reduce_ex__(self, protocol):
        return Block, (pickle.PickleBuffer(self.data),)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/liveinstall/variables"


@pytest.fixture
def user(monkeypatch):
    """The user's namespace."""
    values = {}
    monkeypatch.setattr(keep, "namespace", lambda: values)
    monkeypatch.setattr(keep, "_preview", lambda path, names, *, is_pending: {})
    return values


def names(groups):
    return sorted(sorted(each.names) for each in groups)


def test_variables_that_share_an_object_are_kept_together_and_all_others_apart():
    shared = [1]
    groups, lost = group({"a": shared, "b": {"x": shared}, "c": [1], "d": "text", "e": "text", "f": len, "g": len})
    assert names(groups) == [["a", "b"], ["c"], ["d"], ["e"], ["f"], ["g"]] and not lost


def test_what_cannot_be_pickled_is_named_with_its_reason_and_the_rest_is_kept(tmp_path):
    with open(tmp_path / "file", "w") as stream:
        values = {"lock": threading.Lock(), "stream": stream, "rows": (x for x in ()), "number": 1}
        groups, lost = group(values)
    assert names(groups) == [["number"]]
    assert "open file" in lost["stream"] and "lock" in lost["lock"] and "generator" in lost["rows"]


def test_a_function_of_the_session_is_kept_with_cloudpickle_and_shares_the_namespace(monkeypatch):
    pytest.importorskip("cloudpickle")
    code = (
        "def f(): return later\n"
        "from liveinstall._frontends.restart import variable_groups as v\n"
        "(one,), lost = v.group({'f': f}); del f\n"
        "later = 5\n"
        "print(v.restored(one)['f'](), lost)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "5 {}\n"
    without = "import sys; sys.modules['cloudpickle'] = None\ndef f(): pass\n"
    without += "from liveinstall._frontends.restart import variable_groups as v\nprint(v.group({'f': f})[1]['f'])"
    assert "needs cloudpickle" in subprocess.check_output([sys.executable, "-c", without], text=True)


def test_a_file_gives_back_what_was_written_with_buffers_of_their_own(cache):
    block = Block(bytearray(b"0123456789" * 100))
    groups, _ = group({"block": block, "text": "x"})
    path = variables_file.write(groups, {"words": "json"})
    for mapped in (True, False):
        loaded = variables_file.load(path, mapped=mapped)
        assert bytes(loaded.values["block"].data) == bytes(block.data) and not loaded.failures
        assert (loaded.values["text"], loaded.values["words"]) == ("x", json)
        memoryview(loaded.values["block"].data)[0] = 1  # it is writable, and the file does not change
    assert bytes(variables_file.load(path).values["block"].data) == bytes(block.data)
    assert variables_file.left() == [path]
    if HAS_MODES:
        assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_variable_that_cannot_be_loaded_is_named_and_the_others_come_back(monkeypatch):
    groups, _ = group({"good": 1, "bad": Block(b"x")})
    path = variables_file.write(groups, {"gone": "no_such_module_x"})
    monkeypatch.setattr(sys.modules[__name__], "Block", None)
    loaded = variables_file.load(path)
    assert loaded.values == {"good": 1} and sorted(loaded.failures) == ["bad", "gone"]
    assert "no_such_module_x" in loaded.failures["gone"]


@pytest.mark.parametrize(
    "content", [b"", b"other\n", b"liveinstall variables 1\n", b"liveinstall variables 1\n3\n{}x", b"\0" * 50]
)
def test_a_damaged_file_is_refused(content):
    path = variables_file.write(group({"a": 1})[0], {})
    with open(path, "wb") as stream:
        stream.write(content)
    with pytest.raises(OSError, match="damaged"):
        variables_file.load(path)
    assert variables_file.left() == []


def test_a_file_that_is_cut_off_is_not_half_restored(cache):
    path = variables_file.write(group({"a": 1, "b": Block(bytearray(5000))})[0], {})
    os.truncate(path, os.path.getsize(path) - 10)
    loaded = variables_file.load(path)
    assert loaded.values == {"a": 1} and list(loaded.failures) == ["b"]


def test_a_file_of_another_environment_is_not_loaded(monkeypatch):
    path = variables_file.write(group({"a": 1})[0], {})
    monkeypatch.setattr(sys, "prefix", "/elsewhere")
    with pytest.raises(OSError, match="another environment"):
        variables_file.load(path)
    assert variables_file.left() == [] and keep.recover() == ()


@pytest.mark.skipif(not HAS_MODES, reason="Windows has no modes")
def test_a_file_that_others_could_have_written_is_not_loaded(cache):
    path = variables_file.write(group({"a": 1})[0], {})
    os.chmod(path, 0o644)
    with pytest.raises(PermissionError):
        variables_file.load(path)
    os.chmod(path, 0o600)
    os.chmod(cache, 0o777)
    with pytest.raises(PermissionError):
        variables_file.load(path)
    os.chmod(cache, 0o700)


def test_too_little_space_is_said_before_anything_is_written(cache, monkeypatch, user):
    user["a"] = 1
    monkeypatch.setattr(variables_file.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(CannotKeepError, match="are free") as caught:
        keep.save("a", FrontEnd.IPYTHON, is_pending=False)
    assert "nothing is lost" in str(caught.value) and os.listdir(cache) == []


def test_all_means_all_but_private_and_the_shells_own_names(user):
    user |= {"a": 1, "np": json, "_hidden": 2, "exit": 3, "In": [], "text": "x"}
    path, sentence = keep.save("all", FrontEnd.REPL, is_pending=False)
    assert sentence.startswith("Kept: a, np, text (")
    user.clear()
    assert keep.restore(path) == "Restored: np, a, text." and user == {"a": 1, "np": json, "text": "x"}
    assert not os.path.exists(path)


def test_a_name_that_does_not_exist_is_refused(user, cache):
    with pytest.raises(CannotKeepError, match="no variable 'dff'"):
        keep.save(["dff"], FrontEnd.REPL, is_pending=False)
    assert not cache.exists()


@pytest.mark.parametrize(("answer", "goes_on"), [("y", True), ("n", False), (None, False)])
def test_what_would_not_come_back_is_lost_only_with_consent(user, cache, monkeypatch, answer, goes_on):
    user |= {"a": 1, "lock": threading.Lock()}
    asked = []

    def reply(question):
        asked.append(question)
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr(builtins, "input", reply)
    if goes_on:
        assert keep.save("all", FrontEnd.REPL, is_pending=False)[1].startswith("Kept: a (")
    else:
        with pytest.raises(CannotKeepError) as caught:
            keep.save("all", FrontEnd.REPL, is_pending=False)
        assert list(caught.value.lost) == ["lock"] and os.listdir(cache) == []
    assert asked and asked[0].startswith("1 variable would not come back: lock (TypeError")


def test_a_preview_loads_the_file_and_tells_of_failures(monkeypatch):
    path = variables_file.write(group({"a": 1, "b": Block(b"x")})[0], {"gone": "no_such_module_x"})
    failures = keep._preview(path, ["a", "b"], is_pending=False)
    assert sorted(failures) == ["b", "gone"]  # this test's module cannot be imported there
    monkeypatch.setattr(keep, "_PREVIEW", "import os; os._exit(3)  # {} {}")
    assert keep._preview(path, ["a", "b"], is_pending=False) == dict.fromkeys("ab", "the preview exited with status 3")


def test_where_nothing_could_restore_them_it_is_refused(monkeypatch, user):
    user["a"] = 1
    with pytest.raises(CannotKeepError, match="script runs again"):
        keep.save("a", FrontEnd.INSPECT, is_pending=False)


def test_what_was_not_restored_can_be_recovered_once(user):
    user["a"] = [1]
    keep.save("a", FrontEnd.REPL, is_pending=False)
    user.clear()
    assert liveinstall.recover() == ("a",) and user == {"a": [1]} and liveinstall.recover() == ()


def test_a_prompt_runs_the_users_startup_file_and_then_restores(tmp_path):
    path = variables_file.write(group({"kept": [1, 2]})[0], {})
    own = tmp_path / "own.py"
    own.write_text("started = 'yes'\nraise ValueError('mine')\n", encoding="utf-8")
    report = json.dumps({"variables": path, "startup": str(own)})
    startup = os.path.join(os.path.dirname(keep.__file__), "prompt_startup.py")
    done = subprocess.run(
        [sys.executable, "-i"],
        input=f"import os; print(kept, started, os.environ['PYTHONSTARTUP'] == {str(own)!r}, os.getenv({RESTARTED!r}))",
        env={**os.environ, "PYTHONSTARTUP": startup, RESTARTED: report},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "[1, 2] yes True None" in done.stdout
    assert "ValueError: mine" in done.stderr and "Restored: kept." in done.stderr


def test_buffers_are_not_copied_while_they_are_written():
    block = Block(bytearray(1000))
    (one,), _ = group({"block": block})
    assert len(one.data) < 500 and one.buffers[0].obj is block.data
