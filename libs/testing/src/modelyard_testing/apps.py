"""Applications for tests of what calls them: each on a real socket, in a thread and loop of its own, so that callers may block."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI

_START_S: Final = 30.0
_STOP_S: Final = 20.0


class AppServer:
    """One application on one port; it can be stopped and started again there, as a service that is replaced."""

    def __init__(self, build: Callable[[], FastAPI]) -> None:
        self._build = build
        self._listener = socket.create_server(("127.0.0.1", 0))  # holds the port while the application is down
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Build the application anew and answer once it has started. Raises RuntimeError when it does not start."""
        config = uvicorn.Config(self._build(), log_config=None, access_log=False, timeout_graceful_shutdown=1)
        server = self._server = uvicorn.Server(config)
        thread = self._thread = threading.Thread(target=self._run, args=(server,), daemon=True)
        thread.start()
        waited = threading.Event()
        for _ in range(int(_START_S / 0.01)):
            if server.started:
                return
            if not thread.is_alive():
                break
            waited.wait(0.01)
        raise RuntimeError("the application did not start")

    def _run(self, server: uvicorn.Server) -> None:
        with self._listener.dup() as listener:
            server.run([listener])

    def stop(self) -> None:
        """End the application. Connections that come now wait, and are refused only by their own time-outs."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(_STOP_S)
        if self._thread.is_alive():
            raise RuntimeError("the application did not stop")
        self._server = self._thread = None

    def close(self) -> None:
        """End the application and give the port back."""
        self.stop()
        self._listener.close()


@contextmanager
def app_server(build: Callable[[], FastAPI]) -> Iterator[AppServer]:
    """A started application, ended on leaving."""
    server = AppServer(build)
    try:
        server.start()
        yield server
    finally:
        server.close()
