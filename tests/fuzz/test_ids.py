"""Whatever is called an id or a token is one of ours, or refused."""

import json
from contextlib import suppress
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from itsdangerous.encoding import base64_encode
from pydantic import SecretStr

from dispatcher.adapters.turn_tokens import PREFIX, Pass, TokenRefused, TurnTokens
from dispatcher.domain.ids import SessionKey, decode_document_id, encode_document_id
from dispatcher.domain.journal import Journal, dump
from dispatcher.domain.notification import Flags
from dispatcher.domain.rights import Rights
from tests.fakes.clock import ManualClock
from tests.fuzz.hostile import as_json, changed, json_values, mangled, many, spoilt, texts
from tests.samples import ENGINEER, ROW, TASK

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ids = (
    texts
    | st.text(ALPHABET, min_size=31, max_size=37)
    | st.builds(encode_document_id, st.integers(0, 2**60), st.binary(max_size=20))
    | mangled(ROW.encode(), st.binary(max_size=1)).map(lambda data: data.decode("latin-1"))
)
KEPT = TurnTokens(SecretStr("k" * 32), life=timedelta(minutes=11), clock=ManualClock())
RIGHTS = Rights(agent=ENGINEER, task=TASK, is_orchestrator=False, may_mark_done=True, flags=Flags())
MINTED = KEPT.mint(RIGHTS, SessionKey("task:t:agent:engineer:acc:v1"))
PAYLOAD = {
    "session": "0123456789abcdef", "rights": json.loads(dump(Journal(rights=RIGHTS)))["rights"]
}  # fmt: skip
token_parts = st.binary(max_size=3) | st.sampled_from(
    [b".", b"..", b"-", b"=", b"turn_", b"A" * 2_000]
)


def signed(payload: str) -> str:
    """Sign what another version of this program might have minted."""
    signer = KEPT._serializer.make_signer(KEPT._serializer.salt)
    return PREFIX + signer.sign(base64_encode(payload)).decode()


tokens = (
    texts.map(lambda text: PREFIX + text)
    | texts
    | mangled(MINTED.encode(), token_parts).map(
        lambda data: data.decode("utf-8", "surrogateescape")
    )
    | json_values.map(as_json).map(signed)
    | changed(PAYLOAD).map(as_json).map(signed)
)


@many
@given(text=ids)
def test_any_text_is_an_id_or_none(text: str) -> None:
    found = decode_document_id(text)

    assert found is None or encode_document_id(*found) == text


@many
@given(token=tokens)
def test_any_token_is_a_pass_or_refused(token: str) -> None:
    with suppress(TokenRefused):
        assert isinstance(KEPT.read(token), Pass)


def test_each_member_of_a_pass_may_be_spoilt() -> None:
    for text in spoilt(PAYLOAD):
        with suppress(TokenRefused):
            KEPT.read(signed(text))
