"""Ids of the backend, and the keys that we make in their form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.ids import (
    NOTHING,
    AgentId,
    MessageId,
    NotificationId,
    TaskId,
    conversation_id,
    decode_document_id,
    delivery_id,
    derived_key,
    encode_document_id,
    is_document_id,
)
from tests.samples import MESSAGE, ROW

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
EXAMPLES = {
    "j57dxw5hfxg351ff8cvfdrz3vka3r13s": 10001,
    "jh785zg35fck6ytxzecv51rqsy353zjx": 10004,
    "jh7e6hbbr7td4w7mn5wk6xc68qyw5d4q": 10004,
    "jn7652t9v5pwvtbt8c6x9xcqe1c9k838": 10005,
    "jx72kgdjh7kn48cnpdhe8ktmw1a70ebe": 10007,
    "jx7cm3fjs5da2h61t3zjzwy8z5kzv3aw": 10007,
    "kd76etwbq16ee9kxtmgdxjj8274f30wv": 10011,
}
GARBAGE = [
    "",
    "n1",
    ALPHABET,
    ROW.upper(),
    ROW[:-1],
    ROW + "0",
    f"{ROW[:-1]}u",
    f"{ROW} ",
    "ü" * 32,
]

tables = st.integers(0, 2**32 - 1)
bodies = st.binary(min_size=16, max_size=16)
ids = st.builds(encode_document_id, tables, bodies)


@pytest.mark.parametrize(("text", "table"), EXAMPLES.items())
def test_ids_of_the_real_backend_are_read_and_written(text: str, table: int) -> None:
    decoded = decode_document_id(text)

    assert decoded is not None
    assert decoded[0] == table
    assert encode_document_id(*decoded) == text


@pytest.mark.parametrize("text", EXAMPLES)
def test_any_flipped_character_is_noticed(text: str) -> None:
    for at, right in enumerate(text):
        for wrong in ALPHABET.replace(right, ""):
            assert decode_document_id(text[:at] + wrong + text[at + 1 :]) is None


@pytest.mark.parametrize("text", GARBAGE)
def test_what_is_no_id_is_not_decoded(text: str) -> None:
    assert decode_document_id(text) is None


@given(text=st.text(alphabet=ALPHABET, min_size=28, max_size=40) | st.text())
def test_any_text_can_be_asked_about(text: str) -> None:
    decoded = decode_document_id(text)

    assert decoded is None or encode_document_id(*decoded) == text


@given(table=tables, body=bodies)
def test_there_and_back_is_the_identity(table: int, body: bytes) -> None:
    text = encode_document_id(table, body)

    assert is_document_id(text)
    assert decode_document_id(text) == (table, body)


@given(table=st.integers(10001, 10001 + 5000), body=bodies)
def test_ids_of_the_users_tables_have_32_characters(table: int, body: bytes) -> None:
    assert len(encode_document_id(table, body)) == 32


@given(row=ids, message=st.text(), purpose=st.text())
def test_a_derived_key_is_an_id_of_the_same_table(row: str, message: str, purpose: str) -> None:
    key = derived_key(NotificationId(row), message, purpose)

    decoded, of_row = decode_document_id(key or ""), decode_document_id(row)
    assert decoded is not None
    assert of_row is not None
    assert decoded[0] == of_row[0]
    assert key != row


def test_a_derived_key_is_always_the_same() -> None:
    """Else a repeated post after a restart would make a second message."""
    assert derived_key(ROW, MESSAGE, "reply") == derived_key(ROW, MESSAGE, "reply")
    assert derived_key(ROW, "m1", "reply") == "kd77bmvd9ahbct0np5qcww9mnsaaxzvk"


def test_keys_differ_by_row_message_and_purpose() -> None:
    other_row = NotificationId(encode_document_id(10011, bytes(16)))

    keys = {
        derived_key(row, message, purpose)
        for row in (ROW, other_row)
        for message in (MESSAGE, "m2", NOTHING)
        for purpose in ("reply", "notice")
    }

    assert len(keys) == 12


@pytest.mark.parametrize("text", GARBAGE)
def test_from_garbage_no_key_is_derived(text: str) -> None:
    assert derived_key(NotificationId(text), MESSAGE, "reply") is None


def test_nothing_has_a_name_that_no_id_can_have() -> None:
    agent, task, row = AgentId("a"), TaskId("t"), NotificationId("n")

    assert conversation_id(agent, task) == "a:t"
    assert conversation_id(agent, None) == "a:-"
    assert delivery_id(row, MessageId("m")) == "n:m"
    assert delivery_id(row, None) == "n:-"
    assert NOTHING not in ALPHABET
