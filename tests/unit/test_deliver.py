"""The journey of one delivery: claim, ask, judge, write back, settle, whatever happens on the way.

A test that speaks of one attempt looks at its outcome; one that speaks of several lets the office
attempt until the delivery does not rest any more.
"""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dispatcher.domain import errors
from dispatcher.domain.delivery import Dead, NotClaimed, Outcome, Resting, Settled, Spent, entry_of
from dispatcher.domain.ids import (
    DeliveryId,
    MessageId,
    NotificationId,
    SessionKey,
    decode_document_id,
    delivery_id,
    derived_key,
)
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Context, Flags, Kind, Message, Notification
from dispatcher.domain.reply import SILENCE_WORD, Reply
from dispatcher.flows.deliver import deliver
from dispatcher.flows.write_back import CUT_OFF_NOTE
from tests.fakes.desk import BOUNDS, Office
from tests.fakes.gateway import GREETING
from tests.samples import ENGINEER, LEAD, MESSAGE, ROW, TASK, context, message, notification, task

ANSWERED = Settled(outcome="answered")
NEWER = MessageId("jx72kgdjh7kn48cnpdhe8ktmw1a70ebe")
STORED = Reply(text="  The stored answer.\n")
EVERY_EFFECT = ("mark_begun", "ask", "post_message", "mark_delivered")
REQUIRED = (Kind.MENTION, Kind.ASSIGNMENT, Kind.RESPONSE_REQUEST, Kind.THREAD_UPDATE)


def office_for(kind: Kind = Kind.MENTION, *, is_carried: bool = False, **changes: Any) -> Office:
    """Set up an office for a notification of a kind; other facts of its context may differ."""
    facts: dict[str, Any] = {"notification": notification(kind=kind)} | changes
    return Office(context(**facts), is_carried=is_carried)


def update_by_agent(**changes: Any) -> Office:
    """Set up an office for a thread update that another agent wrote."""
    said = message(author_type="agent", author_id=LEAD)
    return office_for(Kind.THREAD_UPDATE, message=said, thread=(said,), **changes)


def newer_row(found: Context, *, message_id: MessageId = NEWER) -> dict[str, Any]:
    """Give the changes by which a newer message replaces the one that a row names."""
    row = found.notification
    said = message(message_id=message_id, content="And the tests, please.")
    return {
        "notification": replace(row, message=message_id, created_at_ms=row.created_at_ms + 5_000),
        "message": said,
        "thread": (*found.thread, said),
    }


def let_newer_message_come(office: Office) -> None:
    office.backend.change(office.row, **newer_row(office.backend.rows[office.row]))


def answered(stage: Stage = Stage.ANSWERED, **changes: Any) -> Journal:
    """Give the journal of a delivery whose answer is stored."""
    return Journal(
        stage=stage,
        session_key=SessionKey("task:t:agent:engineer:acc:v1"),
        asks=1,
        is_required=True,
        reply=STORED,
    ).evolve(**changes)


# The way of a delivery that meets no trouble.


def test_item_62_the_calls_of_a_success_come_in_order() -> None:
    office = office_for(Kind.ASSIGNMENT, task=task(status="assigned"))

    assert office.attempt() == ANSWERED
    assert office.diary.calls == [
        "claim",
        "fetch_context",
        "mark_begun",
        "journal:asked",
        "ask",
        "journal:answered",
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


# What is not delivered.


def test_item_32_a_row_that_cannot_be_found_causes_no_call() -> None:
    office = office_for()
    office.backend.delete(office.row)

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert office.effects() == []
    assert all(result != "settled" for _, result, _ in office.tally.attempts)


def test_a_row_that_cannot_be_found_three_times_is_forgotten() -> None:
    office = office_for()
    office.backend.delete(office.row)

    first, second, third = office.attempts()

    assert isinstance(first, Resting)
    assert isinstance(second, Resting)
    assert first.spends is second.spends is Spent.LOOK
    assert third == Settled(outcome="context_missing")
    assert office.effects() == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"agent": None}, "missing_agent", id="item_33"),
        pytest.param({"task": None}, "missing_task", id="item_34"),
        pytest.param(
            {"notification": notification(kind=Kind.THREAD_UPDATE), "task": task(status="done")},
            "task_closed",
            id="policy",
        ),
    ],
)
def test_items_33_34_36_what_is_skipped_is_marked_and_nothing_else(
    changes: dict[str, Any], reason: str
) -> None:
    """No typing, no ask, no message."""
    office = office_for(**changes)

    assert office.attempt() == Settled(outcome=f"skipped_{reason}")
    assert [call for call in office.effects() if call != "fetch_context"] == ["mark_delivered"]


