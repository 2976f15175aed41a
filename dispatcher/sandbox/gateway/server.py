"""The scripted gateway: stands where the real one would, and says what it is told to."""

import threading
from collections.abc import Callable, Sequence
from typing import Final, Self

from dispatcher.sandbox.gateway.connections import DroppingServer
from dispatcher.sandbox.gateway.handler import Desk, handler_for
from dispatcher.sandbox.gateway.ledger import Ledger, Row
from dispatcher.sandbox.gateway.rules import Rule, Rules
from dispatcher.sandbox.gateway.sessions import Sessions
from dispatcher.sandbox.gateway.turns import Turns
from dispatcher.sandbox.gateway.watch import Watch

_ANSWER_FIRST_S: Final = 0.1


class ScriptedGateway:
    """A gateway without models, on loopback, with the behaviour of the gateway's contract.

    Left out, because it would only make tests slower or stranger: the growing delay after wrong
    tokens, the minutes of retries at a failing provider, the cooldown after a provider's 401,
    streaming (501), and turns run again after a crash.
    """

    def __init__(  # noqa: PLR0913 - one argument for each thing that can be set at the real one
        self,
        port: int = 0,
        *,
        token: str | None = None,
        agents: Sequence[str] | None = None,
        max_concurrent: int = 100,
        delay_s: float = 0.0,
        rules: Sequence[Rule] = (),
        version: str = "2026.9.6",
        keep_alive_s: float = 5.0,
    ) -> None:
        """Prepare a gateway; nothing listens before ``start``.

        Args:
            port: 0 for any free one; kept over ``refuse`` and another ``start``.
            token: What clients must show; None switches authentication off.
            agents: Ids in lower case; None for any.
            max_concurrent: So many runs at a time, the rest waits unseen by its clients.
            delay_s: How long a run takes when neither marker nor rule says otherwise.
            rules: See ``set_rules``.
            version: What ``/startupz`` tells.
            keep_alive_s: Idle connections are closed after so long.
        """
        ledger = Ledger()
        self._watch = Watch()
        self._sessions = Sessions(max_concurrent, ledger, self._watch)
        self._desk = Desk(
            token=token,
            agents=tuple(agents or ()),
            version=version,
            keep_alive_s=keep_alive_s,
            ledger=ledger,
            turns=Turns(sessions=self._sessions, ledger=ledger, agents=agents, delay_s=delay_s),
            be_away_for=self.be_away_for,
            drain_for=self.drain_for,
        )
        self._port = port
        self._lock = threading.Lock()
        self._server: DroppingServer | None = None
        self._timers: list[threading.Timer] = []
        self.set_rules(rules)

    @property
    def url(self) -> str:
        """Return the base URL, without a trailing slash; it is known once started."""
        if not self._port:
            raise RuntimeError("the gateway was never started, so it has no port yet")
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Listen, in the background, until ``stop``."""
        self._watch.start()
        self._listen()
        return self

    def stop(self) -> None:
        """Break all connections and close the port, as a crash would; the ledger stays."""
        for timer in self._timers:
            timer.cancel()
        self._go_deaf()
        self._watch.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def ledger(self) -> list[Row]:
        """Return every ask so far; see ``Ledger`` for the shape."""
        return self._desk.ledger.rows()

    def contended(self) -> list[Row]:
        """Return the asks that arrived while another of their session ran or waited."""
        return self._desk.ledger.contended()

    def set_rules(self, rules: Sequence[Rule]) -> None:
        """Replace the rules; the first that fits an ask decides.

        Shape:
            ``{"agent": "engineer" | "*", "contains": "text", "times": 2, "delay_s": 1,
            "reply": "...", "commentary": "...", "error": 502 | "provider401" | "proxy502",
            "hang" | "garbage" | "brokenjson" | "failed" | "incomplete" | "silence" | "drop"
            | "heartbeat_ok": true, "tools": [{"name": "...", "arguments": {}}], "rounds": 1}``,
            everything optional; ``times`` counts the uses of the rule. Markers in a message go
            before the rules.

        Raises:
            BadRule: A field is unknown or cannot be used; the old rules stay.
        """
        self._desk.turns.rules = Rules(rules)

    def drain(self, *, draining: bool = True) -> None:
        """Finish what runs and refuse what comes, as after SIGTERM; or take asks again."""
        if draining:
            self._desk.draining.set()
        else:
            self._desk.draining.clear()

    def refuse(self, refusing: bool, /) -> None:  # noqa: FBT001 - reads as a statement
        """Be away for a while: connections are broken and refused, until called with False."""
        if refusing:
            self._go_deaf()
        else:
            self._listen()

    def be_away_for(self, seconds: float) -> None:
        """Be away for a while, beginning so soon after this call that it can still be answered."""
        self._later(_ANSWER_FIRST_S, self._go_deaf)
        self._later(_ANSWER_FIRST_S + seconds, self._listen)

    def drain_for(self, seconds: float) -> None:
        """Take no new asks for a while."""
        self.drain()
        self._later(seconds, lambda: self.drain(draining=False))

    def wait_until_idle(self, limit_s: float) -> bool:
        """Wait until no ask runs or waits; False when that took longer."""
        return self._sessions.wait_until_idle(limit_s)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, act)
        timer.daemon = True
        self._timers = [old for old in self._timers if old.is_alive()] + [timer]
        timer.start()

    def _listen(self) -> None:
        with self._lock:
            if self._server is None:
                self._server = DroppingServer(handler_for(self._desk), port=self._port).start()
                self._port = int(self._server.server_address[1])

    def _go_deaf(self) -> None:
        with self._lock:
            if self._server is not None:
                self._server.stop()
                self._server.drop_connections()
                self._server = None
