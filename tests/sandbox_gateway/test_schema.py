"""What the gateway takes and what it refuses."""

import http.client
import json

import pytest

TOOL = {"type": "function", "name": "task_status", "parameters": {"type": "object"}}
KEY = "agent:engineer:task:t1"


def error_of(response):
    return response.status_code, response.json()["error"]["message"]


@pytest.mark.parametrize("field", ["idempotency_key", "parallel_tool_calls", "service_tier"])
def test_a_field_that_is_not_in_the_schema_is_refused_by_name(client, field):
    response = client.post(client.body("hello", **{field: "x"}))

    assert error_of(response) == (400, f': Unrecognized key: "{field}"')
    assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "field", ["input", "instructions", "tools", "user", "stream", "previous_response_id", "store"]
)
def test_null_is_not_the_same_as_absent(client, field):
    status, message = error_of(client.post(client.body("hello") | {field: None}))

    assert status == 400
    assert message.startswith(f"{field}: Invalid input")


def test_a_nested_tool_is_refused_because_only_flat_ones_are_known(client):
    nested = {"type": "function", "function": {"name": "task_status"}}

    response = client.post(client.body("hello", tools=[nested]))

    expected = "tools.0.name: Invalid input: expected string, received undefined"
    assert error_of(response) == (400, expected)


def test_an_unknown_key_inside_a_tool_is_refused(client):
    response = client.post(client.body("hello", tools=[{**TOOL, "colour": "red"}]))

    assert error_of(response) == (400, 'tools.0: Unrecognized key: "colour"')


@pytest.mark.parametrize("names", [["a", "a"], ["exec"], ["session_status"]])
def test_conflicting_tool_names_fail_without_a_run(client, names):
    response = client.post(client.body("hello", tools=[{**TOOL, "name": n} for n in names]))

    assert error_of(response) == (400, "invalid tool configuration")
    assert response.json()["status"] == "failed"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("temperature", 3, "temperature: Too big: expected number to be <=2"),
        ("top_p", -1, "top_p: Too small: expected number to be >=0"),
        ("max_output_tokens", 0, "max_output_tokens: Too small: expected number to be >0"),
        ("max_tool_calls", 1.5, "max_tool_calls: Invalid input: expected int, received number"),
        ("store", "x", "store: Invalid input: expected boolean, received string"),
        ("metadata", {"a": 1}, "metadata.a: Invalid input: expected string, received number"),
        ("truncation", "x", 'truncation: Invalid option: expected one of "auto"|"disabled"'),
        ("text", {"format": {"type": "json"}}, 'text.format.type: Invalid input: expected "text"'),
        ("tool_choice", "sure", "tool_choice: Invalid input"),
        ("tool_choice", "required", "invalid tool configuration"),
    ],
)
def test_a_value_out_of_bounds_is_refused_in_the_words_of_the_gateway(
    client, field, value, message
):
    assert error_of(client.post(client.body("hello") | {field: value})) == (400, message)


@pytest.mark.parametrize(
    "item",
    [
        {"role": "user", "content": "no type"},
        {"type": "function_call_output", "call_id": "c1", "output": {"not": "a string"}},
        {"type": "function_call_output", "call_id": "c1", "output": "x", "status": "completed"},
        {"type": "message", "role": "robot", "content": "x"},
        {"type": "message", "role": {}, "content": "x"},
        {"type": "message", "role": "user", "content": [{"type": "text", "text": "x"}]},
        {"type": "item_reference", "id": "x"},
    ],
)
def test_an_item_of_a_wrong_shape_is_refused(client, item):
    assert error_of(client.post(client.body([item]))) == (400, "input: Invalid input")


@pytest.mark.parametrize(
    "given", ["", [], [{"type": "message", "role": "system", "content": "be nice"}]]
)
def test_an_input_without_a_user_message_is_refused(client, given):
    response = client.post(client.body(given))

    assert error_of(response) == (400, "Missing user message in `input`.")


def test_blanks_are_an_internal_error_of_the_gateway(client):
    assert error_of(client.post(client.body("   "))) == (500, "internal error")


def test_everything_in_the_schema_is_taken(client):
    response = client.post(
        client.body(
            [
                {"type": "message", "role": "system", "content": "be nice"},
                {"type": "function_call", "call_id": "c0", "name": "x", "arguments": "{}"},
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "[[reply:all fine]]"}],
                },
            ],
            instructions="short",
            tools=[TOOL],
            tool_choice="auto",
            stream=False,
            max_output_tokens=100,
            temperature=1,
            top_p=0.5,
            text={"format": {"type": "text"}},
            metadata={"a": "b"},
            store=False,
            reasoning={},
            truncation="auto",
            max_tool_calls=3,
            user="u",
            previous_response_id="resp_unknown",
        )
    )

    assert response.status_code == 200
    assert response.json()["output"][0]["content"][0]["text"] == "all fine"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"model": ', "Unexpected end of JSON input"),
        (b"", "model: Invalid input: expected string, received undefined"),
        (b"[]", ": Invalid input: expected object, received array"),
    ],
)
def test_a_malformed_body_is_refused(client, raw, message):
    assert error_of(client.post(raw)) == (400, message)


def test_a_body_over_twenty_mebibytes_is_refused_unread(client):

    host = client.gateway.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=5)
    connection.putrequest("POST", "/v1/responses")
    connection.putheader("Content-Length", str(20 * 1024 * 1024 + 1))
    connection.endheaders()
    response = connection.getresponse()

    assert response.status == 413
    assert json.loads(response.read())["error"]["message"] == "Payload too large"
    connection.close()


def test_a_stream_is_refused_because_nobody_plays_it(client):
    assert client.post(client.body("hello", stream=True)).status_code == 501
