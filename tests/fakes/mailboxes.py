"""A store with one mailbox that holds one delivery at a time: enough for the flow of a claim."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from dispatcher.domain.delivery import (
    Claim,
    Dead,
    Entry,
    NotClaimed,
    Outcome,
    Resting,
    Settled,
    Spent,
    entry_of,
)
from dispatcher.domain.errors import LeaseLost
from dispatcher.domain.ids import ConversationId
from dispatcher.domain.journal import Journal, dump, load
from dispatcher.domain.notification import Notification
from dispatcher.ports import Done, Put, Stats, Swept
from tests.fakes.diary import Diary

_THEN = datetime(2026, 1, 1, tzinfo=UTC)


class FakeMailboxes:
    """See ``dispatcher.ports.Mailboxes``.

    A delivery that was rested can be claimed again at once; its counters have risen.

    Attributes:
        head: The delivery as the next claim finds it, or None.
        journals: All records that were written.
        outcomes: What the attempts came to.
        puts: What was put.
        newest_ms: The newest ``createdAt`` known of the row.
        is_lost: The claim went to somebody else.
        is_fused: Too many die of one cause.
        follows: So often the same delivery is due next, for whoever goes on.
    """

    def __init__(self, diary: Diary, entry: Entry) -> None:
        self._diary = diary
        self.head: Claim | None = Claim(
            conversation=entry.conversation,
            token="t1",
            delivery=entry.delivery,
            entry=entry,
            attempts=0,
            waits=0,
            unanswered=0,
            looks=0,
            strikes=0,
            put_at=_THEN,
            claimed_at=_THEN + timedelta(seconds=1),
            row_key_user=None,
            journal_text="",
        )
        self.journals: list[Journal] = []
        self.outcomes: list[Outcome] = []
        self.puts: list[Entry] = []
        self.newest_ms = entry.created_at_ms
        self.is_lost = False
        self.is_fused = False
        self.follows = 0

    def prepare(self, **changes: object) -> None:
        """Change the delivery as if earlier attempts had left it so."""
        assert self.head is not None
        self.head = self.head.evolve(**changes)

    @property
    def outcome(self) -> Outcome:
        """The only outcome so far."""
        (only,) = self.outcomes
        return only

    def put(self, entries: Sequence[Entry], *, term: int = 0) -> Put:
        self._diary.note("put")
        self.puts += entries
        return Put(added=len(entries), to_ring=tuple(one.conversation for one in entries))

    def claim(self, hint: ConversationId) -> Claim | NotClaimed:
        self._diary.note("claim")
        return NotClaimed.EMPTY if self.head is None else self.head

    def journal(
        self,
        claim: Claim,
        journal: Journal,
        *,
        uses_row_key: bool = False,
        brings_answer: bool = False,
    ) -> int:
        self._diary.note(f"journal:{journal.stage}")
        head = self._held()
        self.journals.append(load(dump(journal)))
        key_user = head.row_key_user or (claim.delivery if uses_row_key else None)
        self.head = head.evolve(journal_text=dump(journal), row_key_user=key_user)
        return self.newest_ms

    def rebind(self, claim: Claim, notification: Notification) -> Claim:
        self._diary.note("rebind")
        head = self._held()
        entry = entry_of(notification, is_carried=True)
        key_user = entry.delivery if head.row_key_user == claim.delivery else head.row_key_user
        self.head = head.evolve(delivery=entry.delivery, entry=entry, row_key_user=key_user)
        self.newest_ms = max(self.newest_ms, entry.created_at_ms)
        return claim.evolve(delivery=entry.delivery, entry=entry)

    def read_journal(self, claim: Claim) -> str:
        return self._held().journal_text

    def may_die(self, claim: Claim, cause: str) -> bool:
        self._held()
        return not self.is_fused

    def settle(self, claim: Claim, outcome: Outcome, *, goes_on: bool = False) -> Done:
        self._diary.note("settle")
        head = self._held()
        self.outcomes.append(outcome)
        match outcome:
            case Settled() | Dead():
                self.head = None
            case Resting():
                self.head = _rested(head, outcome)
        if goes_on and self.follows:
            self.follows -= 1
            self.head = head
            return Done(next_claim=head)
        if goes_on:
            return Done()
        return Done(to_ring=(claim.conversation,))

    def sweep(self, *, term: int = 0, unswept: timedelta = timedelta(0)) -> Swept:
        self._diary.note("sweep")
        return Swept(expired=0, rested=0, to_ring=())

    def stats(self) -> Stats:
        self._diary.note("stats")
        is_open = int(self.head is not None)
        return Stats(
            at=_THEN, open=is_open, claims=0, resting=0, dead=0, paid=0, marking=0, waiting=(), oldest=()
        )  # fmt: skip

    def _held(self) -> Claim:
        if self.is_lost or self.head is None:
            raise LeaseLost("the claim went to somebody else")
        return self.head


def _rested(head: Claim, outcome: Resting) -> Claim:
    counters = {
        "attempts": head.attempts,
        "waits": head.waits if outcome.spends is Spent.WAIT else 0,
        "unanswered": head.unanswered,
        "looks": head.looks,
    }
    if outcome.spends is not Spent.NOTHING:
        counters[outcome.spends.value] += 1
    return head.evolve(**counters)
