"""A desk of fakes around one delivery, with everything that a test wants to look at."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from dispatcher.domain.delivery import Claim, Outcome, Resting, entry_of
from dispatcher.domain.errors import LeaseLost
from dispatcher.domain.ids import ConversationId
from dispatcher.domain.journal import Journal, dump
from dispatcher.domain.notification import Context
from dispatcher.domain.prompt import Reach
from dispatcher.domain.reply import Reply
from dispatcher.domain.retry import Bounds
from dispatcher.domain.roster import Changes
from dispatcher.flows.deliver import deliver
from dispatcher.flows.desk import Desk
from dispatcher.ports import Swept
from dispatcher.prompts import render
from tests.fakes.actions import FakeActions
from tests.fakes.backend import FakeBackend
from tests.fakes.clock import ManualClock
from tests.fakes.diary import Diary
from tests.fakes.gateway import FakeGateway
from tests.fakes.mailboxes import FakeMailboxes

BOUNDS = Bounds(
    max_attempts=6, backoff_base=timedelta(seconds=5), backoff_max=timedelta(seconds=300)
)


class FakeHold:
    """See ``dispatcher.ports.Hold``; ``lose`` takes the claim away."""

    def __init__(self, mailboxes: FakeMailboxes) -> None:
        self._mailboxes = mailboxes

    def check(self) -> None:
        if self._mailboxes.is_lost:
            raise LeaseLost("the lease was not confirmed in time")

    @contextmanager
    def on_loss(self, cancel: Callable[[], None]) -> Iterator[None]:
        yield


class FakeHolds:
    """See ``dispatcher.ports.Holds``; counts who holds and who let go."""

    def __init__(self, mailboxes: FakeMailboxes) -> None:
        self._mailboxes = mailboxes
        self.held = 0

    @contextmanager
    def hold(self, claim: Claim, *, since: float) -> Iterator[FakeHold]:
        self.held += 1
        try:
            yield FakeHold(self._mailboxes)
        finally:
            self.held -= 1


class FakeBell:
    """See ``dispatcher.ports.Bell``; remembers who was rung."""

    def __init__(self) -> None:
        self.rung: list[ConversationId] = []

    def ring(self, conversations: Sequence[ConversationId]) -> None:
        self.rung += conversations


@dataclass
class FakeTally:
    """See ``dispatcher.ports.Tally``; keeps what was counted."""

    attempts: list[tuple[str, str, str]] = field(default_factory=list)
    waits: list[timedelta] = field(default_factory=list)
    asks: list[tuple[str, timedelta]] = field(default_factory=list)
    tools: list[tuple[str, str]] = field(default_factory=list)
    served: list[tuple[str, int]] = field(default_factory=list)
    syncs: list[tuple[int, Changes]] = field(default_factory=list)
    steps: list[tuple[str, timedelta]] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    operations: list[tuple[str, str | None]] = field(default_factory=list)
    dropped: int = 0
    unaccounted: int | None = None

    def polled(self, *, listed: int, added: int, malformed: int) -> None: ...

    def swept(self, swept: Swept) -> None: ...

    def attempted(self, *, kind: str, result: str, cause: str) -> None:
        self.attempts.append((kind, result, cause))

    def replied(self, *, wait: timedelta) -> None:
        self.waits.append(wait)

    def asked(self, *, result: str, took: timedelta) -> None:
        self.asks.append((result, took))

    def stepped(self, *, step: str, took: timedelta) -> None:
        self.steps.append((step, took))

    def resumed(self, *, stage: str) -> None:
        self.stages.append(stage)

    def operated(self, *, operation: str, took: timedelta, error: str | None = None) -> None:
        self.operations.append((operation, error))

    def used(self, *, agent: str, reply: Reply) -> None: ...

    def ran_tool(self, *, tool: str, result: str) -> None:
        self.tools.append((tool, result))

    def served_agent(self, *, tool: str, status: int, took: timedelta) -> None:
        self.served.append((tool, status))

    def dropped_dead(self, count: int) -> None:
        self.dropped += count

    def synced(self, *, members: int, changes: Changes) -> None:
        self.syncs.append((members, changes))

    def audited(self, *, unaccounted: int, repaired: Mapping[str, int]) -> None:
        self.unaccounted = unaccounted


class Office:
    """One delivery, and everybody who has to do with it."""

    def __init__(self, context: Context, *, is_carried: bool = False) -> None:
        self.row = context.notification.notification_id
        self.conversation = entry_of(context.notification).conversation
        self.diary = Diary()
        self.backend = FakeBackend(self.diary, context)
        self.actions = FakeActions(self.diary)
        self.gateway = FakeGateway(self.diary)
        entry = entry_of(context.notification, is_carried=is_carried)
        self.mailboxes = FakeMailboxes(self.diary, entry)
        self.holds = FakeHolds(self.mailboxes)
        self.bell = FakeBell()
        self.tally = FakeTally()
        self.clock = ManualClock()
        self.desk = Desk(
            backend=self.backend,
            actions=self.actions,
            gateway=self.gateway,
            mailboxes=self.mailboxes,
            bell=self.bell,
            holds=self.holds,
            tally=self.tally,
            clock=self.clock,
            bounds=BOUNDS,
            render=render,
            reach=lambda rights, key: Reach(base_url="http://runtime:3001"),
        )

    def left_behind(self, journal: Journal, **counters: object) -> None:
        """Let an earlier attempt have written this journal, and the calls be forgotten."""
        self.mailboxes.prepare(journal_text=dump(journal), **counters)

    def attempt(self) -> Outcome | None:
        """Make one attempt; return its outcome, or None when it settled nothing."""
        before = len(self.mailboxes.outcomes)
        deliver(self.conversation, desk=self.desk)
        assert self.holds.held == 0
        return self.mailboxes.outcomes[-1] if len(self.mailboxes.outcomes) > before else None

    def attempts(self, most: int = 50) -> list[Outcome]:
        """Attempt again and again until the delivery does not rest any more."""
        outcomes: list[Outcome] = []
        while len(outcomes) < most:
            outcome = self.attempt()
            if outcome is None:
                break
            outcomes.append(outcome)
            if not isinstance(outcome, Resting):
                break
        return outcomes

    def lose_claim(self) -> None:
        """Let the claim go to another worker."""
        self.mailboxes.is_lost = True

    def effects(self) -> list[str]:
        """The calls that the outside can see, in order."""
        inside = ("claim", "journal", "settle", "rebind", "put", "fetch_context")
        return [call for call in self.diary.calls if not call.startswith(inside)]
