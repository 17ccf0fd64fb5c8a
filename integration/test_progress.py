"""Events of real downloads, and requests that are cancelled from outside: no leftovers, no running processes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest

from integration.lib.checks import left_overs, tree
from integration.lib.environments import Environment, user_variables
from integration.lib.wheels import write_wheel

_BYTES = 6_000_000

_ENDED = {
    "cancel": """
import asyncio
async def main():
    begun = asyncio.Event()
    task = asyncio.ensure_future(li.ainstall("big", on_event=lambda event: (hear(event), begun.set())))
    await begun.wait()
    while not os.path.exists(MARK):
        await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.wait([task])
    print(task.cancelled())
asyncio.run(main())
""",
    "SIGINT": "li.install('big', on_event=hear)\n",
    "SIGKILL": "li.install('big', on_event=hear)\n",
}


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a wheel of six megabytes that cannot be compressed."""
    directory = tmp_path_factory.mktemp("big")
    write_wheel(directory, "big", "1.0", files={"big/noise.txt": random.Random(1).randbytes(_BYTES).hex()})
    return directory


class _Server(SimpleHTTPRequestHandler):
    """Serves a directory; after half of a wheel it waits until it is released."""

    gate: threading.Event

    def copyfile(self, source, outputfile) -> None:
        if not self.path.endswith(".whl"):
            super().copyfile(source, outputfile)
            return
        size = os.fstat(source.fileno()).st_size
        done = 0
        while chunk := source.read(65_536):
            outputfile.write(chunk)
            done += len(chunk)
            if done > size / 2:
                self.gate.wait(60)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def serving(directory: Path, *, whole: bool) -> Iterator[str]:
    """An address that serves the wheels of a directory. Without `whole` a download stops in the middle."""
    gate = threading.Event()
    if whole:
        gate.set()
    handler = partial(type("Handler", (_Server,), {"gate": gate}), directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            gate.set()
            server.shutdown()


def variables(address: str, scratch: Path) -> dict[str, str]:
    """pip uses only this address, and no cache."""
    where = {"PIP_FIND_LINKS": address, "PIP_NO_INDEX": "1", "PIP_NO_CACHE_DIR": "1", "PIP_TRUSTED_HOST": "127.0.0.1"}
    return user_variables(**where, TMPDIR=str(scratch), no_proxy="127.0.0.1", NO_PROXY="127.0.0.1")


def test_downloads_are_reported_in_bytes_and_in_order(environment: Environment, big: Path, tmp_path: Path) -> None:
    with serving(big, whole=True) as address:
        done = environment.run(
            "-c",
            "import json, liveinstall as li\nheard = []\nli.install('big', on_event=heard.append)\n"
            "got = [e for e in heard if isinstance(e, li.events.Downloading)]\n"
            "print(json.dumps([[type(e).__name__ for e in heard], [[e.file, e.done, e.total] for e in got]]))",
            env=variables(address, tmp_path),
            check=True,
        )
    kinds, downloads = json.loads(done.stdout)
    assert {row[0] for row in downloads} == {"big-1.0-py3-none-any.whl"}
    # pip reports the beginning, the end, and at most every quarter of a second between: so the number varies, but the
    # bytes only grow, because the file is downloaded once.
    assert downloads[0][1] == 0 and downloads[-1][1] == downloads[-1][2] > _BYTES
    assert all(later > before for (_, before, _), (_, later, _) in pairwise(downloads))
    assert list(dict.fromkeys(kinds)) == ["Planning", "Downloading", "Planned", "Staging", "Committing", "Done"]


@pytest.mark.skipif(os.name == "nt", reason="looks for processes by their command lines")
@pytest.mark.parametrize("end", list(_ENDED))
def test_an_install_that_is_ended_in_a_download_leaves_nothing(
    environment: Environment, big: Path, tmp_path: Path, end: str
) -> None:
    before, mark = tree(environment.site), tmp_path / "begun"
    code = f"""
import os, signal, liveinstall as li
signal.signal(signal.SIGINT, signal.default_int_handler)
MARK = {str(mark)!r}
def hear(event):
    if isinstance(event, li.events.Downloading):
        open(MARK, "w").close()
{_ENDED[end]}"""
    pipe = subprocess.PIPE
    with (
        serving(big, whole=False) as address,
        subprocess.Popen(
            [environment.python, "-c", code], env=variables(address, tmp_path), stdout=pipe, stderr=pipe, text=True
        ) as process,
    ):
        began = _wait(mark.exists)
        if end != "cancel" or not began:
            process.send_signal(getattr(signal, end if began else "SIGKILL"))
        out, err = process.communicate(timeout=60)
        assert began, err
        assert out == ("True\n" if end == "cancel" else ""), err
        assert _wait(lambda: not _processes_of(environment)), _processes_of(environment)
    environment.run("-m", "liveinstall", "finalize", check=True)
    assert left_overs(environment.site) == [] and tree(environment.site) == before
    with serving(big, whole=True) as address:
        again = environment.run("-c", "import liveinstall as li; li.install('big'); import big",
                                env=variables(address, tmp_path))  # fmt: skip
    assert again.returncode == 0, again.stderr


def _wait(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def _processes_of(environment: Environment) -> list[str]:
    listed = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(environment.path) in line]
