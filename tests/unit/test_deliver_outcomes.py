"""A delivery that meets no trouble: claim, ask, judge, write back, settle."""

from datetime import timedelta

import pytest

from dispatcher.domain import errors
from dispatcher.domain.delivery import NotClaimed, Resting, Settled, Spent
from dispatcher.domain.notification import Flags, Kind
from dispatcher.domain.reply import Reply
from dispatcher.flows.deliver import deliver
from dispatcher.flows.write_back import CUT_OFF_NOTE
from tests.fakes.deliveries import ANSWERED, office_for
from tests.samples import ENGINEER, TASK, context, notification, task


def test_item_62_the_calls_of_a_success_come_in_order() -> None:
    office = office_for(Kind.ASSIGNMENT, task=task(status="assigned"))

    assert office.attempt() == ANSWERED
    assert office.diary.calls == [
        "claim",
        "fetch_context",
        "mark_begun",
        "journal:asked",
        "ask",
        "journal:posting",
        "post_message",
        "start_work",
        "journal:marking",
        "mark_delivered",
        "settle",
    ]


def test_an_empty_mailbox_is_no_attempt() -> None:
    office = office_for()
    office.mailboxes.head = None

    assert deliver(office.conversation, desk=office.desk) is NotClaimed.EMPTY
    assert office.diary.calls == ["claim"]
    assert office.tally.attempts == []


def test_whoever_is_next_is_rung_after_the_settling() -> None:
    office = office_for()

    office.attempt()

    assert office.bell.rung == [office.conversation]


def test_a_success_is_counted_with_its_wait() -> None:
    office = office_for()
    created = notification().created_at_ms

    office.attempt()

    assert office.tally.attempts == [("mention", "settled", "answered")]
    assert [result for result, _ in office.tally.asks] == ["answered"]
    expected = office.clock.now().timestamp() * 1000 - created
    assert [wait / timedelta(milliseconds=1) for wait in office.tally.waits] == [expected]


@pytest.mark.parametrize("created_at_ms", [0, 253_402_300_799_999])
def test_a_strange_time_of_creation_does_not_spoil_a_written_reply(created_at_ms: int) -> None:
    """The adapter lets times up to the end of the year 9999 pass; the message is in the thread by then."""
    office = office_for(notification=notification(created_at_ms=created_at_ms))

    assert office.attempt() == ANSWERED
    assert all(wait >= timedelta(0) for wait in office.tally.waits)


def test_how_long_an_agent_took_is_measured() -> None:
    office = office_for()
    office.diary.prepare("ask", lambda: office.clock.advance(timedelta(seconds=42)))

    office.attempt()

    assert office.tally.asks == [("answered", timedelta(seconds=42))]


def test_the_agent_is_asked_by_slug_in_the_backends_session() -> None:
    office = office_for()

    office.attempt()

    (asked,) = office.gateway.asks
    assert asked.agent == "engineer"
    assert asked.session_key == context().session_key
    assert "@engineer please check the build." in asked.text


def test_item_63_a_typing_mark_that_fails_does_not_stop_the_delivery() -> None:
    office = office_for()
    office.diary.prepare("mark_begun", errors.BackendUncertain("lost"))

    assert office.attempt() == ANSWERED
    assert len(office.backend.posts) == 1


@pytest.mark.parametrize(
    "kind", [errors.CredentialsRejected, errors.CredentialsSuspected, errors.DeploymentOff]
)
def test_a_backend_that_wants_no_calls_gets_none_and_no_agent_is_paid(
    kind: type[errors.BackendError],
) -> None:
    """The reply could not be written back anyway."""
    office = office_for()
    office.diary.prepare("mark_begun", kind("off"))

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert outcome.spends is Spent.WAIT
    assert office.gateway.asks == []


def test_item_64_the_message_is_trimmed_and_keyed_by_its_row() -> None:
    office = office_for()
    office.gateway.will_say("\n  Done, see **above**. \n\n")

    office.attempt()

    (post,) = office.backend.posts
    assert post.content == "Done, see **above**."
    assert post.key == office.row
    assert post.wakes_agents is True
    assert (post.agent, post.task) == (ENGINEER, TASK)


def test_a_reply_that_the_model_cut_off_says_so() -> None:
    office = office_for()
    office.gateway.will_say(Reply(text="First, ", is_incomplete=True))

    office.attempt()

    assert office.backend.posts[0].content == f"First,\n\n{CUT_OFF_NOTE}"


@pytest.mark.parametrize(
    ("kind", "status", "flags", "is_started"),
    [
        (Kind.ASSIGNMENT, "assigned", Flags(), True),
        (Kind.ASSIGNMENT, "in_progress", Flags(), False),
        (Kind.ASSIGNMENT, "assigned", Flags(can_modify_task_status=False), False),
        (Kind.MENTION, "assigned", Flags(), False),
        (Kind.THREAD_UPDATE, "assigned", Flags(), False),
    ],
)
def test_item_68_only_an_answered_assignment_moves_its_task_on(
    kind: Kind, status: str, flags: Flags, is_started: bool
) -> None:
    office = office_for(kind, task=task(status=status), flags=flags)

    assert office.attempt() == ANSWERED
    assert office.backend.started == ([TASK] if is_started else [])


def test_item_68_without_a_message_the_task_stays() -> None:
    office = office_for(Kind.ASSIGNMENT, task=task(status="assigned"))
    office.gateway.will_say("HEARTBEAT_OK")

    office.attempt()

    assert office.backend.started == []


def test_item_68_a_task_that_cannot_be_moved_is_no_failure() -> None:
    office = office_for(Kind.ASSIGNMENT, task=task(status="assigned"))
    office.diary.prepare("start_work", errors.BackendRefused("status changed"))

    assert office.attempt() == ANSWERED
    assert office.backend.is_delivered(office.row)


def test_item_72_an_answer_without_a_task_has_no_thread_to_go_to() -> None:
    office = office_for(notification=notification(task=None), task=None)

    outcome = office.attempt()

    assert outcome == Settled(outcome="answered_without_task")
    assert office.backend.posts == []
    assert office.backend.is_delivered(office.row)