def test_item_35_a_session_key_is_waited_for_and_then_the_row_is_marked_with_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    office = office_for(session_key=None)

    first, second, third = office.attempts()

    assert isinstance(first, Resting)
    assert isinstance(second, Resting)
    assert third == Settled(outcome="skipped_missing_session_key")
    assert office.effects() == ["mark_delivered"]
    assert [line for line in caplog.records if line.levelno == logging.ERROR]


def test_item_35_a_session_key_that_comes_later_is_used() -> None:
    office = office_for(session_key=None)
    office.attempt()

    office.backend.change(office.row, session_key=context().session_key)

    assert office.attempt() == ANSWERED


def test_a_row_that_was_delivered_elsewhere_is_left_alone() -> None:
    office = office_for(notification=notification(is_delivered=True))

    assert office.attempt() == Settled(outcome="delivered_elsewhere")
    assert office.effects() == []


@pytest.mark.parametrize("has_journal", [True, False])
def test_a_carried_or_begun_delivery_runs_although_its_row_is_marked(has_journal: bool) -> None:
    row = notification(is_delivered=True)
    office = office_for(notification=row, is_carried=not has_journal)
    if has_journal:
        office.left_behind(Journal(stage=Stage.ASKED, asks=1))

    assert office.attempt() == ANSWERED
    assert len(office.gateway.asks) == 1


# What an agent may say instead of an answer.


@pytest.mark.parametrize("text", ["", "  ", "NO_REPLY", SILENCE_WORD, "No response from OpenClaw."])
@pytest.mark.parametrize("kind", REQUIRED)
def test_items_54_55_a_required_reply_is_asked_for_three_times(kind: Kind, text: str) -> None:
    office = office_for(kind)
    office.gateway.will_say(text, text, text)

    first, second, third = office.attempts()

    assert isinstance(first, Resting)
    assert isinstance(second, Resting)
    assert first.spends is second.spends is Spent.UNANSWERED
    assert third == Settled(outcome="no_reply")
    typing = ["mark_begun", "ask", "mark_ended"]
    assert office.effects() == [*typing, *typing, "mark_begun", "ask", "mark_delivered"]
    assert office.tally.attempts[-1] == (kind.value, "settled", "no_reply")


def test_item_54_the_waits_between_the_asks_keep_the_operators_bounds() -> None:
    office = office_for()
    office.gateway.will_say("", "", "")

    waits = [outcome for outcome in office.attempts() if isinstance(outcome, Resting)]

    assert all(BOUNDS.backoff_base <= wait.delay <= BOUNDS.backoff_max for wait in waits)


@pytest.mark.parametrize("text", ["", "NO_REPLY", "NO", SILENCE_WORD, "No reply from agent."])
def test_item_56_nobody_waits_for_an_answer_to_an_agents_update(text: str) -> None:
    office = update_by_agent()
    office.gateway.will_say(text)

    outcome = office.attempt()

    assert isinstance(outcome, Settled)
    assert outcome.outcome in {"silence", "placeholder", "empty"}
    assert office.backend.posts == []
    assert office.backend.is_delivered(office.row)


@pytest.mark.parametrize("text", ["", "NO_REPLY", SILENCE_WORD])
def test_item_56_nobody_waits_for_an_answer_to_a_status_change(text: str) -> None:
    office = office_for(Kind.STATUS_CHANGE, message=None)
    office.gateway.will_say(text)

    assert isinstance(office.attempt(), Settled)
    assert len(office.gateway.asks) == 1
    assert office.backend.posts == []


def test_a_person_can_be_answered_with_no() -> None:
    office = office_for(Kind.THREAD_UPDATE)
    office.gateway.will_say("NO")

    assert office.attempt() == ANSWERED
    assert office.backend.posts[0].content == "NO"


