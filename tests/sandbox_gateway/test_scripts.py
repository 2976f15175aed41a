"""What the agents say, and how they fail."""

import threading

import httpx
import pytest

from dispatcher.sandbox.gateway.rules import BadRule
from tests.sandbox_gateway.conftest import FENCED, reply_of

TOOLS = [{"type": "function", "name": name} for name in ("task_status", "note")]
KEY = "agent:engineer:task:t1"


def results(body_of, response, *outputs):
    calls = [item for item in response.json()["output"] if item["type"] == "function_call"]
    items = [
        {"type": "function_call_output", "call_id": call["call_id"], "output": output}
        for call, output in zip(calls, outputs, strict=True)
    ]
    return body_of(items, tools=TOOLS)


def test_by_default_an_agent_echoes_the_latest_message_only(client):
    prompt = FENCED.format(history="an old [[error:500]] message", text="fix the\nlogin page")

    assert reply_of(client.ask(prompt)) == "Done: fix the login page"
    assert reply_of(client.ask("line one\nline two\n\n")) == "Done: line two"
    assert reply_of(client.ask("x" * 500)) == "Done: " + "x" * 200


def test_markers_combine_and_are_not_echoed(client):
    response = client.ask("[[delay:0.2]] please look [[commentary:let me see]]")

    phases = [item["phase"] for item in response.json()["output"]]
    assert reply_of(response) == "Done: please look"
    assert phases == ["commentary", "final_answer"]
    row = client.gateway.ledger()[0]
    assert 0.2 <= row["ended_at"] - row["started_at"] < 10


def test_an_answer_has_the_shape_of_the_gateway(client):
    answer = client.ask("[[reply:hi there]]").json()

    assert answer["id"].startswith("resp_")
    assert (answer["object"], answer["status"]) == ("response", "completed")
    assert answer["model"] == "openclaw/engineer"
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0
    assert usage["input_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 0}


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ("500", 500, "api_error"),
        ("502", 502, "api_error"),
        ("429", 429, "rate_limit_error"),
        ("provider401", 401, "authentication_error"),
        ("provider402", 402, "insufficient_quota"),
        ("provider404", 404, "invalid_request_error"),
    ],
)
def test_a_failed_run_is_a_response_object(client, what, status, code):
    response = client.ask(f"[[error:{what}]]")

    assert response.status_code == status
    assert response.json()["status"] == "failed"
    assert response.json()["error"]["code"] == code


def test_refusals_by_the_gateway_or_a_proxy_have_no_response_object(client):
    draining = client.ask("[[error:503]]")

    assert draining.headers["Retry-After"] == "1"
    assert draining.json()["error"]["code"] == "gateway_unavailable"
    assert client.ask("[[error:401]]").json()["error"]["type"] == "unauthorized"
    assert client.ask("[[error:404]]").text == "Not Found"
    for what in ("proxy502", "504"):
        response = client.ask(f"[[error:{what}]]")
        assert response.status_code == int(what[-3:])
        assert response.headers["content-type"].startswith("text/html")


def test_odd_answers_are_as_odd_as_asked(client):
    garbage, broken = client.ask("[[garbage]]"), client.ask("[[brokenjson]]")
    failed, incomplete = client.ask("[[failed]]"), client.ask("[[incomplete]] [[reply:half]]")

    assert garbage.text.startswith("<!doctype html>")
    assert broken.status_code == 200
    with pytest.raises(ValueError):  # noqa: PT011 - any complaint about the JSON will do
        broken.json()
    assert (failed.status_code, failed.json()["status"]) == (200, "failed")
    assert incomplete.json()["incomplete_details"] == {"reason": "max_output_tokens"}
    assert "Reply truncated at the model's output token limit" in reply_of(incomplete)
    assert client.ask("[[silence]]").json()["error"]["message"] == "internal error"
    assert reply_of(client.ask("[[heartbeat_ok]]")) == "HEARTBEAT_OK"


def test_a_dropped_ask_gets_no_answer(client):
    with pytest.raises(httpx.RemoteProtocolError):
        client.ask("[[drop]]")

    assert client.gateway.ledger()[0]["outcome"] == "dropped"


