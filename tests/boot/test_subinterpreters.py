"""One process is one holder: a subinterpreter swaps nothing, and records its imports in the process's hold."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from _liveinstall_boot import subinterpreter
from _liveinstall_boot.process import is_main_interpreter

PRELUDE = """
    import os, sys, textwrap
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    def inside(code):
        code = textwrap.dedent(code)
        if KIND == "public":
            from concurrent import interpreters as public
            sub = public.create()
            try: sub.exec(code)
            except public.ExecutionFailed as failed: print("failed:", failed)
            return sub
        if sys.version_info >= (3, 13):
            sub = interpreters.create(KIND)
        else:
            sub = interpreters.create(isolated=KIND == "isolated")
        failed = interpreters.run_string(sub, code)
        if failed: print("failed:", getattr(failed, "formatted", failed))
        return sub
    holds = lambda: sorted(n for n in os.listdir(STATE + "/holds") if n.startswith(f"{os.getpid()}-"))
"""
pytestmark = pytest.mark.skipif(sys.platform in ("emscripten", "wasi"), reason="has one interpreter only")


@pytest.fixture(params=["isolated", "legacy", *(["public"] if sys.version_info >= (3, 14) else [])])
def prelude(request, env):
    """Kinds of subinterpreters; "public" are those of `concurrent.interpreters`."""
    return f"""
    KIND = {request.param!r}
    STATE = {str(env.site / ".liveinstall")!r}
    {PRELUDE.strip()}"""


def test_this_is_the_main_interpreter():
    assert is_main_interpreter()


def test_a_subinterpreter_swaps_nothing_and_has_the_view_of_its_process(env, prelude):
    env.wheel("alpha", "1.0", {"alpha.py": "V = 1\n"})
    env.wheel("alpha", "2.0", {"alpha.py": "V = 2\n"})
    env.run("li.install('alpha==1.0')")
    done = env.run(f"""{prelude}
    import alpha
    li.install("alpha==2.0")
    before = holds(), os.environ["LIVEINSTALL_HOLD"]
    inside("import alpha; print('sees', alpha.V, flush=True)")
    print(before == (holds(), os.environ["LIVEINSTALL_HOLD"]), len(li.pending()))
    """)
    assert done.stdout.splitlines() == ["sees 1", "True 1"], done.stdout + done.stderr
    assert env.bare("import alpha; print(alpha.V)").stdout == "2\n"


def test_a_process_without_a_hold_takes_one_when_its_subinterpreter_finds_pending_changes(env, prelude):
    env.wheel("alpha", "1.0", {"alpha.py": "V = 1\n"})
    env.wheel("alpha", "2.0", {"alpha.py": "V = 2\n"})
    env.run("li.install('alpha==1.0')")
    done = env.bare(f"""{prelude}
    VARIABLES = {env.variables()!r}
    import alpha, subprocess
    stage = "import liveinstall as li, fake_engine; li.install('alpha==2.0', when='restart')"
    subprocess.run([sys.executable, "-c", stage], check=True, env=VARIABLES)
    inside("import alpha; print('sees', alpha.V, flush=True)")
    inside("import alpha; print('sees', alpha.V, flush=True)")
    see = "import alpha; print('child', alpha.V)"
    sys.stdout.flush()
    subprocess.run([sys.executable, "-c", see], check=True, env=None)
    print(len(holds()))
    """)
    assert done.stdout.splitlines() == ["sees 1", "sees 1", "child 1", "1"], done.stdout + done.stderr
    assert env.bare("import alpha; print(alpha.V)").stdout == "2\n"


def test_what_only_a_subinterpreter_imports_is_held(env, prelude):
    env.wheel("alpha", "1.0", {"alpha.py": "V = 1\n"})
    env.wheel("beta", "1.0", {"beta.py": "V = 1\n"})
    env.wheel("beta", "2.0", {"beta.py": "V = 2\n"})
    env.run("li.install('alpha==1.0', 'beta==1.0')")
    done = env.run(f"""{prelude}
    held = li.hold()
    sub = inside("import liveinstall; liveinstall.hold(); import beta; print('sees', beta.V, flush=True)")
    print("uses beta" in open(os.environ["LIVEINSTALL_HOLD"]).read(), len(holds()))
    """)
    assert done.stdout.splitlines() == ["sees 1", "True 1"], done.stdout + done.stderr


def test_calls_in_a_subinterpreter_work_or_end_in_a_typed_error(env, prelude):
    env.wheel("alpha", "1.0")
    done = env.run(f"""{prelude}
    inside('''
        import liveinstall as li
        for call in (lambda: li.install("alpha"), lambda: li.plan("alpha"), lambda: li.ensure("alpha"),
                     lambda: li.uninstall("alpha"), li.undo, li.repair, li.cancel):
            try:
                print("no error", call())
            except li.LiveInstallError as error:
                print(type(error).__name__, "subinterpreter" in str(error))
        print(len(li.list()) >= 0, li.status().distributions >= 0, len(li.pending()), flush=True)
    ''')
    """)
    assert done.stdout.splitlines() == ["TargetError True"] * 7 + ["True True 0"], done.stdout + done.stderr
    assert "alpha" not in env.versions()


@pytest.mark.skipif(sys.version_info < (3, 14), reason="InterpreterPoolExecutor came with Python 3.14")
def test_a_pool_of_interpreters_sees_what_its_process_sees(env):
    env.wheel("alpha", "1.0", {"alpha/__init__.py": "V = 1\n", "alpha/late.py": "V = 1\n"})
    env.wheel("alpha", "2.0", {"alpha/__init__.py": "V = 2\n", "alpha/late.py": "V = 2\n"})
    env.run("li.install('alpha==1.0')")
    done = env.run("""
    import alpha
    from concurrent.futures import InterpreterPoolExecutor
    li.install("alpha==2.0")
    look = "[__import__('alpha').V, __import__('alpha.late').late.V]"
    with InterpreterPoolExecutor(2) as pool:
        print(*pool.map(eval, [look] * 4))
    import alpha.late
    print(alpha.late.V, len(li.pending()))
    """)
    assert done.stdout.splitlines() == ["[1, 1] [1, 1] [1, 1] [1, 1]", "1 1"], done.stdout + done.stderr
    assert env.bare("import alpha.late; print(alpha.late.V)").stdout == "2\n"


@pytest.mark.parametrize("threads", ["", "import threading"])
def test_a_first_use_at_the_end_of_python_ends_in_a_typed_error_or_works(env, threads):
    env.wheel("alpha", "1.0")
    done = env.run(f"""
    import atexit, os
    {threads}
    def late():
        try: print(len(li.install("alpha").installed))
        except li.LiveInstallError as error: print(type(error).__name__, "shutting down" in str(error))
    atexit.register(late)
    """)
    assert done.stdout in ("1\n", "TargetError True\n") and done.stderr == "", done.stdout + done.stderr


def test_a_copy_of_a_descriptor_is_not_that_of_a_closed_standard_stream(tmp_path):
    (tmp_path / "hold").touch()
    code = f"""
import os
from _liveinstall_boot.subinterpreter import copy_of_descriptor
first = os.open({str(tmp_path / "hold")!r}, os.O_RDWR)
for number in range(3):
    os.close(number)
os._exit(copy_of_descriptor({str(tmp_path / "hold")!r}))
"""
    source = os.path.dirname(os.path.dirname(subinterpreter.__file__))
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": source}, check=False)
    assert done.returncode > 3  # the first one has 3