def test_item_57_the_count_of_asks_does_not_depend_on_the_time_between_them() -> None:
    """Our decision: a slow agent must not be asked for ever because counting starts again."""
    office = office_for()
    office.gateway.will_say("", "", "")
    outcomes: list[Outcome | None] = []

    for _ in range(3):
        office.clock.advance(timedelta(hours=1))
        outcomes.append(office.attempt())

    assert outcomes[-1] == Settled(outcome="no_reply")


def test_item_58_the_count_of_asks_comes_from_the_store() -> None:
    """Any worker on any machine makes the third ask the last one."""
    office = office_for()
    office.left_behind(Journal(stage=Stage.ASKED, asks=2), unanswered=2)
    office.gateway.will_say("")

    assert office.attempt() == Settled(outcome="no_reply")


def test_item_59_an_answer_after_empty_ones_is_an_answer() -> None:
    office = office_for()
    office.gateway.will_say("", "NO_REPLY", GREETING)

    *rests, last = office.attempts()

    assert len(rests) == 2
    assert last == ANSWERED
    assert [post.content for post in office.backend.posts] == [GREETING]


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("text", ["", "NO_REPLY", "HEARTBEAT_OK", "No response from agent."])
def test_items_60_61_nothing_is_ever_posted_on_behalf_of_a_silent_agent(
    kind: Kind, text: str
) -> None:
    for office in (
        office_for(kind),
        office_for(kind, notification=notification(kind=kind, recipient=LEAD)),
    ):
        office.gateway.will_say(text, text, text)

        assert isinstance(office.attempts()[-1], Settled)
        assert office.backend.posts == []


@pytest.mark.parametrize("kind", REQUIRED)
def test_a_heartbeat_with_nothing_to_do_is_not_asked_again(kind: Kind) -> None:
    office = office_for(kind)
    office.gateway.will_say("HEARTBEAT_OK")

    assert office.attempt() == Settled(outcome="heartbeat_ok")
    assert office.backend.is_delivered(office.row)


def test_an_ask_for_a_missing_reply_does_not_claim_to_repeat_anything() -> None:
    office = office_for()
    office.gateway.will_say("", GREETING)

    office.attempts()

    assert not any("earlier attempt" in asked.instructions for asked in office.gateway.asks)


def test_only_those_for_whom_nobody_waits_are_told_the_word_for_silence() -> None:
    asked, updated = office_for(), update_by_agent()

    asked.attempt()
    updated.attempt()

    assert SILENCE_WORD not in asked.gateway.asks[0].instructions
    assert SILENCE_WORD in updated.gateway.asks[0].instructions


# Failures.


@pytest.mark.parametrize(
    "error",
    [errors.AskFailed("500"), errors.AskTimedOut("60 s"), errors.AskLost("reset")],
)
def test_item_65_after_a_failed_ask_typing_ends_and_an_attempt_is_spent(
    error: errors.GatewayError,
) -> None:
    office = office_for()
    office.diary.prepare("ask", error)

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert outcome.spends is Spent.ATTEMPT
    assert office.effects() == ["mark_begun", "ask", "mark_ended"]
    assert not office.backend.is_delivered(office.row)
    assert office.tally.attempts == [("mention", "resting", outcome.cause)]


def test_a_repeated_ask_says_so_and_stays_in_its_session() -> None:
    office = office_for()
    office.diary.prepare("ask", errors.AskLost("reset"))
    office.attempt()
    office.backend.change(office.row, session_key=SessionKey("task:t:agent:engineer:acc:v2"))

    assert office.attempt() == ANSWERED

    first, second = office.gateway.asks
    assert second.session_key == first.session_key
    assert "earlier attempt" not in first.instructions
    assert "earlier attempt" in second.instructions


@pytest.mark.parametrize(
    "error", [errors.GatewayUnavailable("refused"), errors.AgentUnavailable("unknown agent")]
)
def test_an_ask_that_never_reached_the_agent_is_not_called_a_repetition(
    error: errors.GatewayError,
) -> None:
    """The agent would look for traces of a turn that never was."""
    office = office_for()
    office.diary.prepare("ask", error)

    *_, last = office.attempts()

    assert last == ANSWERED
    assert "earlier attempt" not in office.gateway.asks[-1].instructions


