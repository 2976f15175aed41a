"""One history of a coalesced row: the real flows and the real store, and troubles at chosen steps.

Every call of a port is a step with a number. A trouble strikes right before the effect of its step,
or inside it: after the effect, before the answer is back. The rest is what goes on in any case:
polls, attempts and sweeps, until nothing is open.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import redis

from dispatcher.adapters.redis.books import RedisBooks
from dispatcher.adapters.redis.mailboxes import RedisMailboxes
from dispatcher.domain.delivery import Claim
from dispatcher.domain.errors import (
    AskLost,
    BackendError,
    BackendUnavailable,
    BackendUncertain,
    DispatcherError,
    GatewayUnavailable,
    StoreError,
    StoreUnavailable,
)
from dispatcher.domain.ids import conversation_id
from dispatcher.domain.notification import Page
from dispatcher.domain.prompt import Reach
from dispatcher.flows.audit import audit_once
from dispatcher.flows.deliver import deliver
from dispatcher.flows.desk import Desk
from dispatcher.flows.poll import poll_once
from dispatcher.flows.sweep import sweep_once
from dispatcher.prompts import render
from tests.adapters.coalescing_sides import CoalescingBackend, ListeningGateway
from tests.adapters.coalescing_troubles import Grip, Killed, Port, Trouble, What
from tests.fakes.actions import FakeActions
from tests.fakes.clock import ManualClock
from tests.fakes.desk import BOUNDS, FakeBell, FakeTally
from tests.fakes.diary import Diary
from tests.samples import ENGINEER, TASK

CONVERSATION: Final = conversation_id(ENGINEER, TASK)
MOST_ROUNDS: Final = 15
_LEFT_BY_DESIGN: Final = ("turns", "term", "limits", "layout", "swept_at", "totals", "asking")
_TROUBLE_OUTSIDE: Final = ("circuit", "stop", "rests", f"rest:{ENGINEER}")


class History:
    """One world from its first message to its end.

    Attributes:
        steps: How many steps were taken.
        stored: The answers whose journal was written, in order.
        story: What happened, line by line.
    """

    def __init__(
        self,
        store: RedisMailboxes,
        client: redis.Redis,
        *troubles: Trouble,
        tick_ms: int = 7,
        audits: bool = False,
    ) -> None:
        client.flushall()
        self._store, self._client = store, client
        self.troubles = troubles
        self.backend = CoalescingBackend(tick_ms=tick_ms)
        self.gateway = ListeningGateway()
        self.steps = 0
        self.stored: list[str] = []
        self.story: list[str] = []
        self._lease = 0
        self._came: list[Trouble] = []
        self._listed: Page | None = None
        self._under_way: Callable[[], Any] | None = None
        self._bell, self._tally = FakeBell(), FakeTally()
        self._books = RedisBooks(client, store.steps)
        self._phases = [self._poll, self._attempt, self._sweep]
        if audits:
            self._phases.append(self._audit)
        self._desk = Desk(
            backend=Port(
                self.backend, self._take, lost=BackendUncertain, refused=BackendUnavailable
            ),
            actions=FakeActions(Diary()),
            gateway=Port(self.gateway, self._take, lost=AskLost, refused=GatewayUnavailable),
            mailboxes=Port(store, self._take, lost=StoreUnavailable, refused=StoreUnavailable),
            bell=self._bell,
            holds=self,
            tally=self._tally,
            clock=ManualClock(),
            bounds=BOUNDS,
            render=render,
            reach=lambda rights, key: Reach(base_url="http://runtime:3001"),
        )

    def run(self) -> "History":
        """Let a person write, and everybody work until nothing is open."""
        self.backend.say()
        self._work_until_quiet()
        return self

    @contextmanager
    def hold(self, claim: Claim, *, since: float) -> Iterator[Grip]:
        """See ``dispatcher.ports.Holds``."""
        mine = self._lease
        yield Grip(lambda: self._lease != mine)

    def is_quiet(self) -> bool:
        """Say whether nobody has anything left to do."""
        stats = self._store.stats()
        return not self.backend.undelivered() and stats.open == stats.claims == 0

    def leftovers(self) -> list[str]:
        """Keys that stay in Redis for ever and should not."""
        keys = self._client.keys("*")
        with self._client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.pttl(key)
            lives = pipe.execute()
        names = [key.decode().removeprefix(self._store.steps.prefix) for key in keys]
        ages = zip(names, lives, strict=True)
        return [name for name, life in ages if life < 0 and name not in _LEFT_BY_DESIGN]

    def _work_until_quiet(self) -> None:
        for _ in range(MOST_ROUNDS):
            for phase in self._phases:
                with suppress(Killed, BackendError, StoreError):
                    phase()
            if self.is_quiet():
                return

    def _poll(self) -> None:
        desk = self._desk
        self._look(desk.backend, desk.mailboxes)

    def _attempt(self) -> None:
        deliver(CONVERSATION, desk=self._desk)

    def _sweep(self) -> None:
        self._end_leases()
        self._end_rests()
        sweep_once(mailboxes=self._desk.mailboxes, bell=self._bell, tally=self._tally)

    def _audit(self) -> None:
        desk = self._desk
        books = Port(self._books, self._take, lost=StoreUnavailable, refused=StoreUnavailable)
        self._compare(desk.backend, desk.mailboxes, books)

    def _compare(self, backend: Any, mailboxes: Any, books: Any) -> None:
        audit_once(
            backend=backend, mailboxes=mailboxes, books=books, bell=self._bell, tally=self._tally
        )

    def _look(self, backend: Any, mailboxes: Any) -> None:
        poll_once(
            backend=backend, mailboxes=mailboxes, bell=self._bell, tally=self._tally, list_limit=50
        )

    def _end_leases(self) -> None:
        """Whoever holds a claim now is dead or frozen: no attempt is running."""
        self._lease += 1
        self._set_back("claims")

    def _end_rests(self) -> None:
        """Whatever was waited for is over: rests, and the trouble outside."""
        prefix = self._store.steps.prefix
        self._client.delete(*[f"{prefix}{name}" for name in _TROUBLE_OUTSIDE])
        if self._set_back("resting"):
            for key in self._client.keys(f"{prefix}delivery:*"):
                self._client.hset(key, "due", 1)

    def _set_back(self, name: str) -> bool:
        """Let the time of all members of a sorted set be past; say whether there are any."""
        key = f"{self._store.steps.prefix}{name}"
        members = self._client.zrange(key, 0, -1)
        if members:
            self._client.zadd(key, dict.fromkeys(members, 1))
        return bool(members)

    def _take(
        self, name: str, effect: Callable[[], Any], errors: dict[What, type[Exception]]
    ) -> Any:
        self.steps += 1
        step = (self.steps, name)
        self.story.append(f"{self.steps:3}  {name}")
        for trouble in self._due(step, inside=False):
            self._strike(trouble, effect, errors)
        result = effect()
        if name == "journal posting" and self.gateway.heard[-1].answer not in self.stored:
            self.stored.append(self.gateway.heard[-1].answer)
        for trouble in self._due(step, inside=True):
            self._strike(trouble, effect, errors)
        return result

    def _due(self, step: tuple[int, str], *, inside: bool) -> Iterator[Trouble]:
        for trouble in self.troubles:
            if trouble.at in step and trouble.inside is inside and trouble not in self._came:
                self._came.append(trouble)
                yield trouble

    def _strike(
        self, trouble: Trouble, effect: Callable[[], Any], errors: dict[What, type[Exception]]
    ) -> None:
        self.story.append(f"     {'inside' if trouble.inside else 'before'} it {trouble.what}")
        match trouble.what:
            case What.KILL:
                raise Killed
            case What.HANG:
                self._under_way = effect
                raise Killed
            case What.LOSE | What.REFUSE:
                raise errors[trouble.what]("as the test wants it")
            case _:
                self._let_happen(trouble.what)

    def _let_happen(self, what: What) -> None:
        match what:
            case What.MESSAGE:
                self.backend.say()
            case What.POLL:
                self._look(self.backend, self._store)
            case What.AUDIT:
                self._compare(self.backend, self._store, self._books)
            case What.LIST:
                self._listed = self.backend.list_undelivered(limit=50)
            case What.PUT if self._listed is not None:
                self._look(_Listed(self._listed), self._store)
            case What.FREEZE:
                self._end_leases()
                self._work_until_quiet()
            case What.ARRIVE if self._under_way is not None:
                with suppress(DispatcherError):
                    self._under_way()
                self._under_way = None


@dataclass(frozen=True)
class _Listed:
    """A backend that was asked a while ago."""

    page: Page

    def list_undelivered(self, *, limit: int) -> Page:
        return self.page
