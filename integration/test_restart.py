"""Restarts of real kernels: from a cell, by the client, and where they are not possible."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.lib import kernels
from integration.lib.environments import ROOT, Environment, add_liveinstall, user_variables
from integration.lib.interpreters import CURRENT, find_python
from integration.lib.kernels import client_of, errors_of_ours, server
from integration.lib.live_kernels import Kernel, kernel_of
from integration.lib.wheels import write_wheel

STAGE = """
import alpha, liveinstall
print([str(c) for c in liveinstall.install("alpha", upgrade=True, no_index=True, find_links={wheels!r}{more}).staged])
"""
GO = "import liveinstall; liveinstall.restart()"
TRACE = "open({path!r}, 'a').write('ran ')"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, wheel: Path, wheels: Path) -> Environment:
    """An environment with kernels and programs that run notebooks."""
    import tomllib

    base = find_python(CURRENT)
    assert base
    made = Environment.make(tmp_path_factory.mktemp("notebooks") / "venv", base)
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    made.add(*groups["notebooks"], deps=True)
    add_liveinstall(made, wheel)
    return made


@pytest.fixture
def kernel(place: Environment, wheels: Path, tmp_path: Path) -> Iterator[Kernel]:
    """A fresh kernel; alpha is 1.0 on disk."""
    place.run("-m", "liveinstall", "cancel")
    place.add(wheels / "alpha-1.0-py3-none-any.whl")
    with kernel_of(place, tmp_path) as running:
        yield running


def stage(kernel: Kernel, wheels: Path, **more: str) -> None:
    options = "".join(f", {name}={value!r}" for name, value in more.items())
    assert "alpha 1.0 -> 2.0" in kernel.run(STAGE.format(wheels=str(wheels), more=options))


def card_of(kernel: Kernel, asked: str) -> tuple[dict[str, str], dict[str, str]]:
    """The card of a cell that restarts, and its replacement."""

    def is_ours(message: dict[str, Any]) -> bool:  # a slow request also shows its progress
        return bool(message["content"]["data"]["text/plain"].startswith("Restart"))

    def is_done(message: dict[str, Any]) -> bool:
        cards = [m["content"]["transient"] for m in kernel.said("display_data", asked) if is_ours(m)]
        is_last = "Restoring" not in message["content"]["data"]["text/plain"]
        return is_ours(message) and is_last and message["content"]["transient"] in cards

    changed = kernel.until(lambda message: message["msg_type"] == "update_display_data" and is_done(message))
    kernel.until(lambda message: message["content"].get("execution_state") == "idle")
    (first,) = filter(is_ours, kernel.said("display_data", asked))
    assert first["content"]["transient"] == changed["content"]["transient"]
    assert changed["parent_header"]["msg_id"] == asked
    assert not kernel.said("error", asked)
    return first["content"]["data"], changed["content"]["data"]


def test_a_cell_restarts_its_kernel_and_what_is_queued_is_dropped(kernel, wheels, tmp_path):
    stage(kernel, wheels)
    kernel.run("import os, atexit; big = bytearray(30_000_000); small = 1; old = os.getpid(); os.chdir('/')")
    mark = tmp_path / "ran"
    asked, *queued = map(kernel.send, (GO, *[TRACE.format(path=str(mark))] * 2))
    assert kernel.reply(asked)["status"] == "error"
    for each in queued:
        assert kernel.reply(each)["status"] in ("aborted", "error")
    before, after = card_of(kernel, asked)
    assert before["text/plain"] == "Restarting. alpha 1.0 -> 2.0. These variables will be lost: big (30 MB) and 2 more."
    assert after["text/plain"] == "Restarted, alpha 2.0 is installed."
    assert "<b>Restarted,</b> alpha 2.0 is installed." in after["text/html"]
    assert kernel.run("import alpha; print(alpha.VERSION, 'big' in dir())").split() == ["2.0", "False"]
    assert not mark.exists()
    assert kernel.manager.is_alive()


def test_twice_in_a_row_with_nothing_waiting_and_then_interrupted(kernel):
    for _ in range(2):
        asked = kernel.send(GO)
        _, after = card_of(kernel, asked)
        assert after["text/plain"] == "Restarted."
    assert (
        kernel.run("import sys; print(sys.orig_argv.count('--ext=liveinstall._frontends.restart.kernel_report'))")
        == "1\n"
    )
    asked = kernel.send("import time; print('here', flush=True); time.sleep(60)")
    kernel.until(lambda message: message["msg_type"] == "stream")
    kernel.manager.interrupt_kernel()
    assert kernel.reply(asked)["ename"] == "KeyboardInterrupt"


def test_a_new_kernel_has_the_output_that_the_server_gave_to_the_first(kernel):
    kernel.run("import os, sys; os.write(sys.stderr._original_stdstream_copy, b'')")
    card_of(kernel, kernel.send(GO))
    heard = kernel.run("import os, sys, time\nfor one in 'ab':\n os.write(2, one.encode() + b'\\n'); time.sleep(0.3)")
    assert heard.split() == ["a", "b"]
    assert (
        kernel.run("os.write(sys.stderr._original_stdstream_copy, b'.'); get_ipython().kernel.log.warning('x')") == ""
    )
    assert kernel.run("import sys; print('still here')") == "still here\n"


def test_what_a_cell_still_does_is_done_before_the_restart(kernel, tmp_path):
    mark = tmp_path / "ran"
    wait = f"import time; time.sleep(1.5); {TRACE.format(path=str(mark))}"
    asked = kernel.send(f"try:\n import liveinstall; liveinstall.restart()\nfinally:\n {wait}")
    assert card_of(kernel, asked)[1]["text/plain"] == "Restarted."
    assert mark.read_text() == "ran "


@pytest.mark.parametrize("sleep", ["time.sleep(2)", "await asyncio.sleep(2)"])
def test_a_restart_from_elsewhere_waits_for_the_cell_that_runs(kernel, sleep):
    later = "threading.Timer(0.3, liveinstall.restart).start()"
    asked = kernel.send(f"import asyncio, threading, time, liveinstall; {later}; {sleep}; print('done')")
    assert kernel.reply(asked)["status"] == "ok"
    kernel.until(lambda message: message["msg_type"] == "update_display_data")
    assert [message["content"]["text"] for message in kernel.said("stream", asked)] == ["done\n"]
    kernel.client.wait_for_ready(timeout=40)
    assert kernel.run("print('asyncio' in dir())") == "False\n"


@pytest.mark.parametrize("verb", ["install", "ainstall"])
def test_consent_restarts_at_the_end_of_the_request_and_nothing_else_runs(kernel, wheels, verb):
    code = STAGE.format(wheels=str(wheels), more=", restart='auto'") + "\nprint('not reached')"
    if verb == "ainstall":
        code = code.replace("liveinstall.install(", "(await liveinstall.ainstall(").replace(").staged", ")).staged")
    asked, queued = kernel.send(code), kernel.send("print('not reached')")
    assert kernel.reply(asked)["status"] == "error"
    assert kernel.reply(queued)["status"] in ("aborted", "error")
    before, after = card_of(kernel, asked)
    assert before["text/plain"] == "Restarting. alpha 1.0 -> 2.0."
    assert after["text/plain"] == "Restarted, alpha 2.0 is installed."
    texts = [message["content"]["text"] for each in (asked, queued) for message in kernel.said("stream", each)]
    # After a restart ipykernel logs a message that it cannot read; sometimes that counts as output of the cell.
    assert [text for text in texts if "tornado.general" not in text and "ZMQStream" not in text] == []


@pytest.mark.parametrize("answer", ["y", "no"])
def test_asking_asks_through_the_front_end(kernel, wheels, answer):
    asked = kernel.send(STAGE.format(wheels=str(wheels), more=", restart='ask'"))
    question = kernel.client.get_stdin_msg(timeout=40)
    assert "alpha 1.0 -> 2.0: restart Python now?" in question["content"]["prompt"]
    kernel.client.input(answer)
    assert kernel.reply(asked)["status"] == ("error" if answer == "y" else "ok")
    if answer == "y":
        assert "alpha 2.0 is installed" in card_of(kernel, asked)[1]["text/plain"]
    else:
        assert kernel.run("print(alpha.VERSION)") == "1.0\n"


def test_a_users_own_handler_of_exceptions_and_other_errors_stay(kernel):
    kernel.run("get_ipython().set_custom_exc((ValueError,), lambda *a, **k: print('mine'))")
    kernel.run("from liveinstall._frontends.restart import kernel as r; import os; r._replace = lambda *_: None")
    asked = kernel.send(GO)
    assert kernel.reply(asked)["status"] == "error"
    asked, _ = kernel.execute("raise ValueError")
    kernel.until(lambda message: message["msg_type"] == "stream")
    assert [message["content"]["text"] for message in kernel.said("stream", asked)] == ["mine\n"]
    assert kernel.run("print(r._Leave in get_ipython().custom_exceptions)") == "False\n"


def test_the_client_restarts(kernel, wheels):
    stage(kernel, wheels)
    kernel.manager.restart_kernel(now=False)
    kernel.client.wait_for_ready(timeout=40)
    assert kernel.run("import alpha; print(alpha.VERSION)") == "2.0\n"


def test_another_front_end_gets_advice(kernel):
    asked = kernel.send(GO, other=True)
    reply = kernel.reply(asked)
    assert reply["ename"] == "CannotRestartError" and "Nothing was changed. Restart the kernel" in reply["evalue"]
    assert kernel.run("print(1)") == "1\n"


IRREPLACEABLE = "from liveinstall._frontends.restart import kernel as k; k.is_replaceable = lambda: False"  # Windows


def test_without_a_process_to_replace_and_without_a_server_a_kernel_gets_advice(kernel):
    kernel.run(IRREPLACEABLE)
    reply = kernel.reply(kernel.send(GO))
    assert reply["ename"] == "CannotRestartError" and "Choose Kernel > Restart Kernel" in reply["evalue"]
    assert kernel.run("print(1)") == "1\n"


@pytest.mark.parametrize("fault", ["", "refuses", "is gone"])
def test_a_server_restarts_a_kernel_that_cannot_be_replaced(place, wheels, tmp_path, fault):
    place.run("-m", "liveinstall", "cancel")
    place.add(wheels / "alpha-1.0-py3-none-any.whl")
    with server(place, tmp_path) as ask:
        client = client_of(tmp_path, ask("POST", "/api/kernels", {"name": "python3"})["id"])
        kernels.Kernel(client)  # waits for it
        kernel = Kernel(None, client)
        stage(kernel, wheels)
        kernel.run(f"import os; kept = [os.getpid()]; {IRREPLACEABLE}")
        old = kernel.run("print(kept[0])").strip()
        if fault:
            broken = "url='http://127.0.0.1:1/'" if fault == "is gone" else "token='another'"
            kernel.run("from liveinstall._frontends.restart import server_restart as r")
            kernel.run(f"r._found[0] = r.kernel_of_server()._replace({broken})")
        asked = kernel.send(GO.replace("()", "(keep=['kept'])"))
        assert kernel.reply(asked)["status"] == "error"
        if fault:
            told = kernel.until(lambda message: message["msg_type"] == "update_display_data" and "Not" in str(message))
            assert "Choose Kernel > Restart Kernel." in told["content"]["data"]["text/plain"]
            assert kernel.run("import alpha; print(alpha.VERSION, kept[0])").split() == ["1.0", old]
        else:
            after = card_of(kernel, asked)[1]
            assert after["text/plain"] == "Restarted, alpha 2.0 is installed. Restored: kept."
            code = "import alpha, os; print(alpha.VERSION, kept[0], kept[0] == os.getpid())"
            assert kernel.run(code).split() == ["2.0", old, "False"]
        startup = tmp_path / "ipython" / "profile_default" / "startup"
        assert [path.name for path in startup.iterdir()] == ["README"]
        client.stop_channels()
    assert errors_of_ours(tmp_path / "server.log") == []


@pytest.fixture
def notebook(place, wheels, tmp_path) -> Path:
    """A notebook that requests restarts: without force in its first cell, with force in its second."""
    place.run("-m", "liveinstall", "cancel")
    place.add(wheels / "alpha-1.0-py3-none-any.whl")
    place.run("-m", "ipykernel", "install", "--sys-prefix", check=True)
    first = STAGE.format(wheels=str(wheels), more=", restart='auto'").replace(".staged", ".notes")
    cells = [
        {"cell_type": "code", "id": str(at), "execution_count": None, "metadata": {}, "outputs": [], "source": source}
        for at, source in enumerate([first, GO, "print('not reached')"])
    ]
    path = tmp_path / "story.ipynb"
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.mark.parametrize("tool", ["nbclient", "papermill"])
def test_what_runs_notebooks_ends_with_an_error_that_says_why(place, notebook, tool):
    words = ["execute", "--timeout=30", "--inplace", notebook] if tool == "nbclient" else [notebook, notebook]
    program = place.scripts / {"nbclient": "jupyter-execute", "papermill": "papermill"}[tool]
    words = words[1:] if tool == "nbclient" else words
    home = user_variables(HOME=str(notebook.parent), JUPYTER_RUNTIME_DIR=str(notebook.parent))
    done = subprocess.run([program, *words], check=False, capture_output=True, text=True, timeout=60, env=home)
    assert done.returncode != 0
    assert "CannotRestartError" in done.stderr and "Run the notebook again" in done.stderr
    if tool == "papermill":  # it writes the executed cells even if one fails
        assert "not restarted" in notebook.read_text() and "not reached\\n" not in notebook.read_text()


def test_magics_install_expand_complete_and_restart(kernel, wheels, tmp_path):
    kernel.run("%load_ext liveinstall")
    kernel.run(f"import alpha; name, where = 'alpha', {str(wheels)!r}")
    asked = kernel.send("%liveinstall install -U {name} --no-index --find-links $where")
    assert kernel.reply(asked)["status"] == "ok"
    kernel.until(lambda message: "alpha 1.0 -> 2.0" in str(message["content"].get("data")))
    kernel.run(f"%%liveinstall --no-index --find-links {wheels}\nbeta==1.0  # a cell of requirements\n")
    assert kernel.run("import beta; print(beta.VERSION)") == "1.0\n"
    for begun, wanted in {"%liveinstall re": "repair", "%liveinstall uninstall alp": "alpha"}.items():
        kernel.client.complete(begun)
        assert wanted in kernel.client.get_shell_msg(timeout=40)["content"]["matches"]
    asked = kernel.send("%liveinstall undo never-happened")
    assert kernel.reply(asked)["ename"] == "NotHappenedError"
    kernel.until(lambda message: message["msg_type"] == "error")
    (error,) = kernel.said("error", asked)
    assert len(error["content"]["traceback"]) == 1
    kernel.run("import liveinstall; back = liveinstall.take_over_pip()")
    kernel.run(f"%pip install gamma --no-index --find-links {wheels}")
    assert "gamma" in kernel.run("print([c.name for item in liveinstall.pending() for c in item.changes])")
    assert "pip" in kernel.run("%pip --version")
    kernel.run("back()")
    asked = kernel.send("%liveinstall restart")
    assert "alpha 2.0 is installed; gamma 1.0 is installed" in card_of(kernel, asked)[1]["text/plain"]


_VARIABLES = """
import json as words, numpy as np, alpha
array = np.arange(300_000.); view = {"array": array}; thing = alpha.Thing(); thing.array = array
def twice(): return 2 * later
class Mine:
    def __init__(self): self.array = array
