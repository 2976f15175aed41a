"""Whatever the gateway answers is a reply or an error of ours, and what is read can be acted on."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.adapters.gateway_state import GatewayState, state_of
from dispatcher.domain.reply import Said, judge
from tests.fuzz.hostile import (
    any_bytes,
    as_bytes,
    as_json,
    changed,
    json_parts,
    json_values,
    mangled,
    many,
    some,
    spoilt,
    texts,
)
from tests.fuzz.turn import hear
from tests.samples import TASK

RESPONSE = {
    "id": "resp_1", "object": "response", "status": "completed",
    "output": [
        {"type": "message", "role": "assistant", "phase": "final",
         "content": [{"type": "output_text", "text": "Done."}]},
        {"type": "message", "content": "NO_REPLY"},
        {"type": "function_call", "call_id": "c1", "name": "task_status",
         "arguments": '{"status": "review"}'},
        {"type": "function_call", "call_id": "c2", "name": "task_load",
         "arguments": {"taskId": TASK}},
    ],
    "usage": {"input_tokens": 10, "output_tokens": 5.0},
}  # fmt: skip
REFUSAL = {
    "error": {"message": "Unrecognized key: tools", "type": "invalid_request_error", "code": None}
}
FAILED = {"object": "response", "status": "failed", "error": {"message": "billing"}, "output": []}
answers = st.sampled_from([RESPONSE, REFUSAL, FAILED]).flatmap(changed).map(as_json).map(as_bytes)
statuses = st.integers(100, 599) | st.sampled_from([200, 200, 200, 400, 401, 402, 404, 429, 503])


@many
@given(
    status=statuses,
    content=any_bytes | answers | mangled(json.dumps(RESPONSE).encode(), json_parts),
)
def test_any_answer_of_the_gateway_is_a_reply_or_an_error(status: int, content: bytes) -> None:
    hear(status, content)


@pytest.mark.parametrize("good", [RESPONSE, REFUSAL, FAILED])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_each_member_of_an_answer_may_be_spoilt(status: int, good: Any) -> None:
    for text in spoilt(good):
        hear(status, text.encode())


@many
@given(text=texts | st.text(st.characters(), max_size=200))
def test_any_text_is_judged(text: str) -> None:
    assert judge(text) in Said


READY = {"ready": False, "failing": ["model", "channels"]}
STARTED = {"ok": True, "status": "started", "version": "2026.9.6"}


def or_none(text: str) -> Any:
    """Read JSON as a look does."""
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


def looked(ready: tuple[int, str], started: tuple[int, str]) -> None:
    state = state_of((ready[0], or_none(ready[1])), (started[0], or_none(started[1])))

    assert isinstance(state, GatewayState)


@some
@given(
    statuses=st.tuples(statuses, statuses),
    ready=changed(READY) | json_values,
    started=changed(STARTED) | json_values,
)
def test_any_state_of_the_gateway_is_told(
    statuses: tuple[int, int], ready: object, started: object
) -> None:
    looked((statuses[0], as_json(ready)), (statuses[1], as_json(started)))


@pytest.mark.parametrize("good", [READY, STARTED])
def test_each_member_of_a_state_may_be_spoilt(good: Any) -> None:
    for text in spoilt(good):
        looked((503, text), (200, text))
