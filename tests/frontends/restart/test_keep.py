"""Variables that are kept over a restart: groups of pickles, the file, the preview, and lost variables."""

from __future__ import annotations

import builtins
import json
import os
import pickle
import subprocess
import sys
import threading
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from helpers.environments import caches_in

import liveinstall
from liveinstall._frontends.detect import FrontEnd
from liveinstall._frontends.progress import amount
from liveinstall._frontends.restart import keep, recovery, size_limit, variables_file
from liveinstall._frontends.restart.variable_groups import group
from liveinstall._system.settings import RESTARTED
from liveinstall.errors import CannotKeepError

HAS_MODES = hasattr(os, "geteuid")


class Block:
    """An array: its bytes are a buffer outside of the pickle."""

    def __init__(self, data):
        self.data = data

    def __reduce_ex__(self, protocol):
        return Block, (pickle.PickleBuffer(self.data),)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    for variable, value in caches_in(tmp_path / "cache").items():
        monkeypatch.setenv(variable, value)
    return tmp_path / "cache/liveinstall/variables"


@pytest.fixture
def user(monkeypatch):
    """The user's namespace."""
    values = {}
    monkeypatch.setattr(keep, "namespace", lambda: values)
    monkeypatch.setattr(recovery, "namespace", lambda: values)
    monkeypatch.setattr(keep, "_preview", lambda path, names, *, is_pending: {})
    return values


def save(chosen, front_end, **options):
    """As `restart()` does: prepare, and ask."""
    prepared = keep.prepare(chosen, front_end, is_pending=False, **options)
    prepared.ask()
    return prepared.path, prepared.sentence


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
    "content", [b"", b"other\n", b"liveinstall variables 2\n", b"liveinstall variables 2\n3\n{}x", b"\0" * 50]
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
    assert variables_file.left() == [] and recovery.recover() == ()


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


