"""What an agent's words come to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.reply import NOTHING_USABLE, SILENCE_WORD, Said, judge

PLACEHOLDERS = (
    "No response from OpenClaw.",
    "No reply from agent.",
    "No response from agent.",
)
DRESSINGS = ("**{}**", "*{}*", "`{}`", "{}.", "**{}.**", "**{}**.", "`{}`.", "***{}***", "__{}__")


def test_item_49_heartbeat_ok_is_no_message() -> None:
    assert judge("HEARTBEAT_OK") is Said.HEARTBEAT_OK
    assert judge("  \nHEARTBEAT_OK\n ") is Said.HEARTBEAT_OK


@pytest.mark.parametrize(
    "text",
    [
        "Loading context for heartbeat...\n\nHEARTBEAT_OK",
        "Loading context for heartbeat\nHEARTBEAT_OK",
        "loading CONTEXT for Heartbeat...\nLoading context for heartbeat\n\n HEARTBEAT_OK",
    ],
)
def test_item_50_a_loading_line_before_it_changes_nothing(text: str) -> None:
    assert judge(text) is Said.HEARTBEAT_OK


@pytest.mark.parametrize(
    "text",
    [
        "Loading context for notification...\nHEARTBEAT_OK",
        "heartbeat_ok",
        "Done. HEARTBEAT_OK",
        "HEARTBEAT_OKAY",
        "HEARTBEAT_OK\nLoading context for heartbeat...",
    ],
)
def test_item_51_other_words_around_it_are_an_answer(text: str) -> None:
    assert judge(text) is Said.TEXT


def test_item_52_heartbeat_ok_is_not_the_word_for_silence() -> None:
    assert judge("HEARTBEAT_OK", is_answer_to_agent=True) is not Said.SILENCE


@pytest.mark.parametrize("word", ["NO_REPLY", "NO", "NO_", " NO ", "\nNO_REPLY\n"])
def test_item_52_the_words_for_silence(word: str) -> None:
    assert judge(word, is_answer_to_agent=True) is Said.SILENCE


@pytest.mark.parametrize("word", ["no_reply", "No", "no", "NO_REPLY please", "NO!", "NO_REPLY NO"])
def test_item_52_what_only_resembles_them_is_an_answer(word: str) -> None:
    assert judge(word, is_answer_to_agent=True) is Said.TEXT


@pytest.mark.parametrize("text", PLACEHOLDERS)
@pytest.mark.parametrize("prefix", ["", "@squad-lead ", "@squad-lead @engineer ", "@qa_1\n\n"])
def test_item_53_placeholders_are_known_alone_and_after_mentions(prefix: str, text: str) -> None:
    assert judge(f" {prefix}{text} ") is Said.PLACEHOLDER


@pytest.mark.parametrize(
    "text",
    [
        "Something else. No response from OpenClaw.",
        '@"Squad Lead" No response from OpenClaw.',
        "No response from OpenClaw. I tried twice.",
        "no response from openclaw.",
        "@ No response from OpenClaw.",
        "me@example No response from OpenClaw.",
    ],
)
def test_item_53_placeholders_after_other_words_are_an_answer(text: str) -> None:
    assert judge(text) is Said.TEXT


def test_item_53_a_mention_inside_a_placeholder_makes_it_an_answer() -> None:
    """Only a prefix of mentions may be taken off."""
    assert judge("No response @bob from OpenClaw.") is Said.TEXT


@pytest.mark.parametrize("text", ["", " ", "\n\t\n", "\u00a0"])
def test_blank_text_is_empty(text: str) -> None:
    assert judge(text) is Said.EMPTY


def test_our_own_word_is_silence_for_everybody() -> None:
    assert judge(SILENCE_WORD) is Said.SILENCE
    assert judge(SILENCE_WORD, is_answer_to_agent=True) is Said.SILENCE
    assert judge(f"I have {SILENCE_WORD}") is Said.TEXT


@pytest.mark.parametrize("dressing", DRESSINGS)
@pytest.mark.parametrize("word", [SILENCE_WORD, "NO_REPLY"])
def test_silence_in_a_dress_is_silence(word: str, dressing: str) -> None:
    assert judge(dressing.format(word)) is Said.SILENCE


@pytest.mark.parametrize("dressing", DRESSINGS)
def test_heartbeat_ok_in_a_dress_is_heartbeat_ok(dressing: str) -> None:
    assert judge(dressing.format("HEARTBEAT_OK")) is Said.HEARTBEAT_OK


@pytest.mark.parametrize("dressing", ["_{}_", "```\n{}\n```"])
def test_unusual_dresses_are_dresses_too(dressing: str) -> None:
    """A single underscore is emphasis, and a fence is made of back-ticks."""
    assert judge(dressing.format(SILENCE_WORD)) is Said.SILENCE


@pytest.mark.parametrize("text", ["NO", "NO.", "**NO**", "`NO`"])
def test_a_bare_no_answers_a_person_and_is_silence_only_towards_agents(text: str) -> None:
    assert judge(text) is Said.TEXT
    assert judge(text, is_answer_to_agent=True) is Said.SILENCE


def test_a_required_reply_is_asked_for_again_only_when_nothing_was_said() -> None:
    assert {Said.SILENCE, Said.PLACEHOLDER, Said.EMPTY} == NOTHING_USABLE


@given(text=st.text(), to_agent=st.booleans())
def test_every_text_has_a_judgement_and_white_space_around_it_does_not_matter(
    text: str, to_agent: bool
) -> None:
    said = judge(text, is_answer_to_agent=to_agent)

    assert judge(f" \n{text}\t", is_answer_to_agent=to_agent) is said
    assert (said is Said.EMPTY) == (not text.strip())


@given(
    before=st.text(alphabet="abc ", max_size=8),
    token=st.sampled_from([SILENCE_WORD, "NO_REPLY", "NO", *PLACEHOLDERS]),
    after=st.text(alphabet="abc ", max_size=8),
)
def test_a_real_word_beside_a_token_makes_an_answer(before: str, token: str, after: str) -> None:
    if (before + after).strip():
        assert judge(f"{before} {token} {after}", is_answer_to_agent=True) is Said.TEXT