mine = Mine()
"""
_CHECK = """
later = 21
print(words.dumps(1), np.__name__, float(array.sum()), view["array"] is array is mine.array is thing.array, twice(),
      type(mine) is Mine, alpha.VERSION, type(thing) is alpha.Thing)
"""


@pytest.fixture
def things(place: Environment, tmp_path: Path) -> Path:
    """Wheels of alpha; 3.0 lacks a class of 1.0 and 2.0. 1.0 and numpy are installed."""
    for version in ("1.0", "2.0"):
        write_wheel(
            tmp_path, "alpha", version, files={"alpha/__init__.py": f"VERSION = {version!r}\nclass Thing: pass\n"}
        )
    write_wheel(tmp_path, "alpha", "3.0")
    place.run("-m", "liveinstall", "cancel")
    place.add("numpy", deps=True)
    place.add(tmp_path / "alpha-1.0-py3-none-any.whl")
    return tmp_path


def _stage(kernel: Kernel, things: Path, version: str) -> None:
    told = kernel.run(
        f"import liveinstall; print(liveinstall.install({str(things / f'alpha-{version}-py3-none-any.whl')!r}))"
    )
    assert f"alpha 1.0 -> {version}" in told


def test_variables_are_kept_over_an_upgrade_and_share_what_they_shared(place, things, tmp_path):
    with kernel_of(place, tmp_path) as kernel:
        kernel.run(_VARIABLES)
        _stage(kernel, things, "2.0")
        before, after = card_of(kernel, kernel.send("import liveinstall; liveinstall.restart(keep='all')"))
        assert "Kept: " in before["text/plain"] and "lost" not in before["text/plain"]
        assert after["text/plain"].startswith("Restarted, alpha 2.0 is installed. Restored: ")
        assert kernel.run(_CHECK).split() == ["1", "numpy", "44999850000.0", "True", "42", "True", "2.0", "True"]
        assert kernel.run("print(liveinstall.recover())") == "()\n"
        _, after = card_of(kernel, kernel.send("liveinstall.restart(keep='all')"))
        assert "kernel_report" not in after["text/plain"]
        assert kernel.run(_CHECK).split()[:3] == ["1", "numpy", "44999850000.0"]


def test_a_restart_that_would_lose_a_variable_is_refused_with_the_reason_and_works_without_it(place, things, tmp_path):
    with kernel_of(place, tmp_path) as kernel:
        kernel.run(_VARIABLES + "import os; old = os.getpid()")
        _stage(kernel, things, "3.0")
        keep = "liveinstall.restart(keep=['thing', 'array'])"
        code = f"try: {keep}\nexcept liveinstall.errors.CannotKeepError as error: print(error)"
        told = kernel.run("import builtins; builtins.input = lambda question: 'n'\n" + code)
        assert "thing" in told and "Thing" in told and "nothing is lost" in told
        assert kernel.run("print(os.getpid() == old, thing.array is array)") == "True True\n"
        _, after = card_of(kernel, kernel.send("liveinstall.restart(keep=['words', 'np', 'view'])"))
        assert "alpha 3.0 is installed. Restored: view, words, np." in after["text/plain"]
        assert kernel.run("print(float(view['array'].sum()), 'thing' in dir())") == "44999850000.0 False\n"


def test_history_autoreload_and_the_directory_come_back_with_the_variables(place, things, tmp_path):
    (tmp_path / "mine").mkdir()
    with kernel_of(place, tmp_path) as kernel:
        kernel.run("import os, sys; values = [1, 2]; values")
        kernel.run("%load_ext autoreload\n%autoreload 2\n%load_ext liveinstall")
        kernel.run(f"os.chdir({str(tmp_path / 'mine')!r}); sys.path.append({str(tmp_path)!r}); (x for x in ())")
        before, after = card_of(kernel, kernel.send("%liveinstall restart --keep"))
        assert "Out[3] will be lost." in before["text/plain"]
        told = after["text/plain"]
        assert (
            "Restored: values, os, sys; " in told
            and "%autoreload 2; In and Out of cells 1 to 4; the directory " in told
        )
        assert "%load_ext liveinstall" in told and f"{tmp_path} in sys.path" in told
        _, reply = kernel.execute("assert Out[1] is _1 is values and In[1].startswith('import os'); _1")
        assert reply["status"] == "ok" and reply["execution_count"] == 5
        assert kernel.run("print(_i5[:6], _ is values, os.getcwd(), len(In))").split() == [
            *("assert", "True", str(tmp_path / "mine"), "7")
        ]
        (tmp_path / "edited.py").write_text("def value(): return 1\n", encoding="utf-8")
        kernel.run("import edited, time; time.sleep(1)")
        (tmp_path / "edited.py").write_text("def value(): return 22\n", encoding="utf-8")
        assert kernel.run("print(edited.value())") == "22\n"


def test_a_kernel_that_is_killed_before_it_restores_offers_the_variables_once(place, things, tmp_path):
    prepare = "from liveinstall._frontends.restart.restart import preview; preview(['kept'])"
    with kernel_of(place, tmp_path) as kernel:
        kernel.run("import liveinstall; kept = [1, 2]")
        kernel.run(prepare)
        for is_first in (True, False):
            kernel.manager.restart_kernel(now=True)
            kernel.client.wait_for_ready(timeout=40)
            kernel.run("import liveinstall")
            asked, _ = kernel.execute("%load_ext liveinstall")
            kernel.run("print('kept' in dir())")
            shown = [m["content"]["data"]["text/plain"].strip() for m in kernel.said("display_data", asked)]
            assert len(shown) == is_first and all(
                text.startswith("Variables of a session that ended on ") and "kept: kept. To restore" in text
                for text in shown
            )
        assert kernel.run("import liveinstall; print(liveinstall.recover(), kept)") == "('kept',) [1, 2]\n"


def test_an_interrupt_while_large_variables_are_written_leaves_everything_as_it_was(place, things, tmp_path):
    with kernel_of(place, tmp_path) as kernel:
        kernel.run(
            "import numpy as np, os, liveinstall; array = np.zeros(40_000_000); old = os.getpid()\n"
            "from liveinstall._frontends.restart import variables_file as v; v._CHUNK = 2**12"
        )
        asked = kernel.send("liveinstall.restart(keep='all')")
        kernel.until(lambda message: "Writing the variables" in str(message["content"]))
        kernel.manager.interrupt_kernel()
        assert kernel.reply(asked)["ename"] == "KeyboardInterrupt"
        assert kernel.run("print(os.getpid() == old, len(array), os.listdir(v.directory()))") == "True 40000000 []\n"


def test_frames_arrays_and_what_uses_them_survive_the_upgrade_of_numpy_and_pandas(place, tmp_path):
    place.run("-m", "liveinstall", "cancel")
    place.add("numpy==1.26.4", "pandas==2.1.4", deps=True)
    with kernel_of(place, tmp_path) as kernel:
        kernel.run(
            "import numpy as np, pandas as pd, liveinstall\n"
            "frame = pd.DataFrame({'a': range(1000), 'b': pd.date_range('2026', periods=1000)})\n"
            "frame['c'] = ['x', 'y'] * 500\n"
            "column, by_c = frame['a'], frame.groupby('c')['a'].sum()\n"
            "matrix = np.random.default_rng(1).random((50, 50)); tail, half = matrix[10:], matrix[:, ::2]\n"
            "random = np.random.default_rng(7); records = np.zeros(3, dtype=[('n', 'i4'), ('t', 'U5')])\n"
            "kinds = frame['c'].astype('category'); masked = np.ma.array([1, 2], mask=[0, 1])\n"
        )
        told = kernel.run("print(*liveinstall.install('numpy>=2', 'pandas>=2.3').staged)")
        assert "numpy 1.26.4" in told and "pandas 2.1.4" in told
        _, after = card_of(kernel, kernel.send("liveinstall.restart(keep='all')"))
        assert "Restored: " in after["text/plain"]
        kernel.run(
            "assert np.__version__[0] == '2' and pd.__version__[:3] != '2.1'\n"
            "assert frame['a'].sum() == 499500 and frame['b'].iloc[-1].year == 2028 and column.sum() == 499500\n"
            "assert by_c['x'] == 249500 and matrix.shape == (50, 50) and list(kinds.cat.categories) == ['x', 'y']\n"
            "assert random.random() == np.random.default_rng(7).random() and records.dtype.names == ('n', 't')\n"
            "assert np.shares_memory(tail, matrix) and np.shares_memory(half, matrix) and half.shape == (50, 25)\n"
            "assert masked.sum() == 1 and frame.describe().shape[0] == 8\n"
        )
