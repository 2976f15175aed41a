"""The gateway's routes."""

import hmac
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from dispatcher.sandbox.gateway import answers
from dispatcher.sandbox.gateway.answers import Answer
from dispatcher.sandbox.gateway.ledger import Ledger
from dispatcher.sandbox.gateway.rules import BadRule, Rules
from dispatcher.sandbox.gateway.turns import Incoming, Turns
from dispatcher.sandbox.serving import SandboxHandler

MAX_BODY_BYTES: Final = 20 * 1024 * 1024
_BODY_LIMIT_S: Final = 30.0
_LONGEST_TROUBLE_S: Final = 600.0
_LOCAL: Final = frozenset({"127.0.0.1", "localhost"})


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What the routes need to know of the gateway.

    Attributes:
        keep_alive_s: Idle connections are closed after so long.
        be_away_for: Break and refuse connections for so many seconds.
        drain_for: Take no new asks for so many seconds.
        draining: Set while no new ask is taken.
    """

    token: str | None
    agents: Sequence[str]
    version: str
    keep_alive_s: float
    ledger: Ledger
    turns: Turns
    be_away_for: Callable[[float], None]
    drain_for: Callable[[float], None]
    draining: threading.Event = field(default_factory=threading.Event)


class GatewayHandler(SandboxHandler):
    """Routes of the gateway, and those of the sandbox for other processes.

    A subclass made by ``handler_for`` knows its desk and after how many seconds of idleness it
    closes a connection (``timeout``, the base's name).
    """

    desk: Desk

    def do_GET(self) -> None:  # noqa: N802 - the base's name
        """Serve health, the models, the ledger; anything else is the web page."""
        path = self.path.partition("?")[0]
        match path:
            case "/healthz" | "/health":
                self._send(answers.of_json(200, {"ok": True, "status": "live"}))
            case "/startupz" | "/startup":
                self._send(self._startup())
            case "/readyz" | "/ready":
                self._send(self._ready())
            case "/v1/models":
                self._send(self._models() if self._is_authorised() else answers.refused(401))
            case "/v1/responses":
                self._wrong_method()
            case "/sandbox/ledger" | "/sandbox/contended" | "/sandbox/clock" if self._is_local():
                self._send(answers.of_json(200, self._look(path)))
            case _:
                known = path.startswith(("/v1/", "/sandbox/"))
                self._send(answers.of_text(404, "Not Found") if known else answers.page(200))

    def do_POST(self) -> None:  # noqa: N802 - the base's name
        """Take an ask, or new rules."""
        raw = self._body()
        path = self.path.partition("?")[0]
        if raw is None:
            self._send(answers.refused(413))
        elif path == "/v1/responses":
            self._respond(raw)
        elif path == "/sandbox/rules" and self._is_local():
            self._send(self._new_rules(raw))
        elif path in {"/sandbox/away", "/sandbox/drain"} and self._is_local():
            self._send(self._new_trouble(path, raw))
        else:
            self._send(answers.of_text(404, "Not Found"))

    def _wrong_method(self) -> None:
        self._body()
        known = self.path.partition("?")[0] == "/v1/responses"
        self._send(answers.error("405" if known else "404", ""))

    do_PUT = do_DELETE = do_PATCH = _wrong_method  # noqa: N815 - the base's names

    def _respond(self, raw: bytes) -> None:
        ledger = self.desk.ledger
        seq = ledger.open()
        answer: Answer | None
        if not self._is_authorised():
            answer = answers.refused(401)
        elif self.desk.draining.is_set():
            answer = answers.unavailable()
        else:
            incoming = Incoming(header=self.headers.get, raw=raw, connection=self.connection)
            answer = self.desk.turns.answer(seq, incoming)
            if answer is None:
                self.close_connection = True
                return
            if not self._send(answer):
                ledger.amend(seq, outcome="lost")
            return
        ledger.ended(seq, answer.outcome, answer.status)
        self._send(answer)

    def _new_rules(self, raw: bytes) -> Answer:
        try:
            rules = json.loads(raw)
            self.desk.turns.rules = Rules(rules if isinstance(rules, list) else [rules])
        except (BadRule, ValueError) as error:
            return answers.refused(400, str(error))
        return answers.of_json(200, {"ok": True})

    def _new_trouble(self, path: str, raw: bytes) -> Answer:
        """Be away or drain for ``{"seconds": n}``, and come back without being asked."""
        begin = self.desk.be_away_for if path.endswith("away") else self.desk.drain_for
        try:
            begin(min(float(json.loads(raw)["seconds"]), _LONGEST_TROUBLE_S))
        except (ValueError, TypeError, KeyError):
            return answers.refused(400, 'send {"seconds": a number}')
        return answers.of_json(200, {"ok": True})

    def _look(self, path: str) -> object:
        ledger = self.desk.ledger
        match path.rpartition("/")[2]:
            case "ledger":
                return ledger.rows()
            case "contended":
                return ledger.contended()
            case _:
                return {"now_s": ledger.now_s()}

    def _startup(self) -> Answer:
        if self.desk.draining.is_set():
            return answers.of_json(503, {"ok": False, "status": "draining"})
        return answers.of_json(200, {"ok": True, "status": "started", "version": self.desk.version})

    def _ready(self) -> Answer:
        failing = ["gateway-draining"] if self.desk.draining.is_set() else []
        body = {"ready": not failing, "failing": failing}
        return answers.of_json(503 if failing else 200, body)

    def _models(self) -> Answer:
        names = ["openclaw", "openclaw/default", *(f"openclaw/{a}" for a in self.desk.agents)]
        common = {"object": "model", "created": 0, "owned_by": "openclaw", "permission": []}
        data = [{"id": name, **common} for name in names]
        return answers.of_json(200, {"object": "list", "data": data})

    def _is_authorised(self) -> bool:
        token = self.desk.token
        given = self.headers.get("Authorization", "")
        return token is None or hmac.compare_digest(given.encode(), f"Bearer {token}".encode())

    def _is_local(self) -> bool:
        """Say whether no page of somebody else's asks: it cannot forge host or origin."""
        host = self.headers.get("Host", "")
        origin = self.headers.get("Origin")
        return urlsplit(f"//{host}").hostname in _LOCAL and origin in {None, f"http://{host}"}

    def _body(self) -> bytes | None:
        """Read the body, or None when it is larger than the gateway takes."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            return None
        self.connection.settimeout(_BODY_LIMIT_S)
        raw = self.rfile.read(length)
        self.connection.settimeout(self.timeout)
        return raw

    def _send(self, answer: Answer) -> bool:
        """Send an answer; False when the client does not take it."""
        try:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            if answer.closes or self.close_connection:
                self.send_header("Connection", "close")
            else:
                self.send_header("Keep-Alive", f"timeout={self.desk.keep_alive_s:g}")
            self.end_headers()
            self.wfile.write(answer.body)
            self.wfile.flush()
        except OSError:
            self.close_connection = True
            return False
        return True


def handler_for(desk: Desk) -> type[GatewayHandler]:
    """Make the handler of one gateway; the server wants a class, not an object."""

    class Handler(GatewayHandler):
        timeout = desk.keep_alive_s

    Handler.desk = desk
    return Handler
