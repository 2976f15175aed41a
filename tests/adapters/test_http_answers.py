"""What comes back on a connection of ours, byte by byte: what is believed, and what is let go."""

import gc
import socket
import ssl
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from dispatcher.adapters import http_connection
from dispatcher.adapters.http_connection import Answer, BodyTooLarge, OneConnection
from dispatcher.domain import errors
from tests.adapters.gateway_desk import Desk
from tests.adapters.raw_server import Line, Play, RawServer, Request, always, answer

OK = b"HTTP/1.1 200 OK\r\n"


def read(*parts: bytes, limit: int = 1_000) -> Answer:
    found = Answer(body_limit=limit)
    for part in parts:
        if found.is_over:
            break
        found.feed(part)
    return found


def test_a_whole_answer_is_believed_whatever_stands_behind_it() -> None:
    """It was paid for; but the connection is good for nothing more."""
    found = read(OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nhi" + b"\x00stray")

    assert (found.status, bytes(found.body), found.may_stay) == (200, b"hi", False)


def test_a_second_answer_is_not_believed() -> None:
    second = OK + b"Content-Length: 4\r\nRetry-After: 999\r\n\r\nevil"
    found = read(OK + b"Content-Length: 2\r\n\r\nhi" + second)

    assert (bytes(found.body), found.may_stay) == (b"hi", False)
    assert [name for name, _ in found.headers] == [b"Content-Length"]


def test_trailers_are_no_headers_and_have_an_end() -> None:
    head = OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
    found = read(head + b"Retry-After: 999\r\n\r\n")

    assert [name for name, _ in found.headers] == [b"Transfer-Encoding"]
    with pytest.raises(BodyTooLarge):
        read(head, *[b"X: " + b"a" * 10_000 + b"\r\n"] * 20)


@pytest.mark.parametrize("status", [100, 102, 103])
def test_what_comes_before_the_answer_is_passed_over(status: int) -> None:
    before = b"HTTP/1.1 %d Wait\r\nX-Early: 1\r\n\r\n" % status
    found = read(before + OK + b"Content-Length: 2\r\n\r\nhi")

    assert (found.status, bytes(found.body), found.may_stay) == (200, b"hi", True)
    assert b"X-Early" not in dict(found.headers)


@pytest.mark.parametrize(
    ("coding", "is_good"), [("identity", True), ("gzip", False), ("br", False)]
)
def test_only_what_was_asked_for_is_unpacked(coding: str, is_good: bool) -> None:
    sent = OK + f"Content-Encoding: {coding}\r\nContent-Length: 2\r\n\r\nhi".encode()
    if is_good:
        assert bytes(read(sent).body) == b"hi"
    else:
        with pytest.raises(httpx.RemoteProtocolError):
            read(sent)


@pytest.mark.parametrize(
    "parts",
    [
        (OK + b"Content-Le", b""),
        (OK + b"Content-Length: 5\r\n\r\nhi", b""),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhi", b""),
        (b"",),
        (b"SSH-2.0-OpenSSH\r\n",),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nhi",),
        (OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",),
    ],
)
def test_half_an_answer_is_none(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        read(*parts)


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    found = read(OK + b"\r\nh", b"i", b"")

    assert (bytes(found.body), found.may_stay) == (b"hi", False)


def test_an_answer_is_let_go_at_once(
    raw: Callable[[Play], RawServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of large ones would wait for the collector."""
    kept: list[weakref.ref[Answer]] = []

    class Remembered(Answer):
        def __init__(self, **limits: Any) -> None:
            super().__init__(**limits)
            kept.append(weakref.ref(self))

    monkeypatch.setattr(http_connection, "Answer", Remembered)
    server = raw(always(answer(200, b"x" * 1_000)))
    line = OneConnection(httpx.URL(server.url), read_s=5, tls=ssl.create_default_context())
    gc.disable()
    try:
        for _ in range(3):
            line.exchange(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", before_sending=lambda: None)
        assert [one() for one in kept] == [None] * 3
    finally:
        gc.enable()
        line.close()


def test_an_early_refusal_is_heard(desk_at: Callable[..., Desk]) -> None:
    """The gateway says 413 and hangs up before it has read the whole prompt."""
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        connection, _ = listener.accept()
        connection.recv(100)
        connection.sendall(answer(413, {"error": {"message": "too large"}}, Connection="close"))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(10**6)
        connection.close()

    desk = desk_at(f"http://127.0.0.1:{listener.getsockname()[1]}")
    desk.gateway._version_checked_at = desk.gateway._clock.monotonic()
    thread = threading.Thread(target=refuse)
    thread.start()
    try:
        with pytest.raises(errors.AskRefused):
            desk.ask("x" * 5_000_000)
    finally:
        thread.join(10)
        listener.close()


def test_many_that_wait_for_the_first_look_wait_for_one(
    raw: Callable[[Play], RawServer], desk_at: Callable[..., Desk]
) -> None:
    """A gateway that does not say its version is looked at once, not once by each of them."""
    seen: list[str] = []
    lock = threading.Lock()

    def play(request: Request, line: Line) -> bool:
        with lock:
            seen.append(request.path)
        if request.path == "/v1/responses":
            return line.send(answer(500, {"error": {"message": "no"}}))
        return line.send(answer(200, {"ready": True}))

    desk = desk_at(raw(play).url)
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait(10)
        with pytest.raises(errors.GatewayError):
            desk.ask()

    with ThreadPoolExecutor(8) as pool:
        for job in [pool.submit(ask) for _ in range(8)]:
            job.result()

    assert seen.count("/v1/responses") == 8
    assert seen.count("/startupz") < 8
