"""A new message at any moment of a turn, with any trouble: each message is answered once.

The backend turns an undelivered row to the newest message, also while an older one is answered.
These tests generate the histories: every step of poll, put, claim, fetch, ask, post, mark, re-read
and settle, on the real flows and the real store.
"""

import logging
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count

import pytest
import redis

from dispatcher.adapters.redis.mailboxes import RedisMailboxes
from dispatcher.domain.ids import AccountId
from tests.adapters.coalescing_troubles import Trouble, What
from tests.adapters.coalescing_truth import assert_each_message_was_answered_once
from tests.adapters.coalescing_world import History

pytestmark = pytest.mark.timeout(180)

Play = Callable[..., History]
Strike = Callable[[int], Trouble]
BOTH = (False, True)
SAMPLES = 600
FIRST_POST = 11
"""No history posts or marks before this step."""


@pytest.fixture
def play(redis_client: redis.Redis) -> Iterator[Play]:
    """Play a history to its end and look whether all promises were kept."""
    store = RedisMailboxes(
        redis_client, account=AccountId("acc"), lease=timedelta(minutes=10), worker="w1"
    )
    played = 0
    logging.disable()

    def one(*troubles: Trouble, **world: int) -> History:
        nonlocal played
        played += 1
        history = History(store, redis_client, *troubles, **world).run()
        assert_each_message_was_answered_once(history)
        return history

    yield one
    logging.disable(logging.NOTSET)
    print(f"{played} histories")


def each_pair(play: Play, first: Strike, second: Strike, *, ordered: bool = False) -> None:
    """Play the first trouble at every step, and with each the second one at every other.

    Args:
        play: Plays one history.
        first: Gives the first trouble at a step.
        second: Gives the second one.
        ordered: The second one comes at the first one's step or later.
    """
    for step in count(1):
        longest = 0
        for other in count(step if ordered else 1):
            reached = play(first(step), second(other)).steps
            longest = max(longest, reached)
            if reached < other:
                break
        if longest < step:
            return


def strike(what: What, *, inside: bool = False) -> Strike:
    """Give a trouble for any step."""
    return lambda step: Trouble(what, step, inside)


@pytest.mark.parametrize("tick_ms", [7, 0], ids=["later", "same_millisecond"])
def test_a_message_at_any_step_is_answered_once(play, tick_ms: int) -> None:
    for step in count(1):
        steps = max(
            play(Trouble(What.MESSAGE, step, inside), tick_ms=tick_ms).steps for inside in BOTH
        )
        if steps < step:
            break


@pytest.mark.parametrize("tick_ms", [7, 0], ids=["later", "same_millisecond"])
def test_two_messages_at_any_two_steps_are_answered_once_each(play, tick_ms: int) -> None:
    def at_tick(*troubles: Trouble) -> History:
        return play(*troubles, tick_ms=tick_ms)

    each_pair(at_tick, strike(What.MESSAGE), strike(What.MESSAGE), ordered=True)


@pytest.mark.parametrize("inside", BOTH, ids=["before", "inside"])
def test_a_killed_process_at_any_step_and_a_message_at_any_other(play, inside: bool) -> None:
    each_pair(play, strike(What.KILL, inside=inside), strike(What.MESSAGE))


@pytest.mark.parametrize("inside", BOTH, ids=["before", "after"])
def test_a_process_killed_at_its_mark_and_a_message_that_is_polled_at_any_step(
    play, inside: bool
) -> None:
    killed = Trouble(What.KILL, "mark_delivered", inside)

    def with_a_kill(*troubles: Trouble) -> History:
        return play(killed, *troubles)

    each_pair(with_a_kill, strike(What.MESSAGE), strike(What.POLL), ordered=True)


def test_a_lost_answer_at_any_step_and_a_message_at_any_other(play) -> None:
    each_pair(play, strike(What.LOSE, inside=True), strike(What.MESSAGE))


def test_a_refused_call_at_any_step_and_a_message_at_any_other(play) -> None:
    each_pair(play, strike(What.REFUSE), strike(What.MESSAGE))


def test_a_second_poll_at_any_step_and_a_message_at_any_other(play) -> None:
    each_pair(play, strike(What.POLL), strike(What.MESSAGE))


def test_an_audit_at_any_step_and_a_message_at_any_other(play) -> None:
    each_pair(play, strike(What.AUDIT), strike(What.MESSAGE))


def test_a_frozen_process_at_any_step_and_a_message_at_any_other(play) -> None:
    each_pair(play, strike(What.FREEZE), strike(What.MESSAGE))


def test_an_old_page_that_another_poll_puts_late_changes_nothing(play) -> None:
    for step in count(1):
        longest = 0
        for later in count(step):
            listed = [Trouble(What.LIST, step), Trouble(What.MESSAGE, step)]
            longest = max(longest, play(*listed, Trouble(What.PUT, later)).steps)
            if longest < later:
                break
        if longest < step:
            break


@pytest.mark.parametrize("call", ["post_message", "mark_delivered"])
def test_a_call_of_a_killed_process_that_arrives_late_does_no_harm(play, call: str) -> None:
    for step in count(1):
        longest = 0
        for arrival in count(FIRST_POST):
            hung = Trouble(What.HANG, call)
            troubles = [Trouble(What.MESSAGE, step), hung, Trouble(What.ARRIVE, arrival)]
            longest = max(longest, play(*troubles).steps)
            if longest < arrival:
                break
        if longest < step:
            break


def test_whatever_comes_together_each_message_is_answered_once(play) -> None:
    chance = random.Random(20260101)
    usual = [
        What.MESSAGE,
        What.POLL,
        What.AUDIT,
        What.KILL,
        What.LOSE,
        What.REFUSE,
        What.FREEZE,
    ]
    for _ in range(SAMPLES):
        play(
            Trouble(What.MESSAGE, chance.randint(1, 20)),
            *(
                Trouble(chance.choice(usual), chance.randint(1, 45), chance.random() < 0.5)
                for _ in range(chance.randint(2, 4))
            ),
            tick_ms=chance.choice([0, 7]),
            audits=chance.random() < 0.5,
        )
