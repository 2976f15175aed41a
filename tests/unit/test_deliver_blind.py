"""Posts without a key: the id of the row cannot be decoded, so none can be derived from it."""

from datetime import timedelta

import pytest

from dispatcher.domain import errors
from dispatcher.domain.delivery import Resting
from dispatcher.domain.ids import DeliveryId, NotificationId
from dispatcher.domain.notification import Kind
from tests.fakes.deliveries import ANSWERED, office_for
from tests.fakes.desk import Office
from tests.samples import notification


@pytest.fixture
def office() -> Office:
    """A second delivery of a row whose id is no document id."""
    row = notification(kind=Kind.THREAD_UPDATE, notification_id=NotificationId("of-another-kind"))
    office = office_for(notification=row)
    office.mailboxes.prepare(row_key_user=DeliveryId("of-another-kind:m0"))
    return office


def rest_of(outcome: object) -> timedelta:
    assert isinstance(outcome, Resting), outcome
    return outcome.delay


def test_a_post_without_a_key_is_made_once(office: Office) -> None:
    assert office.attempt() == ANSWERED

    assert [post.key for post in office.backend.posts] == [None]


def test_a_post_that_may_have_happened_is_looked_for_a_minute_later(office: Office) -> None:
    office.diary.prepare("journal:marking", errors.BackendUncertain("the answer to the post"))
    office.attempt()

    assert rest_of(office.attempt()) >= timedelta(seconds=60)
    assert office.attempt() == ANSWERED

    assert len(office.backend.posts) == 1, "it was found in the thread"
    assert len(office.gateway.asks) == 1


def test_a_post_that_did_not_happen_is_made_in_the_end(office: Office) -> None:
    office.diary.prepare("post_message", errors.BackendUncertain("lost"))
    office.attempt()

    assert rest_of(office.attempt()) >= timedelta(seconds=60)
    assert office.attempt() == ANSWERED

    assert len(office.backend.posts) == 1