def test_a_fault_ends_after_so_many_asks_of_a_session(client):
    text = "[[error:500]] [[times:2]] [[reply:better]]"
    other = "agent:engineer:task:other"

    codes = [client.ask(text).status_code for _ in range(3)]

    assert codes == [500, 500, 200]
    assert client.ask(text, key=other).status_code == 500


def test_a_tool_is_called_and_its_result_quoted(client):
    text = '[[tool:task_status {"status": "done", "tags": [["x"]]}]] set it'
    first = client.post(client.body(text, tools=TOOLS))
    call = first.json()["output"][0]
    second = client.post(results(client.body, first, "task_status: ok"))

    assert (first.json()["status"], call["type"]) == ("completed", "function_call")
    assert call["arguments"] == '{"status": "done", "tags": [["x"]]}'
    assert reply_of(second) == "Done: task_status: ok"
    rows = client.gateway.ledger()
    assert [row["round"] for row in rows] == [0, 1]
    assert [row["calls"] for row in rows] == [["task_status"], []]
    assert rows[0]["tools"] == ["task_status", "note"]


def test_calls_can_be_parallel_and_last_several_rounds(client):
    text = '[[tool:task_status {}]][[tool:note {"a": 1}]][[rounds:2]][[reply:All set]]'
    answer = client.post(client.body(text, tools=TOOLS))
    for round_no in (1, 2):
        assert [i["name"] for i in answer.json()["output"]] == ["task_status", "note"]
        answer = client.post(results(client.body, answer, f"a{round_no}", f"b{round_no}"))

    assert reply_of(answer) == "All set: a2 | b2"


def test_a_rule_can_make_the_round_with_the_results_fail(client):
    client.gateway.set_rules([{"contains": "bad result", "error": 502, "times": 1}])
    text = "[[tool:note {}]][[reply:All set]]"
    first = client.post(client.body(text, tools=TOOLS))

    assert client.post(results(client.body, first, "bad result")).status_code == 502
    assert reply_of(client.post(results(client.body, first, "bad result"))) == "All set: bad result"
    assert [row["round"] for row in client.gateway.ledger()] == [0, 1, 1]


@pytest.mark.parametrize("said", ["NO_REPLY", "no_reply", " ", ""])
def test_an_agent_that_says_nothing_is_an_internal_error(client, said):
    assert client.ask(f"[[reply:{said}]]").status_code == 500


def test_a_tool_that_is_not_offered_is_not_called(client):
    assert reply_of(client.ask("[[tool:note {}]]")) == "I have no tool named note."
    hidden = client.post(client.body("[[tool:note {}]]", tools=TOOLS, tool_choice="none"))
    assert reply_of(hidden) == "I have no tool named note."


def test_a_demanded_tool_that_is_not_called_is_a_failure(client):
    response = client.post(client.body("hello", tools=TOOLS, tool_choice="required"))

    assert response.status_code == 502
    assert "tool_choice=required was not satisfied" in response.text


def test_the_first_rule_that_fits_decides_and_can_be_used_up(start):
    client = start(
        rules=[
            {"agent": "writer", "contains": "poem", "reply": "roses"},
            {"contains": "poem", "error": 502, "times": 2},
            {"delay_s": 0.1},
        ]
    )

    codes = [client.ask("a poem", key="agent:engineer:t").status_code for _ in range(3)]
    roses = client.ask("a poem", key="agent:writer:t")
    slow = client.ask("anything", key="agent:writer:t")

    assert codes == [502, 502, 200]
    assert reply_of(roses) == "roses"
    assert slow.elapsed.total_seconds() >= 0.1


def test_a_rule_with_a_misspelt_field_is_refused_and_the_old_ones_stay(client):
    client.gateway.set_rules([{"reply": "old"}])

    for wrong in ({"repyl": "x"}, {"delay_s": "soon"}, {"times": None}, "text"):
        with pytest.raises(BadRule):
            client.gateway.set_rules([wrong])

    assert reply_of(client.ask("hello")) == "old"


def test_rules_may_be_replaced_while_asks_run(start, background):
    client = start(delay_s=0.05)
    done = threading.Barrier(9)

    def ask(number):
        client.ask("hello", key=f"agent:engineer:{number}")
        done.wait(5)

    for number in range(8):
        background(ask, number)
    client.gateway.set_rules([{"reply": "new"}])
    done.wait(5)

    assert {row["outcome"] for row in client.gateway.ledger()} == {"answered"}
