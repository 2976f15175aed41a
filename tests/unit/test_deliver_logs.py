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


@pytest.mark.parametrize("fails", [False, True])
def test_each_attempt_ends_with_one_line_that_has_all_its_facts(
    caplog: pytest.LogCaptureFixture, fails: bool
) -> None:
    """For whoever has only the log, at three in the morning."""
    caplog.set_level(logging.INFO)
    office = office_for()
    if fails:
        office.diary.prepare("ask", errors.AskFailed("500"))

    office.attempt()

    [line] = [one for one in caplog.records if getattr(one, "action", "") == "settle"]
    facts = vars(line)
    assert facts["result"] == ("resting" if fails else "settled")
    assert facts["cause"] == ("ask_failed" if fails else "answered")
    assert facts["kind"] == "mention"
    assert facts["asks"] == 1
    steps = {"look_s", "ask_s", "attempt_s"} | (set() if fails else {"post_s", "mark_s"})
    assert steps | {"notification", "delivery", "agent", "task", "attempt", "age_s"} <= set(facts)
    assert ("tokens_in" in facts) is not fails
    assert {step for step, _ in office.tally.steps} >= {"line", "look", "ask", "attempt"}
