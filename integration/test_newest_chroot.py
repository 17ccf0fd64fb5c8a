"""The chroot with the newest Pythons: programs in it leave nothing behind, however they end; two may run at once."""

from __future__ import annotations

import signal
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from integration.lib.environments import ROOT

SCRIPT = ROOT / "integration" / "platforms" / "newest.sh"


@pytest.fixture(scope="module", autouse=True)
def _made() -> None:
    made = subprocess.run([SCRIPT, "make"], check=False, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(made.stdout.strip() or made.stderr.strip())


def start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen([SCRIPT, "run", "sh", "-c", code], stdout=subprocess.PIPE, text=True)


def left_of(mark: str) -> list[str]:
    """The mounts of a chroot on the machine, and the processes with the mark in their command line."""
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if "liveinstall-tests/newest-" in line]
    return mounts + [str(path) for path in Path("/proc").glob("[0-9]*/cmdline") if mark.encode() in read(path)]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_it_has_the_newest_pythons_and_a_copy_of_the_checkout() -> None:
    look = "for v in 3.14 3.15; do python$v -c 'import sys, liveinstall; print(sys.version_info[:2])'; done"
    process = start(f"export PYTHONPATH=src; {look}; touch src/x; exit 7")
    said, _ = process.communicate(timeout=300)
    assert said.splitlines() == ["(3, 14)", "(3, 15)"] and process.returncode == 7
    assert not (ROOT / "src" / "x").exists()


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_two_run_at_once_and_a_killed_one_leaves_no_mount_and_no_process(by: signal.Signals) -> None:
    mark = f"mark-{uuid.uuid4()}"
    one, two = (start(f"echo up; trap '' TERM; sleep 300 & wait; : {mark}") for _ in range(2))
    assert one.stdout.readline() == two.stdout.readline() == "up\n" and left_of(mark)
    for process in (one, two):
        process.send_signal(by)
        process.wait(timeout=30)
        process.stdout.close()
    end = time.monotonic() + 30
    while left_of(mark) and time.monotonic() < end:
        time.sleep(0.1)
    assert not left_of(mark)
