"""Rows that change under us: a newer message is neither swallowed nor answered twice."""

import pytest

from dispatcher.domain import errors
from dispatcher.domain.delivery import Dead, Resting, Settled
from dispatcher.domain.ids import (
    DeliveryId,
    MessageId,
    NotificationId,
    decode_document_id,
    delivery_id,
    derived_key,
)
from dispatcher.domain.journal import Stage
from dispatcher.domain.notification import Kind, Notification
from tests.fakes.deliveries import ANSWERED, NEWER, answered, let_newer_message_come, office_for
from tests.fakes.desk import Office
from tests.samples import ENGINEER, MESSAGE, ROW, TASK, notification


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
