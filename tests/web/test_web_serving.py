"""The bounds of our web server, over real sockets and with short times."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

import httpx
import pytest
from flask import Flask, request

from dispatcher.web import serving
from tests.waiting import until

SILENT_S = 3
REQUEST_S = 4
THREADS = 2


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(serving, "_SILENT_S", SILENT_S)
    monkeypatch.setattr(serving, "_REQUEST_S", REQUEST_S)
    monkeypatch.setattr(serving, "_CLEANS_UP_S", 1)
    app = Flask("echo")

    @app.post("/")
    def echo() -> bytes:
        return request.get_data()

    @app.get("/large")
    def large() -> bytes:
        return b"x" * 256 * 1024

    @app.get("/slow")
    def slow() -> bytes:
        time.sleep(SILENT_S + 1.5)
        return large()

    server: Any = serving.make_server(
        app, host="127.0.0.1", port=0, threads=THREADS, body_limit=1_000
    )
    runs = threading.Thread(target=server.run)
    runs.start()
    yield int(server.effective_port)
    server.asyncore.close_all(server._map, ignore_all=True)
    server.task_dispatcher.shutdown()
    runs.join(5)
    assert not runs.is_alive()


def dialled(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def is_closed(one: socket.socket) -> bool:
    """Drip a byte; tell whether the other side has had enough."""
    one.settimeout(0.2)
    with suppress(TimeoutError):
        try:
            one.sendall(b"a")
            return one.recv(1) == b""
        except ConnectionError:
            return True
    return False


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ", id="head"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n", id="body"),
    ],
)
def test_dripping_does_not_keep_a_connection_open(port: int, start: bytes) -> None:
    with closing(dialled(port)) as slow:
        began = time.monotonic()
        slow.sendall(start)
        until(lambda: is_closed(slow), seconds=30)
    assert time.monotonic() - began > SILENT_S


def test_every_request_of_a_connection_has_its_whole_time(port: int) -> None:
    half = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\na"
    began = time.monotonic()
    with closing(dialled(port)) as calm:
        calm.sendall(half)
        while time.monotonic() < began + REQUEST_S + 1:
            for letter in (b"b", b"c", b"d", b"e"):
                time.sleep(0.2)
                calm.sendall(letter)
            # The end of one request and half of the next in one piece.
            calm.sendall(b"f" + half)
            assert answer_of(calm).endswith(b"abcdef")


def answer_of(one: socket.socket) -> bytes:
    found = b""
    while not found.endswith(b"f"):
        piece = one.recv(4_096)
        assert piece, found
        found += piece
    return found


def test_whoever_takes_nothing_of_its_answers_is_sent_away(port: int) -> None:
    """Before, a thread that had 16 MiB to send waited for such a client for ever."""
    with ExitStack() as open_ones:
        for _ in range(THREADS):
            deaf = open_ones.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.connect(("127.0.0.1", port))
            deaf.sendall(b"GET /large HTTP/1.1\r\n\r\n" * 300)

        url = f"http://127.0.0.1:{port}/"
        answer = httpx.post(url, content=b"a", timeout=30, trust_env=False)
    assert answer.content == b"a"


def test_an_answer_that_takes_long_to_make_is_not_cut(port: int) -> None:
    answer = httpx.get(f"http://127.0.0.1:{port}/slow", timeout=30, trust_env=False)

    assert len(answer.content) == 256 * 1024


@pytest.mark.parametrize(("files", "connections"), [(4_096, 1_500), (1_024, 524), (128, 50)])
def test_no_more_connections_are_taken_than_files_may_be_open(files: int, connections: int) -> None:
    """Else every further one would end in an error, and Redis could not be reached either."""
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}))
from dispatcher.web.serving import make_server
made = make_server(lambda *_: [], host="127.0.0.1", port=0, threads=1, body_limit=1)
print(made.adj.connection_limit)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == str(connections), done.stderr
