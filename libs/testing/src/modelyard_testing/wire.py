"""A TCP connection to a server, counted, that breaks when a test wants it to."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from functools import partial
from typing import Final
from urllib.parse import urlsplit

_CHUNK: Final = 1 << 16


class Wire:
    """Passes on to the server at `url` what is sent to its own `url`.

    Once it is cut, who holds a connection loses it, and nobody gets one until it is mended.
    """

    def __init__(self, url: str) -> None:
        server = urlsplit(url)
        self._server = (server.hostname or "", server.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address = self._listener.getsockname()
        self.url = f"http://127.0.0.1:{self._address[1]}"
        self.sent = 0
        """Bytes towards the server."""
        self.cut_after: int | None = None
        """It is cut when so many bytes have been sent."""
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """End every connection and take no more."""
        with self._lock:
            held = [self._listener, *self._open]
            self._open.clear()
        for one in held:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def mend(self) -> None:
        """Take connections again, at the same address."""
        self.cut_after = None
        self._listener = socket.create_server(self._address)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(self._server, timeout=10)
            except OSError:
                return
            server.settimeout(None)
            with self._lock:
                self._open |= {client, server}
            for source, target in ((client, server), (server, client)):
                pump = partial(self._pump, source, target, counted=target is server)
                threading.Thread(target=pump, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, *, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                if counted:
                    with self._lock:
                        self.sent += len(data)
                        over = self.cut_after is not None and self.sent > self.cut_after
                    if over:
                        self.cut()
                        return
                target.sendall(data)
        with self._lock:
            self._open -= {source, target}
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextlib.contextmanager
def wire(url: str) -> Iterator[Wire]:
    """A wire to the server at `url`, cut on leaving."""
    made = Wire(url)
    try:
        yield made
    finally:
        made.cut()
