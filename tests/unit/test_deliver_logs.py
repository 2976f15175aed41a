"""What the log tells of a delivery."""

import logging

import pytest

from dispatcher.domain import errors
from dispatcher.domain.notification import Message
from tests.fakes.deliveries import office_for
from tests.fakes.gateway import GREETING
from tests.samples import context, message


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
