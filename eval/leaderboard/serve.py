"""The leaderboard's page, on this machine only.

    GET /            the page, made anew at each request
    GET /board.json  the record that it is made of

It listens on 127.0.0.1 by default (a container needs another address), and answers only those who
call it by that name or `localhost`: a web page elsewhere that points a name of its own at this
machine gets nothing.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from eval.leaderboard.board import Board
from eval.leaderboard.page import render
from l2r.errors import ConfigError, L2RError

HOST = "127.0.0.1"
LAST_PORT = 65535


def serve(make: Callable[[], Board], port: int, host: str = HOST) -> None:
    """Serve until Ctrl-C; the address goes to stderr.

    Args:
        make: reads the current board; called by one request at a time.
        port: 0 takes any that is free.
        host: address to listen on.

    Raises:
        ConfigError: the port is taken, forbidden or no port, or the address is not this machine's.
    """
    with listen(make, port, host) as server, suppress(KeyboardInterrupt):
        address = f"http://{HOST}:{server.server_port}/"
        sys.stderr.write(f"the leaderboard is at {address}, Ctrl-C ends\n")
        sys.stderr.flush()
        server.serve_forever()


def listen(make: Callable[[], Board], port: int, host: str = HOST) -> ThreadingHTTPServer:
    """A server that has its port and answers nothing yet.

    Raises:
        ConfigError: as for `serve`.
    """
    if not 0 <= port <= LAST_PORT:
        raise ConfigError(f"port {port}: a number from 0 to {LAST_PORT} is expected")
    try:
        return ThreadingHTTPServer((host, port), partial(_Handler, make, Lock()))
    except OSError as cause:
        raise ConfigError(
            f"port {port}: cannot be used: {cause.strerror} ({host}); try another one, or 0 for "
            "any free one"
        ) from None


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, make: Callable[[], Board], one_at_a_time: Lock, *connection: object) -> None:
        self._make = make
        self._one_at_a_time = one_at_a_time
        super().__init__(*connection)  # type: ignore[arg-type] # request, address and server

    def handle(self) -> None:
        with suppress(ConnectionError):  # the reader has gone
            super().handle()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if not self._called_by_name():
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", "only for this machine\n")
        elif path == "/":
            self._show("text/html", render)
        elif path == "/board.json":
            self._show("application/json", Board.model_dump_json)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", "try / or /board.json\n")

    do_HEAD = do_GET  # noqa: N815 - the name that the base class looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Say nothing of single requests."""

    def _called_by_name(self) -> bool:
        name = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        return name in {HOST, "localhost"}

    def _show(self, kind: str, write: Callable[[Board], str]) -> None:
        try:
            with self._one_at_a_time:
                board = self._make()
        except L2RError as error:
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", f"error: {error}\n")
        else:
            self._answer(HTTPStatus.OK, kind, write(board))

    def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
