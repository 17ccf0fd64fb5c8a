"""Threads that import while others install: one version of each package, everything held, no error.

It relies on no global interpreter lock; with one, threads are switched as often as possible.
"""

from __future__ import annotations

IMPORTERS, CHANGED = 6, 4

STRESS = f"""
    import importlib, random, threading
    sys.setswitchinterval(1e-6)
    begin = threading.Barrier({IMPORTERS} + {CHANGED})
    seen, failed = {{}}, []
    def watched(action, number):
        try:
            begin.wait()
            action(number)
        except BaseException as error:
            failed.append(f"{{type(error).__name__}}: {{error}}")
    def load(number):
        names = [f"pkg{{n}}" for n in range(12)]
        random.Random(number).shuffle(names)
        for name in names:
            module, late = importlib.import_module(name), importlib.import_module(name + ".late")
            seen.setdefault(name, set()).add((module.__version__, late.V))
    def change(number):
        li.install(f"pkg{{number}}==2.0", quiet=True, timeout=600)  # eight take turns, also on a slow machine
        li.install(f"fresh{{number}}", quiet=True, timeout=600)
        importlib.import_module(f"fresh{{number}}.late")
    held = li.hold()
    threads = [threading.Thread(target=watched, args=(load, n)) for n in range({IMPORTERS})]
    threads += [threading.Thread(target=watched, args=(change, n)) for n in range({CHANGED})]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    uses = {{line.split()[1] for line in open(os.environ["LIVEINSTALL_HOLD"]) if line.startswith("uses ")}}
    print(json.dumps([failed, {{name: sorted(pairs) for name, pairs in seen.items()}}, sorted(uses)]))
"""


def test_threads_that_import_while_others_install_see_one_version_of_each_and_hold_all(env):
    for number in range(12):
        env.wheel(f"pkg{number}", "1.0")
        env.wheel(f"pkg{number}", "2.0")
        env.wheel(f"fresh{number}", "1.0")
    env.run("li.install(*[f'pkg{n}==1.0' for n in range(12)])")
    failed, seen, uses = env.json(STRESS)
    assert failed == []
    assert all(len(pairs) == 1 and pairs[0][0] == pairs[0][1] for pairs in seen.values()), seen
    assert {*seen, *(f"fresh{number}" for number in range(CHANGED))} <= set(uses)
    look = f"print(*[__import__(f'pkg{{n}}.late').late.V for n in range({CHANGED})])"
    assert env.bare(look).stdout.split() == ["2.0"] * CHANGED


def test_a_name_counts_as_held_only_when_it_is_written(tmp_path):
    """Otherwise a second thread that imports the same name could run the module before it is in the hold."""
    from _liveinstall_boot.watcher import Watcher

    class Slow(Watcher):
        def append(self, key, values):
            was_known.append("alpha" in self.known)
            assert values == ["alpha"]

    was_known = []
    watcher = Slow(str(tmp_path), -1, "", set())
    watcher.note(["alpha"])
    assert was_known == [False] and watcher.known == {"alpha"}
