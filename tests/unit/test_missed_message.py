"""A person's message that an agent's message pushed out of the row gets its turn all the same."""

from dataclasses import replace

import pytest

from dispatcher.domain.ids import MessageId
from dispatcher.domain.notification import Kind, Message
from dispatcher.domain.policy import Reason, decide, missed_message
from tests.fakes.deliveries import ANSWERED, office_for
from tests.samples import LEAD, MESSAGE, context, message, notification, task

ROW_MADE_MS = 50_000


def person(name: str, at_ms: int, content: str = "Both of you, please.") -> Message:
    return message(message_id=MessageId(name), content=content, created_at_ms=at_ms)


def facts(*before: Message) -> dict:
    """A row that names another agent's answer, in a thread with these messages before it."""
    other = message(author_type="agent", author_id=LEAD, created_at_ms=60_000)
    row = notification(
        kind=Kind.THREAD_UPDATE, message=MESSAGE, created_at_ms=60_000,
        creation_time_ms=ROW_MADE_MS + 0.5,
    )  # fmt: skip
    return {
        "notification": row,
        "message": other,
        "thread": (*before, other),
        "source_kind": Kind.THREAD_UPDATE,
        "task": task(assigned_agents=(row.recipient, LEAD)),
        "orchestrator": None,
    }


def missed(*before: Message, seen_ms: int = 0, **changes) -> str | None:
    found = missed_message(context(**facts(*before) | changes), seen_ms=seen_ms)
    return found.message_id if found else None


def test_without_it_the_row_would_be_skipped() -> None:
    assert decide(context(**facts(person("m", ROW_MADE_MS)))).reason is Reason.LOOP_GUARD


def test_the_newest_message_that_the_row_stood_for_is_found() -> None:
    assert missed(person("m1", ROW_MADE_MS), person("m2", 55_000)) == "m2"


def test_after_an_empty_answer_the_question_is_asked_again_and_not_skipped() -> None:
    office = office_for(**facts(person("m1", ROW_MADE_MS)))
    office.gateway.will_say("", "Now I know.")

    *_, last = office.attempts()

    assert last == ANSWERED
    assert len(office.gateway.asks) == 2


def test_what_a_turn_has_shown_is_not_answered_again() -> None:
    assert missed(person("m1", ROW_MADE_MS), seen_ms=ROW_MADE_MS) is None


def test_what_was_written_before_the_row_was_made_is_none_of_its_business() -> None:
    assert missed(person("m1", ROW_MADE_MS - 20_000)) is None


def test_a_message_that_mentions_somebody_else_was_never_in_the_row() -> None:
    assert missed(person("m1", ROW_MADE_MS, content="@writer only you")) is None


@pytest.mark.parametrize("content", ["@all of you", "@engineer and you", '@"Engineer", please'])
def test_a_message_that_mentions_this_agent_has_a_row_of_its_own(content: str) -> None:
    assert missed(person("m1", ROW_MADE_MS, content=content)) is None


@pytest.mark.parametrize(
    "content",
    ["mail joe@acme.com, please", "`@writer` is a decorator", "@writerly", "> @writer said"],
)
def test_what_only_looks_like_a_mention_reaches_everybody(content: str) -> None:
    assert missed(person("m1", ROW_MADE_MS, content=content)) == "m1"


def test_a_row_that_is_delivered_anyway_is_left_as_it_is() -> None:
    by_person = person("m2", 60_000)

    assert missed(person("m1", ROW_MADE_MS), message=by_person) is None


def test_a_row_that_is_skipped_for_its_task_is_left_as_it_is() -> None:
    closed = task(status="done")

    assert missed(person("m1", ROW_MADE_MS), task=closed) is None


def test_the_agent_is_asked_the_persons_question_and_a_reply_is_required() -> None:
    office = office_for(**facts(person("m1", ROW_MADE_MS, content="What about the tests?")))

    assert office.attempt() == ANSWERED

    [ask] = office.gateway.asks
    assert "What about the tests?" in ask.text.split("REQUEST TO RESPOND TO START")[1]


def test_the_same_row_is_skipped_when_the_question_was_answered() -> None:
    office = office_for(**facts(person("m1", ROW_MADE_MS)))
    office.mailboxes.prepare(seen_ms=60_000)

    outcome = office.attempt()

    assert outcome.outcome == "skipped_loop_guard"
    assert office.gateway.asks == []


def test_a_persons_message_to_somebody_else_makes_no_update_stale() -> None:
    update = person("m1", 60_000)
    found = facts()
    row = replace(found["notification"], message=MessageId("m1"))
    thread = (update, person("m2", 61_000, content="@writer and you?"))

    decision = decide(context(**found | {"notification": row, "message": update, "thread": thread}))

    assert decision.reason is Reason.DELIVERABLE
