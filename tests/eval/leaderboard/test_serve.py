"""The page on this machine."""

import json
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Event, Thread, active_count

import pytest

from eval.leaderboard.board import Board
from eval.leaderboard.page import render
from eval.leaderboard.serve import listen, serve
from l2r.errors import ConfigError, OutputError
from tests.eval.leaderboard.page.boards import lumir_board
from tests.eval.leaderboard.waiting import eventually

BOARD = lumir_board(2)
ROOT = Path(__file__).parents[3]


@contextmanager
def serving(make: Callable[[], Board]) -> Iterator[int]:
    with listen(make, 0) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def ask(
    port: int, path: str = "/", *, method: str = "GET", host: str | None = None
) -> tuple[HTTPResponse, str]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer, answer.read().decode()


def test_the_page_and_its_record() -> None:
    with serving(lambda: BOARD) as port:
        page, text = ask(port, "/?again")
        assert (page.status, text) == (200, render(BOARD))
        assert page.getheader("Content-Type") == "text/html; charset=utf-8"
        data, text = ask(port, "/board.json")
        assert (data.status, Board.model_validate_json(text)) == (200, BOARD)
        assert data.getheader("Content-Type") == "application/json; charset=utf-8"
        assert data.getheader("Cache-Control") == "no-store"


def test_every_request_reads_the_board_anew() -> None:
    titles = iter(["first", "second"])
    with serving(lambda: BOARD.model_copy(update={"title": next(titles)})) as port:
        found = [json.loads(ask(port, "/board.json")[1])["title"] for _ in range(2)]
    assert found == ["first", "second"]


def test_head_has_no_body_and_other_paths_nothing() -> None:
    with serving(lambda: BOARD) as port:
        head, text = ask(port, method="HEAD")
        assert (head.status, text) == (200, "")
        assert int(head.getheader("Content-Length") or 0) == len(render(BOARD).encode())
        assert ask(port, "/../eval/cli.py")[0].status == 404
        assert ask(port, method="POST")[0].status == 501


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example:80"])
def test_a_name_that_points_here_from_elsewhere_gets_nothing(host: str) -> None:
    with serving(lambda: BOARD) as port:
        answer, text = ask(port, host=host)
        assert answer.status == 403
        assert BOARD.title not in text
        assert ask(port, host=f"localhost:{port}")[0].status == 200


def test_a_board_that_cannot_be_read_is_one_line_and_not_the_end() -> None:
    boards = iter([OutputError("board.db: no such file"), None])

    def make() -> Board:
        if error := next(boards):
            raise error
        return BOARD

    with serving(make) as port:
        answer, text = ask(port)
        assert (answer.status, text) == (500, "error: board.db: no such file\n")
        assert ask(port)[0].status == 200


def test_a_reader_who_leaves_early_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    left, asked, large = Event(), Event(), lumir_board(21)

    def make() -> Board:
        asked.set()
        left.wait(20)
        return large

    with serving(make) as port:
        threads = active_count()
        with socket.create_connection(("127.0.0.1", port)) as connection:
            reset = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            connection.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            asked.wait(20)
        left.set()
        eventually(lambda: active_count() == threads)
    assert capfd.readouterr().err == ""


def test_it_listens_on_this_machine_only_by_default() -> None:
    with listen(lambda: BOARD, 0) as server:
        assert server.server_address[0] == "127.0.0.1"
    with listen(lambda: BOARD, 0, "0.0.0.0") as server:  # noqa: S104 - what a container does
        assert server.server_address[0] == "0.0.0.0"  # noqa: S104


def test_an_address_of_another_machine_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"cannot be used: .* \(192\.0\.2\.1\)"):
        listen(lambda: BOARD, 0, "192.0.2.1")


def test_a_port_in_use_is_one_line_that_says_what_to_try() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"^port {port}: cannot be used: .*; try another"):
            serve(lambda: BOARD, port)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(ConfigError, match=f"port {port}: a number from 0 to 65535 is expected"):
        listen(lambda: BOARD, port)


def test_ctrl_c_ends_it_without_a_word() -> None:
    code = (  # a background job of a script would inherit that the signal is ignored
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from eval.leaderboard.serve import serve\n"
        "from tests.eval.leaderboard.page.boards import lumir_board\n"
        "serve(lambda: lumir_board(1), 0)\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        line = process.stderr.readline()
        assert line.startswith("the leaderboard is at http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert (process.wait(20), rest.strip()) == (0, "")
