"""A server on this machine that hands out one file, in as many ways as servers have of doing it."""

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


class Served:
    """What is handed out, how, and what was asked for."""

    def __init__(self, content: bytes) -> None:
        """The file of every address."""
        self.content, self.cuts, self.url, self.away, self.commit = content, 0, "", "", "5" * 40
        self.asked, self.tokens = [], []


class Handler(BaseHTTPRequestHandler):
    """`/whole`, `/cut`, `/deaf` (to Range), `/page`, `/short`, `/nohead...`, `/away`, or those of a hub."""

    protocol_version = "HTTP/1.1"
    served: Served

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        """What there is."""
        self.served.asked.append(("HEAD", self.path, ""))
        self.served.tokens.append(self.headers.get("Authorization"))
        if self.path.startswith("/nohead"):
            self._send(405, b"")
        elif self.path == "/away":
            self._send(302, b"", {"Location": self.served.away})
        else:
            self._send(200, self._body(), body=False)

    def do_GET(self) -> None:
        """The file, or the rest of it."""
        content, span = self._body(), self.headers.get("Range", "")
        self.served.asked.append(("GET", self.path, span))
        self.served.tokens.append(self.headers.get("Authorization"))
        if "lost" in self.path:
            self._send(404, b"")
            return
        first = int(re.fullmatch(r"bytes=(\d+)-.*", span)[1]) if span and self.path != "/deaf" else 0
        if first and first >= len(content):
            self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        more = {"Content-Range": f"bytes {first}-{len(content) - 1}/{len(content)}"} if first else {}
        if self.path == "/cut" and self.served.cuts:
            self.served.cuts -= 1
            half = content[first : first + (len(content) - first) // 2]
            self._send(206 if first else 200, half, more | {"Content-Length": str(len(content) - first)})
            self.close_connection = True
            return
        self._send(206 if first else 200, content[first:], more)

    def _body(self) -> bytes:
        if "page" in self.path:
            return b"\n<!DOCTYPE html><title>Log in</title>" + b" " * 999
        return self.served.content[:-7] if "short" in self.path else self.served.content

    def _send(self, status: int, content: bytes, more: dict[str, str] | None = None, *, body: bool = True) -> None:
        kind = "text/html; charset=utf-8" if self.path.startswith("/page") else "application/octet-stream"
        self.send_response(status)
        given = {"Content-Type": kind, "Content-Length": str(len(content))}
        if "/resolve/" in self.path:
            given |= {"X-Repo-Commit": self.served.commit, "ETag": f'"{hash(self.served.content)}"'}
        for name, value in (given | (more or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)


@contextmanager
def serving(content: bytes, certificate: Path | None = None) -> Iterator[Served]:
    """The server, while it runs; encrypted with the key and certificate of a file, where one is given."""
    served = Served(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Handler,), {"served": served}))
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    served.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def allowed(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connections, as in a process that was started where nothing forbids them."""
    from huggingface_hub import close_session, constants

    for name in ("LEAKAUDIT_OFFLINE", "HF_HUB_OFFLINE"):
        patch.delenv(name, raising=False)
    patch.setattr(constants, "HF_HUB_OFFLINE", False)  # read once, by whichever test was first to import it
    close_session()
    yield
    close_session()
