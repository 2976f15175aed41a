"""Backend and gateway of the benchmark in one process: a bare HTTP server on one port.

It keeps everything in memory, checks nothing, and answers a call in a tenth of a millisecond, so
that it does not compete with what is measured. Started by ``python -m``; prints one line of JSON
with its URL. People's side is ``POST /bench/notify``, ``GET /bench/progress`` and ``/bench/ledger``.
"""

import argparse
import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from dispatcher.adapters.clock import MachineClock
from dispatcher.lab.bench.rows import Rows

_FAILED: Final = json.dumps(
    {"object": "response", "status": "failed", "error": {"message": "the model gave up"}}
).encode()
_REPLY: Final = json.dumps(
    {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "output": [
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "I had a look: it is fixed now. " * 5}],
            }
        ],
        "usage": {"input_tokens": 1200, "output_tokens": 40},
    }
).encode()
_HEAD: Final = "HTTP/1.1 {} OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
_CLOCK: Final = MachineClock()


def now_ms() -> float:
    """Return Unix milliseconds."""
    return _CLOCK.now().timestamp() * 1000


@dataclass(slots=True)
class Runs:
    """The gateway's turns.

    Attributes:
        run_s: How long each takes.
        fails_every: Every so many runs one fails; 0 for none.
        hanging: The conversations whose runs never end.
        most: So many ran at once at the most.
        overlaps: Runs that began in a session while another one ran there; there should be none.
    """

    run_s: float
    fails_every: int
    hanging: frozenset[str]
    begun: int = 0
    most: int = 0
    overlaps: int = 0
    _running: Counter[str] = field(default_factory=Counter)

    def begin(self, session: str) -> bool:
        """Begin a run; say whether it fails."""
        self.begun += 1
        self._running[session] += 1
        self.overlaps += self._running[session] > 1
        self.most = max(self.most, self._running.total())
        return bool(self.fails_every) and self.begun % self.fails_every == 0

    def end(self, session: str) -> None:
        """End a run."""
        self._running[session] -= 1

    def hangs(self, session: str) -> bool:
        """Say whether a run of this session never ends."""
        return session.split(":")[-2] in self.hanging


class Connection(asyncio.Protocol):
    """One connection: requests one after the other, answered at once or when a run is over."""

    def __init__(self, rows: Rows, runs: Runs) -> None:
        self._rows = rows
        self._runs = runs
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._run: tuple[asyncio.TimerHandle | None, str] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the base's name
        """End the run that nobody waits for any more."""
        self._transport = None
        if self._run is not None:
            timer, session = self._run
            if timer is not None:
                timer.cancel()
            self._runs.end(session)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            size = int(_header(head, b"content-length") or 0)
            if len(self._buffer) < end + 4 + size:
                return
            body = self._buffer[end + 4 : end + 4 + size]
            self._buffer = self._buffer[end + 4 + size :]
            self._answer(head.split(b" ", 2)[1].decode(), head, body)

    def _answer(self, path: str, head: bytes, body: bytes) -> None:
        match path:
            case "/api/action":
                self._act(json.loads(body))
            case "/v1/responses":
                self._ask(_header(head, b"x-openclaw-session-key").decode())
            case "/readyz" | "/startupz":
                self._write(200, {"ready": True, "status": "started", "version": "2026.9.6"})
            case "/v1/models":
                self._write(200, {"object": "list", "data": []})
            case "/bench/notify":
                self._write(200, self._rows.add(json.loads(body)["conversations"], now_ms()))
            case "/bench/progress":
                self._write(200, self._progress())
            case "/bench/ledger":
                self._write(200, self._rows.ledger())
            case _:
                self._write(404, {"error": {"message": f"nothing is at {path}"}})

    def _act(self, request: dict[str, Any]) -> None:
        action, args = request["path"].partition(":")[2], request["args"][0]
        try:
            value = self._rows.answer(action, args, now_ms())
        except LookupError as error:
            self._write(200, {"status": "error", "errorMessage": f"Uncaught Error: {error}"})
            return
        self._write(200, {"status": "success", "value": value, "logLines": []})

    def _ask(self, session: str) -> None:
        is_failure = self._runs.begin(session)
        if self._runs.hangs(session):
            self._run = (None, session)
            return
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._runs.run_s, self._reply, session, is_failure)
        self._run = (timer, session)

    def _reply(self, session: str, is_failure: bool) -> None:  # noqa: FBT001 - a callback
        self._run = None
        self._runs.end(session)
        self._send(500 if is_failure else 200, _FAILED if is_failure else _REPLY)

    def _progress(self) -> dict[str, Any]:
        runs = self._runs
        asked: dict[str, Any] = {
            "asks": runs.begun,
            "most_running": runs.most,
            "overlaps": runs.overlaps,
        }
        asked["listed_ms"] = self._rows.listed_ms
        return {**self._rows.progress(), **asked, "calls": dict(self._rows.calls)}

    def _write(self, status: int, value: Any) -> None:  # noqa: ANN401 - JSON
        self._send(status, json.dumps(value).encode())

    def _send(self, status: int, content: bytes) -> None:
        if self._transport is not None:
            self._transport.write(_HEAD.format(status, len(content)).encode() + content)


def _header(head: bytes, name: bytes) -> bytes:
    return head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip()


async def serve(rows: Rows, runs: Runs) -> None:
    """Serve until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(rows, runs), "127.0.0.1", 0, backlog=512)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True)  # noqa: T201 - its interface
    await server.serve_forever()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run-s", type=float, default=1.0)
    parser.add_argument("--agents", type=int, default=10)
    parser.add_argument("--fails-every", type=int, default=0)
    parser.add_argument("--hanging", nargs="*", default=[])
    given = parser.parse_args()
    runs = Runs(given.run_s, given.fails_every, frozenset(given.hanging))
    asyncio.run(serve(Rows(given.agents), runs))


if __name__ == "__main__":
    main()
