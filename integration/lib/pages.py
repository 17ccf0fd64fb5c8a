"""Programs that serve a page on 127.0.0.1, each with its own port, and the page in a browser."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from integration.lib.environments import Environment, user_variables

_SECONDS = 120


@contextmanager
def served(environment: Environment, home: Path, *words: str | Path) -> Iterator[str]:
    """The URL of `python -m WORDS`, where `PORT` stands for the port; its home directory is `home`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [environment.python, "-m", *(port if word == "PORT" else word for word in words)]
    with (home / "server.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, cwd=home, env=user_variables(HOME=str(home)), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            _wait(f"http://127.0.0.1:{port}/", process, home / "server.log")
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=20)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"no page at {url}:\n{log.read_text(encoding='utf-8')}")


def open_page(browser: Any, url: str, *, width: int = 1000) -> Any:
    """The page, with time for a busy machine."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(_SECONDS * 1000)
    page.goto(url)
    return page