def test_item_65_a_typing_mark_that_cannot_be_taken_off_changes_nothing() -> None:
    office = office_for()
    office.diary.prepare("ask", errors.AskFailed("500"))
    office.diary.prepare("mark_ended", errors.BackendUncertain("lost"))

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert outcome.spends is Spent.ATTEMPT


@pytest.mark.parametrize("error", [errors.BackendUncertain("lost"), errors.BackendRedacted("no")])
def test_item_66_a_message_that_cannot_be_written_is_written_later_without_asking_again(
    error: errors.BackendError,
) -> None:
    office = office_for()
    office.diary.prepare("post_message", error, error)

    first, second, third = office.attempts()

    assert isinstance(first, Resting)
    assert isinstance(second, Resting)
    assert third == ANSWERED
    assert len(office.gateway.asks) == 1
    assert [post.content for post in office.backend.posts] == [GREETING]


def test_item_66_after_a_failing_write_typing_ends_and_the_row_is_not_marked() -> None:
    office = office_for()
    office.diary.prepare("post_message", errors.BackendUnavailable("overloaded"))

    office.attempt()

    assert office.effects() == ["mark_begun", "ask", "post_message", "mark_ended"]


def test_typing_ends_also_when_an_earlier_worker_began_it() -> None:
    """That worker was killed after the answer; nobody shall see the agent typing for ever."""
    office = office_for()
    office.left_behind(answered(Stage.POSTING))
    office.diary.prepare("post_message", errors.BackendUncertain("lost"))

    office.attempt()

    assert office.effects() == ["post_message", "mark_ended"]


def test_item_67_a_post_whose_answer_was_lost_makes_no_second_message() -> None:
    office = office_for()
    backend = office.backend
    office.left_behind(answered(Stage.POSTING), row_key_user=entry_of(notification()).delivery)
    backend.post_message(agent=ENGINEER, task=TASK, content="The stored answer.", key=office.row)

    assert office.attempt() == ANSWERED
    assert len(backend.posts) == 1


def test_a_mark_that_fails_is_repeated_without_posting_again() -> None:
    office = office_for()
    office.diary.prepare("mark_delivered", errors.BackendUncertain("lost"))

    office.attempt()
    office.diary.calls.clear()

    assert office.attempt() == ANSWERED
    assert office.effects() == ["mark_delivered"]


def test_a_message_that_is_refused_for_good_kills_the_delivery() -> None:
    office = office_for()
    office.diary.prepare("post_message", errors.BackendRefused("not assigned"))

    assert office.attempt() == Dead(cause="backend_refused")
    assert office.backend.is_delivered(office.row)


@pytest.mark.parametrize("call", ["post_message", "mark_delivered"])
def test_a_row_that_was_deleted_meanwhile_needs_nothing_more(call: str) -> None:
    office = office_for()
    office.diary.prepare(call, errors.RowGone("no such notification"))

    assert isinstance(office.attempt(), Settled)


def test_a_backend_that_cannot_be_read_costs_no_attempt_and_nobody_is_asked() -> None:
    office = office_for()
    office.diary.prepare("fetch_context", errors.BackendUnavailable("overloaded"))

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert outcome.spends is Spent.WAIT
    assert office.gateway.asks == []


def test_a_defect_of_ours_spends_an_attempt() -> None:
    office = office_for()
    office.diary.prepare("ask", RuntimeError("a bug"))

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert (outcome.cause, outcome.spends) == ("defect", Spent.ATTEMPT)
    assert office.effects() == ["mark_begun", "ask", "mark_ended"]


def test_a_delivery_dies_after_its_last_attempt_journalled_and_marked() -> None:
    office = office_for()
    office.diary.prepare("ask", *[errors.AskFailed("500")] * BOUNDS.max_attempts)

    *rests, last = office.attempts()

    assert len(rests) == BOUNDS.max_attempts - 1
    assert last == Dead(cause="ask_failed")
    assert office.backend.is_delivered(office.row)
    assert office.mailboxes.journals[-1].stage is Stage.DYING
    assert office.mailboxes.journals[-1].cause == "ask_failed"
    calls = office.diary.calls
    assert calls.index("journal:dying") < calls.index("mark_delivered") < len(calls) - 1


