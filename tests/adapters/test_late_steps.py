"""A network may hold back a copy of a step and bring it after later ones: it must change nothing."""

from itertools import combinations
from typing import Any

import pytest
import redis

from dispatcher.domain.ids import SessionKey
from dispatcher.domain.journal import Journal, Stage, load
from dispatcher.domain.reply import Reply
from tests.adapters.store_room import ANSWERED, GIVEN_BACK, PREFIX, entry, make_room

ASKED = Journal(stage=Stage.ASKED, session_key=SessionKey("s"), asks=1)
POSTING = ASKED.evolve(stage=Stage.POSTING, reply=Reply(text="paid for"))
MARKING = POSTING.evolve(stage=Stage.MARKING, message="m9", outcome="answered")
JOURNALS = {"asked": ASKED, "posting": POSTING, "marking": MARKING}
STEPS = ("claim", *JOURNALS, "settle")


class Journey:
    """Brings one of two deliveries from its claim to its end; remembers each step as it was sent."""

    def __init__(self, client: redis.Redis) -> None:
        self._room = make_room(client)
        self._room.put(entry("n1"), entry("n2", task="t2"))
        self._run = self._room.store.steps.run
        self._sent: list[tuple[Any, ...]] = []
        self._room.store.steps.run = self._remember  # type: ignore[method-assign]

    def _remember(self, step: str, *arguments: Any) -> Any:
        if step in {"claim", "journal", "settle"}:
            self._sent.append((step, *arguments))
        return self._run(step, *arguments)

    def go(self, *, late: str = "", after: str = "") -> list[object]:
        """Go all the way; send a copy of step ``late`` behind step ``after``."""
        room, seen = self._room, []
        claim = room.claim()
        for step in STEPS:
            if step in JOURNALS:
                room.store.journal(claim, JOURNALS[step], brings_answer=step == "posting")
            elif step == "settle":
                room.store.settle(claim, ANSWERED)
            if step == after:
                self._run(*self._sent[STEPS.index(late)])
            record, stats = room.store.read_journal(claim), room.store.stats()
            journal = load(record) if record else None
            seen.append((journal, stats.claims, stats.open, stats.paid, self._counts()))
        return seen

    def _counts(self) -> dict[bytes, bytes]:
        totals: dict[bytes, bytes] = self._room.client.hgetall(f"{PREFIX}totals")
        # How long a run took is the machine's.
        return {name: count for name, count in totals.items() if not name.startswith(b"run:")}


@pytest.mark.parametrize(
    ("late", "after"), [*combinations(STEPS, 2), *zip(STEPS, STEPS, strict=True)]
)
def test_a_step_that_comes_late_changes_nothing(
    redis_client: redis.Redis, late: str, after: str
) -> None:
    expected = Journey(redis_client).go()
    redis_client.flushall()

    assert Journey(redis_client).go(late=late, after=after) == expected


def test_a_new_claim_writes_whatever_an_earlier_one_wrote(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one may be on another machine, whose clock began later."""
    room = make_room(redis_client)
    room.put(entry("n1"))
    first = room.claim()
    room.store.journal(first, ASKED)
    room.store.settle(first, GIVEN_BACK)
    room.store.sweep()
    monkeypatch.setattr("time.monotonic_ns", lambda: 1_000)
    second = room.claim()

    room.store.journal(second, POSTING)

    assert load(room.store.read_journal(second)) == POSTING
