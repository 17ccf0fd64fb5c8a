"""An index on 127.0.0.1 that misbehaves on purpose, in the way that each project's name says."""

from __future__ import annotations

import base64
import hashlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

USER, PASSWORD = "somebody", "hunter2"
_PAGE = '<!DOCTYPE html><html><body><a href="/files/{file}{more}">{file}</a></body></html>'


class _Index(BaseHTTPRequestHandler):
    """`/simple/NAME/` answers as `_<NAME>`; `/files/` has wheels, whole or not."""

    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        place, _, rest = self.path.strip("/").partition("/")
        if place == "files":
            self._file(rest)
        elif place == "halved":
            self._half(self.server.wheel.read_bytes())  # type: ignore[attr-defined]
        elif place == "private":
            self._private(PASSWORD, self.server.wheel.read_bytes())  # type: ignore[attr-defined]
        else:
            getattr(self, "_" + rest.rstrip("/").replace("-", "_"), self._gone)()

    def _say(self, status: int, content: bytes, kind: str = "text/html", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _link(self, name: str, more: str = "") -> None:
        self._say(200, _PAGE.format(file=f"{name}-1.0-py3-none-any.whl", more=more).encode())

    def _file(self, name: str) -> None:
        content = self.server.wheel.read_bytes()  # type: ignore[attr-defined]
        if name.startswith("cut"):
            self._half(content)
        elif name.startswith("late"):
            time.sleep(60)
        else:
            garbled = name.startswith("garbled")
            self._say(200, b"no wheel at all" * 99 if garbled else content, "application/octet-stream")

    def _half(self, content: bytes) -> None:
        """Announce the whole file, and send half."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else content[: len(content) // 2])

    def _gone(self) -> None:
        self._say(404, b"not here")

    def _broken(self) -> None:
        self._say(500, b"<h1>out of order</h1>")

    def _silent(self) -> None:
        time.sleep(60)

    def _trickle(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        for _ in range(600):
            self.wfile.write(b"<")
            time.sleep(0.1)

    def _nonsense(self) -> None:
        self._say(200, bytes(range(256)) * 20)

    def _picture(self) -> None:
        self._say(200, b"\x89PNG", "image/png")

    def _circle(self) -> None:
        self._say(302, b"", Location=self.path)

    def _locked(self) -> None:
        self._private("another", b"")

    def _private(self, password: str, content: bytes) -> None:
        good = "Basic " + base64.b64encode(f"{USER}:{password}".encode()).decode()
        if self.headers.get("Authorization") == good:
            self._say(200, content, "application/octet-stream")
        else:
            self._say(401, b"who are you?", **{"WWW-Authenticate": 'Basic realm="test"'})

    def _garbled(self) -> None:
        self._link("garbled")

    def _cut(self) -> None:
        self._link("cut")

    def _late(self) -> None:
        self._link("late")

    def _untrue(self) -> None:
        self._link("untrue", "#sha256=" + hashlib.sha256(b"other").hexdigest())

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Ignore errors: clients are expected to disconnect."""


@contextmanager
def misbehave(wheel: Path, wrap: Callable[[Any], Any] = lambda socket: socket) -> Iterator[str]:
    """Serve; the address as `127.0.0.1:PORT`. Its files are made from `wheel`."""
    with _Server(("127.0.0.1", 0), _Index) as server:
        server.wheel = wheel  # type: ignore[attr-defined]
        server.socket = wrap(server.socket)
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


EXPIRED = Path(__file__).with_name("expired.pem")  # of one day in 2020, signed by itself, with its key


def expired(socket: Any) -> Any:
    """A socket that speaks TLS, with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(EXPIRED)
    return context.wrap_socket(socket, server_side=True, do_handshake_on_connect=False)


@contextmanager
def refusing_proxy() -> Iterator[str]:
    """A proxy that refuses every request; its URL, with credentials."""

    class Refuse(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(407, "Proxy says no")

        def do_CONNECT(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    with _Server(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{USER}:{PASSWORD}@127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
