"""A web server that stands for what lies outside."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Page:
    """What is at a path. `length` is what Content-Length says, when that is to be a lie; `head` False answers 405 to HEAD."""

    body: bytes = b""
    etag: str | None = None
    location: str | None = None
    status: int = 200
    length: int | None = None
    head: bool = True


@dataclass
class WebServer:
    """A running server; `pages` may be changed while it runs. `asked` are the requests that came, `METHOD path`."""

    port: int
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """The URL of a path."""
        return f"http://{host}:{self.port}{path}"


@contextmanager
def serving() -> Iterator[WebServer]:
    """A web server on a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

        def _answer(self, *, body: bool) -> None:
            here.asked.append(f"{self.command} {self.path}")
            page = here.pages.get(self.path.partition("?")[0], Page(status=404))
            if not body and not page.head:
                page = Page(status=405)
            self.send_response(page.status if page.location is None else 302)
            if page.location is not None:
                self.send_header("Location", page.location)
            if page.etag is not None:
                self.send_header("ETag", page.etag)
            self.send_header("Content-Length", str(len(page.body) if page.length is None else page.length))
            self.end_headers()
            if body:
                self.wfile.write(page.body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = WebServer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
