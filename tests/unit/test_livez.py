"""The sign of life that health checks of containers ask for."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from dispatcher import livez
from dispatcher.lab.redis_server import free_port
from tests.fakes.clock import ManualClock
from workers.health import Pulse
from workers.lifecycle import Lifecycle


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = self.server.status  # type: ignore[attr-defined]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b'{"alive": false, "stuck": ["poll"]}')

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.status = 200  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_process_that_makes_progress_is_well(server, capsys) -> None:
    assert livez.main([str(server.server_port)]) == 0
    assert capsys.readouterr().err == ""


def test_one_that_does_not_says_why(server, capsys) -> None:
    server.status = 503
    assert livez.main([str(server.server_port)]) == 1
    assert "poll" in capsys.readouterr().err


def test_one_that_is_not_there_is_not_well(capsys) -> None:
    assert livez.main([str(free_port())]) == 1
    assert "no answer" in capsys.readouterr().err
    assert livez.main(["nonsense"]) == 2


def test_a_pulse_that_stops_is_stuck_after_a_minute() -> None:
    from datetime import timedelta

    clock = ManualClock()
    pulse = Pulse(SimpleNamespace(clock=clock))  # type: ignore[arg-type]
    assert pulse.stuck() == ()
    clock.advance(timedelta(seconds=61))
    assert pulse.stuck() == ("pulse",)


def test_a_worker_whose_threads_have_died_is_stuck() -> None:
    from datetime import timedelta

    def thread(name: str, *, lives: bool) -> SimpleNamespace:
        return SimpleNamespace(name=name, is_alive=lambda: lives)

    lifecycle = Lifecycle(drain=timedelta(seconds=1))
    assert lifecycle.stuck() == ()
    worker = SimpleNamespace(
        consumers={"deliveries": thread("c", lives=False)},
        workers=[thread("w1", lives=True), thread("w2", lives=False)],
    )
    lifecycle.after_worker_boot(None, worker)  # type: ignore[arg-type]
    assert lifecycle.stuck() == ("consumer deliveries", "thread w2")
