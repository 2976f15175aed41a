"""Clients that mean no good: whatever they do, the processes stay alive and serve the others."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from dispatcher.lab.stack import Stack
from dispatcher.web.serving import CONNECTIONS
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

MANY = 1_000
SOON_S = 3.0
MORE_MIB = 80


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("hostile"), settings={}).start()
    # The worker is no part of the runtime's readiness.
    until(lambda: _answers(ports(running)["worker"]))
    yield running
    running.stop()


def ports(stack: Stack) -> dict[str, int]:
    worker = stack.worker_metrics_url(0)
    return {"runtime": int(stack.settings["HEALTH_PORT"]), "worker": httpx.URL(worker).port or 0}


def dialled(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def _answers(port: int) -> bool:
    with suppress(OSError), dialled(port):
        return True
    return False


def assert_alive(stack: Stack) -> None:
    """Every process answers soon, and says that it makes progress."""
    for port in ports(stack).values():
        began = time.monotonic()
        answer = httpx.get(f"http://127.0.0.1:{port}/livez", timeout=SOON_S, trust_env=False)
        assert answer.status_code == 200, answer.text
        assert time.monotonic() - began < SOON_S


@contextmanager
def within_memory(stack: Stack) -> Iterator[None]:
    assert stack.runtime is not None
    process = psutil.Process(stack.runtime.pid)
    before = process.memory_info().rss
    yield
    assert (process.memory_info().rss - before) / 2**20 < MORE_MIB


@pytest.mark.parametrize("name", ["runtime", "worker"])
def test_a_thousand_connections_keep_nobody_from_being_served(stack: Stack, name: str) -> None:
    assert MANY < CONNECTIONS
    with within_memory(stack), ExitStack() as open_ones:
        for _ in range(MANY):
            open_ones.enter_context(dialled(ports(stack)[name]))
        assert_alive(stack)

        first = open_ones.enter_context(dialled(ports(stack)[name]))
        # Whoever says nothing is sent away after a while.
        first.settimeout(30)
        assert first.recv(1) == b""
    assert_alive(stack)


@pytest.mark.parametrize(
    "start",
    [
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /agent/task-status HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{",
        b"POST /steer/pause HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_slow_senders_take_no_thread(stack: Stack, start: bytes) -> None:
    with within_memory(stack), ExitStack() as open_ones:
        slow = [open_ones.enter_context(dialled(ports(stack)["runtime"])) for _ in range(200)]
        for one in slow:
            one.sendall(start)
        for _ in range(3):
            for one in slow:
                with suppress(OSError):
                    one.sendall(b"a")
            assert_alive(stack)


def test_whoever_never_reads_its_answers_costs_little(stack: Stack) -> None:
    ask = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50
    with within_memory(stack), ExitStack() as open_ones:
        for _ in range(100):
            deaf = open_ones.enter_context(dialled(ports(stack)["runtime"]))
            deaf.settimeout(0.2)
            with suppress(OSError):
                deaf.sendall(ask)
        for _ in range(5):
            assert_alive(stack)
    assert_alive(stack)


def _headers(count: int, size: int) -> bytes:
    return b"".join(b"X-%d: %s\r\n" % (number, b"a" * size) for number in range(count))


HEAD = b"POST /agent/task-status HTTP/1.1\r\nHost: x\r\nx-openclaw-session-key: turn_x\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="tls"),
        pytest.param(b"\x00" * 2_000 + b"\r\n\r\n", id="zeros"),
        pytest.param(b"GET\r\n\r\n", id="no path"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", id="version"),
        pytest.param(b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="long path"),
        pytest.param(b"GET / HTTP/1.1\r\n" + _headers(20_000, 8) + b"\r\n", id="header flood"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"a" * 10**6 + b"\r\n\r\n", id="long header"),
        pytest.param(HEAD + b"Content-Length: -1\r\n\r\n", id="negative length"),
        pytest.param(HEAD + b"Content-Length: 99999999999999\r\n\r\n", id="huge length"),
        pytest.param(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", id="two lengths"),
        pytest.param(
            HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="both"
        ),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="bad chunk"),
        pytest.param(HEAD + b"Transfer-Encoding: gzip\r\n\r\n", id="coding"),
        pytest.param(HEAD + b"Content-Length: 200000\r\n\r\n" + b"[" * 200_000, id="deep JSON"),
        pytest.param(HEAD + b"Content-Length: 4\r\n\r\n\xff\xfe\x00\x00", id="no UTF-8"),
        pytest.param(b"GET /%ff%00/..%2f..%2fetc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", id="path"),
        pytest.param(b"GET /static/../app.py HTTP/1.1\r\nHost: x\r\n\r\n", id="traversal"),
        pytest.param(b"GET http://evil.example/ HTTP/1.1\r\nHost: evil\r\n\r\n", id="absolute"),
        pytest.param(b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", id="connect"),
        pytest.param(b"TRACE /health HTTP/1.1\r\nHost: x\r\n\r\n", id="trace"),
        pytest.param(b"PURGE /livez HTTP/1.1\r\nHost: x\r\n\r\n", id="unknown method"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", id="two hosts"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: x\r\nCookie: console=" + b"." * 30_000 + b"\r\n\r\n",
            id="cookie",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n", id="bearer"
        ),
    ],
)
def test_nonsense_is_refused_without_a_word_of_our_insides(stack: Stack, sent: bytes) -> None:
    for port in ports(stack).values():
        said = _conversation(port, sent)
        first = said.split(b"\r\n", 1)[0]
        assert not first.startswith((b"HTTP/1.1 500", b"HTTP/1.0 500")), said[:300]
        assert b"Traceback" not in said
        assert b"/site-packages/" not in said
        assert b"root:" not in said
    assert_alive(stack)


def _conversation(port: int, sent: bytes) -> bytes:
    """Send and read what there is to read; the other side may hang up at any time."""
    said = b""
    with dialled(port) as line, suppress(OSError):
        line.settimeout(1)
        with suppress(OSError):
            line.sendall(sent)
        line.shutdown(socket.SHUT_WR)
        while part := line.recv(65_536):
            said += part
    return said


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_other_methods_change_nothing(stack: Stack, method: str) -> None:
    for path in ("/wake", "/steer/pause", "/agent/task-status", "/health", "/metrics"):
        answer = httpx.request(method, f"{stack.url}{path}", trust_env=False)
        assert answer.status_code in {200, 405}, (path, answer.text)
        assert answer.status_code == 405 or method == "OPTIONS"


def test_no_process_was_ended_by_any_of_it(stack: Stack) -> None:
    """Last in the file, and true by itself as well."""
    for child in (stack.runtime, *stack.workers):
        assert child is not None
        assert child.exit_code is None
        log = Path(child.log).read_text(errors="replace")
        assert "MemoryError" not in log
        assert "Too many open files" not in log
