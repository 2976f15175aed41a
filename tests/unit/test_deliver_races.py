"""Races between a turn and the world: what was seen to go wrong once, and must not again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dispatcher.domain import errors
from dispatcher.domain.delivery import Dead, Resting, Settled, Spent
from dispatcher.domain.ids import DeliveryId, MessageId, derived_key
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Kind
from dispatcher.domain.reply import Reply
from tests.fakes.backend import Post
from tests.fakes.desk import BOUNDS, Office
from tests.fakes.gateway import GREETING
from tests.samples import ENGINEER, MESSAGE, ROW, TASK, context, message, notification, task

ANSWERED = Settled(outcome="answered")
NEWER = MessageId("jx72kgdjh7kn48cnpdhe8ktmw1a70ebe")


def office_for(kind: Kind, **changes) -> Office:
    return Office(context(notification=notification(kind=kind), **changes))


def replace_message(office: Office) -> None:
    """Let a newer message replace the one that the row names."""
    found = office.backend.rows[ROW]
    row = replace(found.notification, message=NEWER, created_at_ms=1767225605120)
    office.backend.change(ROW, notification=row, message=message(message_id=NEWER))


def test_a_mark_whose_answer_was_lost_is_followed_by_another_look_at_the_row() -> None:
    """The newer message was put as an ordinary delivery: without the carry it would be settled as
    delivered elsewhere, because the row is marked."""
    office = office_for(Kind.THREAD_UPDATE)

    def commit_and_lose_the_answer() -> None:
        replace_message(office)
        office.mailboxes.newest_ms = 1767225605120
        row = replace(office.backend.rows[ROW].notification, is_delivered=True)
        office.backend.change(ROW, notification=row)
        raise errors.BackendUncertain("lost")

    office.diary.prepare("mark_delivered", commit_and_lose_the_answer)

    first, second = office.attempts()

    assert isinstance(first, Resting)
    assert second == ANSWERED
    assert [(put.message, put.is_carried) for put in office.mailboxes.puts] == [(NEWER, True)]


def test_a_newer_message_of_an_unmarked_row_is_left_to_its_own_delivery() -> None:
    office = office_for(Kind.THREAD_UPDATE)

    def arrive() -> None:
        replace_message(office)
        office.mailboxes.newest_ms = 1767225605120

    office.diary.prepare("post_message", arrive)

    assert office.attempt() == ANSWERED
    assert "mark_delivered" not in office.diary.calls
    assert office.mailboxes.puts == []


def test_a_key_that_redis_forgot_does_not_swallow_the_reply() -> None:
    office = office_for(Kind.THREAD_UPDATE)
    earlier = MessageId("jx7earlier0000000000000000000000")
    office.backend.posts.append(
        Post(agent=ENGINEER, task=TASK, content="An old answer.", key=ROW, message=earlier)
    )
    found = office.backend.rows[ROW]
    old = message(message_id=earlier, author_type="agent", content="An old answer.")
    office.backend.change(ROW, thread=(old, *found.thread))

    assert office.attempt() == ANSWERED

    key = derived_key(ROW, MESSAGE, "reply")
    assert [(post.content, post.key) for post in office.backend.posts][1:] == [(GREETING, key)]


def test_a_reply_that_scrolled_out_of_the_thread_meanwhile_is_not_posted_again() -> None:
    """The mark may come hours after the post, when the backend was away in between."""
    office = office_for(Kind.THREAD_UPDATE)
    office.left_behind(
        Journal(
            stage=Stage.MARKING,
            asks=1,
            reply=Reply(text="An answer."),
            post_key=ROW,
            message=MessageId("jx7scrolled00000000000000000000"),
            outcome="answered",
        )
    )

    assert office.attempt() == ANSWERED
    assert office.backend.posts == []


@pytest.mark.parametrize("text", ["Short.", "x" * 2001, "  padded \n", "ends in …", "🙂" * 1500])
def test_a_reply_that_is_in_the_thread_is_not_posted_again(text: str) -> None:
    office = office_for(Kind.THREAD_UPDATE)
    office.gateway.will_say(text)

    assert office.attempt() == ANSWERED
    assert len(office.backend.posts) == 1


def test_an_answer_is_kept_while_the_store_is_away_for_a_moment() -> None:
    office = office_for(Kind.MENTION)
    away = errors.StoreUnavailable("away")
    office.diary.prepare("journal:answered", away, away, away)

    assert office.attempt() == ANSWERED
    assert office.diary.calls.count("ask") == 1


def test_an_answer_is_given_up_when_the_lease_runs_out_before_it_is_stored() -> None:
    office = office_for(Kind.MENTION)
    office.diary.prepare("journal:answered", errors.StoreUnavailable("away"))
    office.diary.prepare("ask", office.lose_claim)

    assert office.attempt() is None
    assert office.backend.posts == []


def test_writing_back_has_attempts_of_its_own() -> None:
    """The sixth ask was answered; a hiccup at the post must not kill the paid answer."""
    office = office_for(Kind.MENTION)
    office.mailboxes.prepare(attempts=BOUNDS.max_attempts - 1)
    office.diary.prepare("post_message", errors.BackendRedacted("refused without a reason"))

    first, second = office.attempts()

    assert isinstance(first, Resting)
    assert second == ANSWERED


def test_looks_are_counted_apart_from_failed_asks() -> None:
    office = office_for(Kind.MENTION, session_key=None)
    office.mailboxes.prepare(attempts=2)

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert outcome.spends is Spent.LOOK


def test_item_79_a_malformed_context_spends_attempts_and_dies() -> None:
    office = office_for(Kind.MENTION)
    office.diary.prepare("fetch_context", *[errors.ContextMalformed("labels: null")] * 6)

    *resting, last = office.attempts()

    assert len(resting) == BOUNDS.max_attempts - 1
    assert last == Dead(cause="context_malformed")


def test_a_hiccup_while_the_task_is_moved_on_is_made_good() -> None:
    office = Office(
        context(notification=notification(kind=Kind.ASSIGNMENT), task=task(status="assigned"))
    )
    office.diary.prepare("start_work", errors.BackendUnavailable("429"))

    first, second = office.attempts()

    assert isinstance(first, Resting)
    assert second == ANSWERED
    assert office.backend.started == [TASK]
    assert len(office.backend.posts) == 1


@pytest.mark.parametrize("at", ["post_message", "mark_delivered"])
def test_a_row_that_is_gone_is_recognised_although_the_refusal_hides_it(at: str) -> None:
    office = office_for(Kind.MENTION)

    def vanish() -> None:
        office.backend.delete(ROW)
        raise errors.BackendRedacted("refused without a reason")

    office.diary.prepare(at, vanish)

    outcome = office.attempt()

    assert isinstance(outcome, Settled)
    assert office.mailboxes.head is None


def test_a_second_delivery_of_a_row_posts_with_a_key_of_its_own() -> None:
    office = office_for(Kind.THREAD_UPDATE)
    office.mailboxes.prepare(row_key_user=DeliveryId(f"{ROW}:another"))

    assert office.attempt() == ANSWERED
    assert [post.key for post in office.backend.posts] == [derived_key(ROW, MESSAGE, "reply")]


def test_a_silent_answer_gives_the_next_ask_its_full_attempts_again() -> None:
    office = office_for(Kind.MENTION)
    office.mailboxes.prepare(attempts=3)
    office.gateway.will_say(Reply(text=""), Reply(text="Now."))

    first, second = office.attempts()

    assert isinstance(first, Resting)
    assert second == ANSWERED
    asked = [j for j in office.mailboxes.journals if j.stage is Stage.ASKED]
    assert [journal.attempts_spent for journal in asked] == [0] * len(asked)
    assert Journal().attempts_spent == 0
    assert first.delay > timedelta(0)
