"""Complete starts with damaged state: Python starts, with its own status, at most one line on stderr, in limited time.

`nox -s fuzz` runs it for minutes: LIVEINSTALL_FUZZ_SECONDS says how long; LIVEINSTALL_FUZZ_SEED repeats a failure.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.fuzz import SECONDS, damage, put_something_odd

from _liveinstall_boot.layout import HOLDS, MANIFEST, STATE, TRANSACTIONS

LONGEST = 15  # seconds of one start: at most the wait for a swap in progress, and a loaded machine


def files_that_a_start_reads(site: Path) -> list[Path]:
    state = site / STATE
    found = [*(state / TRANSACTIONS).glob("*"), *(state / HOLDS).glob("*"), *state.glob("history/*")]
    found += site.glob("*.part/" + MANIFEST)
    found += site.glob("*.dist-info/RECORD")
    found += [state / TRANSACTIONS / "20260101T000000-aaaaaaaa.pending", state / HOLDS / "7-abcdef01"]
    return [path for path in found if not path.name.startswith("pip-")]


@pytest.fixture
def staged(env):
    """An upgrade and a fresh install that the next start swaps."""
    env.wheel("alpha", "1.0", {"alpha/__init__.py": "V = 1\n", "alpha/gone.py": ""})
    env.run("li.install('alpha'); li.guard('on')")
    env.wheel("alpha", "2.0", {"alpha/__init__.py": "V = 2\n", "alpha/new.py": ""})
    env.wheel("beta", "1.0", {"beta.py": "V = 1\n"})
    env.run("import alpha; li.install('alpha>=2', 'beta')")
    return env


def start(env, copy: Path, code: str) -> subprocess.CompletedProcess:
    """Start Python with `copy` in place of the environment's site directory, as in its .pth lines."""
    line = f"import site, sys; site.addsitedir({str(copy)!r}); {code}"
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    variables = {**kept, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-S", "-c", line], capture_output=True, text=True, timeout=60, env=variables, cwd=copy
    )


KILL = (
    "import os; seen = [0]\n"
    "def hook(event, arguments):\n"
    "    if event in ('os.rename', 'os.mkdir', 'os.remove', 'os.rmdir'):\n"
    "        seen[0] += 1\n"
    "        if seen[0] == {at}: os._exit(9)\n"
    "import sys; sys.addaudithook(hook); import site; site.addsitedir({site!r})\n"
)


def test_python_starts_with_any_damaged_files(staged, tmp_path):
    seed = int(os.environ.get("LIVEINSTALL_FUZZ_SEED") or time.time_ns() % 10**9)
    good = shutil.copytree(staged.site, tmp_path / "good" / "site-packages", symlinks=True)
    assert start(staged, good, "import alpha, beta; print(alpha.V)").stdout == "2\n"
    assert (good / "alpha-2.0.dist-info").is_dir()  # without damage a start swaps
    end, rounds = time.monotonic() + SECONDS, 0
    while time.monotonic() < end or rounds < 3:
        seed, rounds = seed + 1, rounds + 1
        chance = random.Random(seed)
        copy = tmp_path / "copy" / "site-packages"
        shutil.copytree(staged.site, copy, symlinks=True)
        if chance.random() < 0.6:
            code = KILL.format(at=chance.randint(1, 40), site=str(copy))
            subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, timeout=60)
        for path in chance.sample(files := files_that_a_start_reads(copy), chance.randint(1, min(3, len(files)))):
            if chance.random() < 0.25 or not path.is_file():
                put_something_odd(path, chance)
            else:
                path.write_bytes(damage(path.read_bytes(), chance))
        for _ in range(2):
            begin = time.monotonic()
            done = start(staged, copy, "print('up'); raise SystemExit(7)")
            assert (done.returncode, done.stdout) == (7, "up\n"), (seed, done.stderr)
            assert len(done.stderr.splitlines()) <= 1, (seed, done.stderr)
            assert time.monotonic() - begin < LONGEST, seed
        shutil.rmtree(copy)