def test_a_dying_delivery_waits_while_the_backend_is_away_and_is_never_asked_again() -> None:
    office = office_for()
    office.mailboxes.prepare(attempts=BOUNDS.max_attempts - 1)
    office.diary.prepare("ask", errors.AskFailed("500"))
    office.diary.prepare("mark_delivered", *[errors.BackendUnavailable("away")] * 3)

    *rests, last = office.attempts()

    assert [rest.spends for rest in rests if isinstance(rest, Resting)] == [Spent.WAIT] * 3
    assert last == Dead(cause="ask_failed")
    assert len(office.gateway.asks) == 1


def test_a_dying_delivery_whose_mark_is_refused_is_dead_all_the_same() -> None:
    office = office_for()
    office.left_behind(answered(Stage.DYING, cause="ask_failed"))
    office.diary.prepare("mark_delivered", *[errors.BackendRefused("no")] * 5)

    assert isinstance(office.attempts()[-1], Dead)
    assert office.gateway.asks == []


def test_an_unreadable_journal_is_not_a_reason_to_ask() -> None:
    """A newer program wrote it: the answer may be in there, and is paid for."""
    office = office_for()
    office.mailboxes.prepare(journal_text='{"v": 99, "stage": "dreaming"}')

    outcome = office.attempt()

    assert isinstance(outcome, Resting)
    assert outcome.cause == "journal_unreadable"
    assert office.effects() == []


@pytest.mark.parametrize("call", ["mark_ended", "mark_delivered"])
def test_a_defect_while_an_attempt_ends_becomes_an_outcome_too(call: str) -> None:
    """Else the lease runs out, the next worker meets the same defect, and so on for ever."""
    office = office_for()
    office.mailboxes.prepare(attempts=BOUNDS.max_attempts - 1)
    office.diary.prepare("ask", errors.AskFailed("500"))
    office.diary.prepare(call, RuntimeError("a bug"))

    assert isinstance(office.attempt(), Resting | Dead)


# A stored answer is never asked for again.


@pytest.mark.parametrize("stage", [Stage.ANSWERED, Stage.POSTING])
def test_a_stored_answer_is_posted_without_looking_or_asking(stage: Stage) -> None:
    office = office_for()
    office.left_behind(answered(stage))

    assert office.attempt() == ANSWERED
    assert office.effects() == ["post_message", "mark_delivered"]
    assert "fetch_context" not in office.diary.calls
    assert office.backend.posts[0].content == "The stored answer."


def test_a_delivery_that_was_marking_is_only_marked() -> None:
    office = office_for()
    office.left_behind(answered(Stage.MARKING, outcome="skipped_task_closed"))

    assert office.attempt() == Settled(outcome="skipped_task_closed")
    assert office.effects() == ["mark_delivered"]


def test_a_dying_delivery_is_only_finished() -> None:
    office = office_for()
    office.left_behind(Journal(stage=Stage.DYING, asks=6, cause="ask_timed_out"))

    assert office.attempt() == Dead(cause="ask_timed_out")
    assert office.effects() == ["mark_delivered"]


def test_the_task_of_a_stored_answer_is_moved_on_as_it_was_meant_then() -> None:
    office = office_for(Kind.ASSIGNMENT, task=task(status="in_progress"))
    office.left_behind(answered(starts_work=True))

    assert office.attempt() == ANSWERED
    assert office.backend.started == [TASK]


def test_a_stored_silence_is_judged_as_it_was_meant_then() -> None:
    office = office_for(Kind.THREAD_UPDATE)
    stored = answered(reply=Reply(text="NO"), is_required=False, is_answer_to_agent=True)
    office.left_behind(stored)

    assert office.attempt() == Settled(outcome="silence")
    assert office.gateway.asks == []


def test_a_worker_that_died_while_the_agent_thought_is_followed_by_a_repeated_ask() -> None:
    office = office_for()
    key = SessionKey("task:t:agent:engineer:acc:v0")
    office.left_behind(Journal(stage=Stage.ASKED, session_key=key, asks=1, is_required=True))

    assert office.attempt() == ANSWERED
    (asked,) = office.gateway.asks
    assert asked.session_key == key
    assert "earlier attempt" in asked.instructions


# Rows that change under us.


def changed_before(office: Office) -> Notification:
    let_newer_message_come(office)
    return office.backend.rows[office.row].notification