def test_too_little_space_is_reported_before_anything_is_written(cache, monkeypatch, user):
    user["a"] = 1
    monkeypatch.setattr(size_limit.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(CannotKeepError, match="are free") as caught:
        save("a", FrontEnd.IPYTHON)
    assert "nothing is lost" in str(caught.value) and os.listdir(cache) == []


def test_all_means_all_but_private_and_the_shells_own_names(user):
    user |= {"a": 1, "np": json, "_hidden": 2, "exit": 3, "In": [], "text": "x"}
    path, sentence = save("all", FrontEnd.REPL)
    assert sentence.startswith("Kept: a, text, np (")
    user.clear()
    assert recovery.restore(path) == "Restored: a, text, np." and user == {"a": 1, "np": json, "text": "x"}
    assert not os.path.exists(path)


def test_a_name_that_does_not_exist_is_refused(user, cache):
    with pytest.raises(CannotKeepError, match="no variable 'dff'"):
        save(["dff"], FrontEnd.REPL)
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
        assert save("all", FrontEnd.REPL)[1].startswith("Kept: a (")
    else:
        with pytest.raises(CannotKeepError) as caught:
            save("all", FrontEnd.REPL)
        assert list(caught.value.lost) == ["lock"] and os.listdir(cache) == []
    assert asked and asked[0].startswith("1 variable cannot be restored: lock (it is a lock")


def test_a_preview_loads_the_file_and_tells_of_failures(monkeypatch):
    path = variables_file.write(group({"a": 1, "b": Block(b"x")})[0], {"gone": "no_such_module_x"})
    failures = keep._preview(path, ["a", "b"], is_pending=False)
    assert sorted(failures) == ["b", "gone"]  # this test's module cannot be imported there
    monkeypatch.setattr(keep, "_PREVIEW", "import os; os._exit(3)  # {} {}")
    assert keep._preview(path, ["a", "b"], is_pending=False) == dict.fromkeys("ab", "the preview exited with status 3")


def test_where_nothing_could_restore_them_it_is_refused(monkeypatch, user):
    user["a"] = 1
    with pytest.raises(CannotKeepError, match="script runs again"):
        save("a", FrontEnd.INSPECT)


def test_what_was_not_restored_can_be_recovered_once(user):
    user["a"] = [1]
    save("a", FrontEnd.REPL)
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


def test_a_prompt_that_has_nothing_to_restore_explains_what_the_restart_has_broken():
    startup = os.path.join(os.path.dirname(keep.__file__), "prompt_startup.py")
    done = subprocess.run(
        [sys.executable, "-i"],
        input="import sys; print(hasattr(sys.excepthook, '_liveinstall_explains'))",
        env={**os.environ, "PYTHONSTARTUP": startup, RESTARTED: '{"changes": []}'},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("True") and "Restored" not in done.stderr


def test_buffers_are_not_copied_while_they_are_written():
    block = Block(bytearray(1000))
    (one,), _ = group({"block": block})
    assert len(one.data) < 500 and one.buffers[0].obj is block.data


def test_progress_is_reported_and_an_error_in_it_leaves_no_file(cache, user):
    user |= {"a": Block(bytearray(10**6)), "b": 1}
    told = []
    prepared = keep.prepare("all", FrontEnd.IPYTHON, is_pending=False, show=told.append)
    prepared.discard()
    texts = [str(state) for state in told]
    assert texts[:3] == [
        "Serialising the variables: 1 of 2, a",
        "Serialising the variables: 2 of 2, b",
        "Writing the variables: 1.0 MB",
    ]
    assert texts[-2] == "Loading the variables in a preview of the restart: 1.0 MB" and os.listdir(cache) == []
    for step in dict.fromkeys(state.step for state in told):

        def stop(state, step=step):
            if state.step == step:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            keep.prepare("all", FrontEnd.IPYTHON, is_pending=False, show=stop)
        assert os.listdir(cache) == []


@pytest.mark.parametrize(("limit", "variable"), [(10**6, ""), ("1 MB", ""), (None, "1M")])
def test_variables_beyond_the_limit_are_refused_and_the_largest_are_named(cache, user, monkeypatch, limit, variable):
    monkeypatch.setenv("LIVEINSTALL_KEEP_LIMIT", variable)
    user |= {"small": 1, "big": Block(bytearray(600_000)), "bigger": Block(bytearray(900_000))}
    with pytest.raises(CannotKeepError, match=r"need 2 MB, and the limit is 1 MB. The largest: bigger \(") as caught:
        keep.prepare("all", FrontEnd.IPYTHON, is_pending=False, limit=limit)
    assert caught.value.sizes["big"] > 600_000 and os.listdir(cache) == []
    with pytest.raises(CannotKeepError, match="need 1 MB, and the limit is 0 MB"):  # while it is pickled, not after it
        keep.prepare("bigger", FrontEnd.IPYTHON, is_pending=False, limit=1000)
    assert save(["small"], FrontEnd.IPYTHON, limit=limit)


@pytest.mark.parametrize("limit", ["much", "-1", True, "2 apples"])
def test_a_limit_that_is_not_a_size_is_refused(user, limit):
    user["a"] = 1
    with pytest.raises(CannotKeepError, match="is not a size"):
        keep.prepare("all", FrontEnd.IPYTHON, is_pending=False, limit=limit)


def test_a_disk_that_becomes_full_leaves_no_file(cache, user, monkeypatch):
    user["a"] = Block(bytearray(10**6))
    monkeypatch.setattr(variables_file, "_CHUNK", 1000)

    def full(state):
        if state.share:
            raise OSError(28, "No space left on device")

    with pytest.raises(CannotKeepError, match="cannot be written"):
        keep.prepare("a", FrontEnd.IPYTHON, is_pending=False, show=full)
    assert os.listdir(cache) == []


def test_an_interrupt_while_variables_are_restored_keeps_them_for_later(user, monkeypatch):
    user["a"] = Block(bytearray(100))
    path, _ = save("a", FrontEnd.IPYTHON)

    def stop(done, total):
        raise KeyboardInterrupt

    assert "liveinstall.recover()" in recovery.restore(path, stop)
    assert recovery.recover() == ("a",)


def test_the_progress_of_restoring_at_a_prompt_does_not_end_at_a_part(user, monkeypatch):
    user["a"] = Block(bytearray(100))
    path, sentence = save("a", FrontEnd.IPYTHON)
    size = amount(os.path.getsize(path), None)
    assert sentence.startswith(f"Kept: a ({size}).")  # not 0.0 MB
    screen = Mock()
    monkeypatch.setattr(recovery, "display", lambda quiet: screen)
    assert recovery.restore_at_prompt(path) == "Restored: a."
    assert str(screen.call_args.args[0]) == f"Restoring the variables: {size}"  # the last one


def test_an_ended_session_is_offered_once_in_one_line_and_nothing_is_loaded(user, cache, monkeypatch, capsys):
    user |= {"a": 1, "np": json}
    path, _ = save("all", FrontEnd.REPL)
    monkeypatch.setattr(recovery, "detect", lambda: FrontEnd.REPL)
    recovery.offer()
    assert capsys.readouterr().err == ""  # this process is running: it may be restarting
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    ended = path.replace(f"-{os.getpid()}.", f"-{child.pid}.")
    os.rename(path, ended)
    if os.name == "nt":  # where a process may be restarting for ten minutes: it is not looked for
        now = variables_file.time.time()
        monkeypatch.setattr(variables_file.time, "time", lambda: now + 700)
    user.clear()
    monkeypatch.setattr(recovery, "detect", lambda: FrontEnd.SCRIPT)
    recovery.offer()
    assert capsys.readouterr().err == "" and os.path.exists(ended)
    monkeypatch.setattr(recovery, "detect", lambda: FrontEnd.REPL)
    recovery.offer()
    told = capsys.readouterr().err
    assert told.startswith("liveinstall: Variables of a session that ended on ") and told.count("\n") == 1
    assert ": a, np. To restore them: liveinstall.recover() (until " in told and user == {}
    recovery.offer()
    assert capsys.readouterr().err == "" and recovery.recover() == ("a", "np") and os.listdir(cache) == []


def test_a_file_of_a_process_that_restarts_is_not_offered_before_ten_minutes_and_goes_after_two_weeks(
    user, cache, monkeypatch
):
    user["a"] = 1
    save("all", FrontEnd.REPL)
    now = variables_file.time.time()
    assert not list(variables_file.not_offered())
    monkeypatch.setattr(variables_file.time, "time", lambda: now + 700)
    assert len(list(variables_file.not_offered())) == 1 and not list(variables_file.not_offered())
    monkeypatch.setattr(variables_file.time, "time", lambda: now + 15 * 86400)
    (cache / "of-somebody-else.variables").write_bytes(b"")
    variables_file.sweep()
    assert os.listdir(cache) == ["of-somebody-else.variables"]


def test_what_cannot_be_recovered_is_named_and_its_file_stays(user, monkeypatch):
    user |= {"good": 1, "bad": Block(b"x")}
    path, _ = save("all", FrontEnd.REPL)
    monkeypatch.setattr(sys.modules[__name__], "Block", None)
    with pytest.warns(RuntimeWarning, match="1 variable cannot be restored: bad"):
        assert recovery.recover() == ("good",)
    assert os.path.exists(path)


def test_the_directory_and_the_import_path_come_back_before_anything_is_loaded(user, tmp_path, monkeypatch):
    (tmp_path / "helper_of_the_user.py").write_text("class Thing: pass\n", encoding="utf-8")
    own = str(tmp_path)
    monkeypatch.setattr(sys, "path", [own, *sys.path])
    monkeypatch.chdir(tmp_path)
    import helper_of_the_user

    user["thing"] = helper_of_the_user.Thing()
    path, _ = save("all", FrontEnd.REPL)
    monkeypatch.setattr(sys, "path", sys.path[1:])
    monkeypatch.chdir("/")
    del sys.modules["helper_of_the_user"]
    told = recovery.restore(path)
    assert told == f"Restored: thing; the directory {own}; {own} in sys.path."
    assert os.getcwd() == own and sys.path[0] == own