def test_a_row_that_names_a_newer_message_is_bound_to_it_before_the_ask() -> None:
    office = office_for(Kind.THREAD_UPDATE)
    row = changed_before(office)

    assert office.attempt() == ANSWERED
    calls = office.diary.calls
    assert calls.index("fetch_context") < calls.index("rebind") < calls.index("ask")
    assert "And the tests, please." in office.gateway.asks[0].text
    assert office.mailboxes.puts == []
    assert office.backend.posts[0].key == row.notification_id
    assert office.backend.is_delivered(office.row)


def test_a_row_that_did_not_change_is_not_bound_again() -> None:
    office = office_for(Kind.THREAD_UPDATE)

    office.attempt()

    assert "rebind" not in office.diary.calls


def test_a_message_that_comes_while_the_row_is_marked_becomes_a_carried_delivery() -> None:
    office = office_for(Kind.THREAD_UPDATE)
    office.diary.prepare("mark_delivered", lambda: let_newer_message_come(office))

    assert office.attempt() == ANSWERED

    (entry,) = office.mailboxes.puts
    assert entry.is_carried
    assert entry.message == NEWER
    assert office.bell.rung == [office.conversation, office.conversation]
    assert office.diary.calls.index("put") < office.diary.calls.index("settle")


def test_the_row_of_a_thread_update_is_read_again_after_its_mark() -> None:
    office = office_for(Kind.THREAD_UPDATE)

    office.attempt()

    assert office.diary.calls[-3:] == ["mark_delivered", "fetch_context", "settle"]
    assert office.mailboxes.puts == []


@pytest.mark.parametrize("stage", [Stage.MARKING, Stage.DYING])
def test_a_crash_after_the_mark_repeats_the_reading(stage: Stage) -> None:
    office = office_for(Kind.THREAD_UPDATE)
    office.left_behind(answered(stage, outcome="answered", cause="ask_failed"))
    let_newer_message_come(office)

    office.attempt()

    assert [entry.message for entry in office.mailboxes.puts] == [NEWER]


def test_a_reading_that_fails_after_the_mark_is_repeated() -> None:
    office = office_for(Kind.THREAD_UPDATE)
    office.diary.prepare("mark_delivered", lambda: let_newer_message_come(office))
    office.diary.prepare("fetch_context", None, errors.BackendUncertain("lost"))

    first, second = office.attempts()

    assert isinstance(first, Resting)
    assert second == ANSWERED
    assert [entry.message for entry in office.mailboxes.puts] == [NEWER]
    assert len(office.backend.posts) == 1


@pytest.mark.parametrize("stage", [Stage.ANSWERED, Stage.DYING])
def test_item_78_a_row_with_a_newer_known_message_is_not_marked(stage: Stage) -> None:
    """Marked, it would never be listed again, and the newer message would be swallowed."""
    office = office_for(Kind.THREAD_UPDATE)
    office.left_behind(answered(stage, cause="ask_failed"))
    office.mailboxes.newest_ms += 5_000

    assert isinstance(office.attempt(), Settled | Dead)
    assert "mark_delivered" not in office.diary.calls


def test_the_answer_to_a_second_message_of_a_row_has_a_key_of_its_own() -> None:
    office = office_for(Kind.THREAD_UPDATE, is_carried=True)
    earlier = delivery_id(ROW, MessageId("jx7earlier"))
    office.mailboxes.prepare(row_key_user=earlier)
    office.backend.post_message(agent=ENGINEER, task=TASK, content="the first answer", key=ROW)

    assert office.attempt() == ANSWERED

    _, post = office.backend.posts
    assert post.key == derived_key(ROW, MESSAGE, "reply")
    assert decode_document_id(post.key or "") is not None
    assert office.mailboxes.journals[-1].post_key == post.key


def test_the_second_try_of_such_an_answer_has_the_same_key() -> None:
    office = office_for(Kind.THREAD_UPDATE, is_carried=True)
    office.mailboxes.prepare(row_key_user=DeliveryId("another"))
    office.diary.prepare("mark_delivered", errors.BackendUncertain("lost"))

    office.attempts()

    assert len(office.backend.posts) == 1


def test_a_row_whose_id_cannot_be_decoded_gets_its_second_answer_without_a_key() -> None:
    odd = NotificationId("n1")
    row = notification(kind=Kind.THREAD_UPDATE, notification_id=odd)
    office = office_for(notification=row, is_carried=True)
    office.mailboxes.prepare(row_key_user=DeliveryId("another"))

    assert office.attempt() == ANSWERED
    assert [post.key for post in office.backend.posts] == [None]


def test_the_use_of_the_rows_key_is_known_before_the_post() -> None:
    office = office_for()

    def look() -> None:
        assert office.mailboxes.head is not None
        assert office.mailboxes.head.row_key_user == office.mailboxes.head.delivery

    office.diary.prepare("post_message", look)

    assert office.attempt() == ANSWERED


def test_a_row_changed_between_two_asks_is_asked_about_its_newest_message() -> None:
    office = office_for(Kind.THREAD_UPDATE)
    office.diary.prepare("ask", errors.AskFailed("500"))
    office.attempt()
    let_newer_message_come(office)

    assert office.attempt() == ANSWERED
    assert "And the tests, please." in office.gateway.asks[-1].text
    assert [post.key for post in office.backend.posts] == [ROW]


# A lost claim.


@pytest.mark.parametrize("at", ["fetch_context", "mark_begun", "journal:asked", "ask",
                                "journal:answered", "journal:posting", "post_message",
                                "journal:marking"])  # fmt: skip
def test_after_the_claim_is_lost_nothing_outside_is_touched(at: str) -> None:
    """Another worker has it now: a second message or a swallowed one would be the price."""
    office = office_for()
    office.diary.prepare(at, office.lose_claim)

    assert office.attempt() is None
    assert [call for call in office.effects() if call in EVERY_EFFECT] == [
        call
        for call in EVERY_EFFECT
        if call in office.diary.calls[: office.diary.calls.index(at) + 1]
    ]
    assert "mark_ended" not in office.diary.calls
    assert office.mailboxes.outcomes == []
    assert office.bell.rung == []
    assert office.tally.attempts == [("mention", "lost", "lease_lost")]


@pytest.mark.parametrize(
    "error", [errors.AskCancelled("closed"), errors.AskLost("reset"), RuntimeError("a bug")]
)
def test_a_broken_ask_of_a_lost_claim_is_a_lost_claim(error: Exception) -> None:
    """The watchdog closed the connection: that is no failure of the delivery."""
    office = office_for()

    def lose() -> None:
        office.lose_claim()
        raise error

    office.diary.prepare("ask", lose)

    assert office.attempt() is None
    assert office.effects() == ["mark_begun", "ask"]


def test_an_answer_that_comes_after_the_loss_is_thrown_away() -> None:
    office = office_for()
    office.diary.prepare("ask", office.lose_claim)

    office.attempt()

    assert all(journal.reply is None for journal in office.mailboxes.journals)
    assert office.backend.posts == []


@pytest.mark.parametrize("at", ["journal:asked", "journal:posting", "settle"])
def test_a_lost_store_ends_the_attempt_without_an_outcome(at: str) -> None:
    """The journal says how far we are; the sweeper hands the delivery on."""
    office = office_for()
    office.diary.prepare(at, errors.StoreUnavailable("redis is away"))

    assert office.attempt() is None
    assert office.tally.attempts == [("mention", "lost", "store_unavailable")]
    assert "mark_ended" not in office.diary.calls


def test_a_store_that_is_lost_before_the_claim_is_told_to_the_caller() -> None:
    office = office_for()
    office.diary.prepare("claim", errors.StoreUnavailable("redis is away"))

    with pytest.raises(errors.StoreUnavailable):
        deliver(office.conversation, desk=office.desk)


def test_a_worker_that_drains_gives_its_delivery_back_unspent() -> None:
    office = office_for()
    office.diary.prepare("ask", errors.AskCancelled("the worker drains"))

    first, second = office.attempts()

    assert first == Resting(delay=timedelta(0), cause="draining", spends=Spent.NOTHING)
    assert second == ANSWERED


def test_item_83_no_session_key_and_no_text_of_people_is_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    said: Message = message(content="a private word")
    office = office_for(message=said, thread=(said,))
    office.diary.prepare("ask", errors.AskFailed("500"), RuntimeError("a bug"))

    office.attempts()

    assert caplog.records
    assert str(context().session_key) not in caplog.text
    assert "a private word" not in caplog.text
    assert GREETING not in caplog.text
