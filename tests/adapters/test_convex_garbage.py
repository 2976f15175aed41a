"""Answers of the backend that have a strange form: read as far as they can be, and else garbled."""

from collections.abc import Callable

import pytest

from dispatcher.adapters.convex import ConvexBackend
from dispatcher.adapters.wire import read_page
from dispatcher.adapters.wire_context import read_context
from dispatcher.domain import errors
from dispatcher.domain.notification import Kind
from tests.adapters.convex_office import NOWHERE, SOME_AGENT, SOME_TASK, Adapt, row, success
from tests.adapters.raw_server import Line, Play, RawServer, Request, answer


def test_a_malformed_row_does_not_hide_the_others(
    answered: Callable[..., ConvexBackend],
) -> None:
    """One broken row at the head of the queue must not stop the account."""
    rows = [
        row(_id="first"),
        row(_id="no-recipient", recipientId=None),
        row(_id="bad-time", createdAt="yesterday"),
        row(_id="nan", createdAt=float("nan")),
        row(_id="late", createdAt=1e300),
        row(_id=None),
        "not a row",
        None,
        [],
        row(_id="last"),
    ]

    page = answered(success(rows)).list_undelivered(limit=50)

    assert [found.notification_id for found in page.rows] == ["first", "last"]
    assert [name for name, _ in page.malformed] == [
        "no-recipient", "bad-time", "nan", "late", "row 5", "row 6", "row 7", "row 8",
    ]  # fmt: skip
    assert page.listed == 10
    assert "recipientId" in dict(page.malformed)["no-recipient"]


def test_what_is_wrong_with_a_row_is_told_without_its_texts() -> None:
    """Descriptions are logged; what people wrote is not."""
    page = read_page([row(recipientId=None, body="the secret plan", title=["the secret title"])])

    [(_, description)] = page.malformed
    assert "secret" not in description


def test_a_row_without_its_optional_members_is_read() -> None:
    """Members that are unset are absent, never null; null is forgiven."""
    bare = {"_id": "n1", "recipientId": "a1", "createdAt": 5}
    nulls = dict.fromkeys(
        ["type", "recipientType", "taskId", "messageId", "title", "body", "deliveredAt"]
    )

    page = read_page([bare, bare | nulls])

    assert page.malformed == ()
    assert page.rows[0] == page.rows[1]
    assert (page.rows[0].task, page.rows[0].message) == (None, None)
    assert page.rows[0].creation_time_ms == 5


def test_unknown_members_and_kinds_are_kept_or_ignored() -> None:
    """A newer backend must not stop an older dispatcher."""
    page = read_page([row(type="birthday", mood="good"), row(recipientType="robot")])

    assert page.malformed == ()
    assert (page.rows[0].kind, page.rows[0].kind_name) == (Kind.OTHER, "birthday")
    assert not page.rows[1].recipient_is_agent


def test_a_context_of_the_fewest_members_is_read() -> None:
    """Agent, task and message may be null, and so may everything else."""
    least = read_context({"notification": row()})
    nulls = read_context(
        {"notification": row()}
        | dict.fromkeys(
            ["agent", "task", "message", "thread", "sourceNotificationType", "orchestratorAgentId",
             "effectiveBehaviorFlags", "deliverySessionKey"]
        )
    )  # fmt: skip

    assert least == nulls
    assert least is not None
    assert (least.agent, least.task, least.message, least.session_key) == (None,) * 4
    assert least.thread == ()


def test_a_context_with_unknown_words_is_read() -> None:
    """Statuses, author types and source types of a newer backend are passed on."""
    context = read_context(
        {
            "notification": row(),
            "task": {"_id": "t1", "status": "parked", "labels": None},
            "message": {"_id": "m1", "authorType": "robot", "content": None},
            "thread": [{"messageId": "m1", "authorType": "robot", "authorName": "R2"}],
            "sourceNotificationType": "birthday",
            "effectiveBehaviorFlags": {"canFly": True},
        }
    )

    assert context is not None
    assert context.task is not None
    assert context.message is not None
    assert context.task.status == "parked"
    assert (context.message.author_type, context.message.author_name) == ("robot", "R2")
    assert context.message.content == ""
    assert context.source_kind is Kind.OTHER


@pytest.mark.parametrize(
    "value",
    ["text", 5, [], {}, {"notification": None}, {"notification": row(), "task": {"title": "x"}}],
)
def test_a_context_of_another_form_is_garbled(
    answered: Callable[..., ConvexBackend], value: object
) -> None:
    """It is an error of ours, never one of the library below."""
    with pytest.raises(errors.BackendGarbled):
        answered(success(value)).fetch_context(NOWHERE)


@pytest.mark.parametrize("value", [None, {}, "rows", 3])
def test_a_list_that_is_no_list_is_garbled(
    answered: Callable[..., ConvexBackend], value: object
) -> None:
    """Taken for an empty list it would look like an account without work."""
    with pytest.raises(errors.BackendGarbled):
        answered(success(value)).list_undelivered(limit=50)


@pytest.mark.parametrize("value", [None, {}, {"messageId": ""}, {"messageId": 5}, "m1"])
def test_a_post_without_a_message_id_is_garbled(
    answered: Callable[..., ConvexBackend], value: object
) -> None:
    """Nobody could say which message it was."""
    with pytest.raises(errors.BackendGarbled):
        answered(success(value)).post_message(
            agent=SOME_AGENT, task=SOME_TASK, content="x", key=NOWHERE
        )


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Please log in</body></html>",
        b"",
        b"\xff\xfe\xfa",
        b'{"status": "succ',
        b"[]",
        b"null",
        b'"success"',
        b"{}",
        b'{"status": "maybe"}',
        b'{"status": null}',
        b'{"status": ["success"]}',
        b'{"status": {"a": 1}}',
        b"[" * 200_000,
        b'{"status": "success", "value": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"1" * 10_000,
    ],
    ids=[
        "html", "empty", "not utf-8", "broken", "array", "null", "text", "no status",
        "unknown status", "null status", "array status", "object status", "deep", "deep value",
        "long number",
    ],
)  # fmt: skip
def test_a_200_that_is_not_of_the_agreed_form_is_garbled(
    answered: Callable[..., ConvexBackend], body: bytes
) -> None:
    """A proxy between us and the backend may say anything."""
    with pytest.raises(errors.BackendGarbled):
        answered(answer(200, body)).probe()


@pytest.mark.parametrize("body", [b"\xff\xfe", b"[" * 100_000, b'{"code": 5}', b'{"code": "a b"}'])
def test_a_strange_error_body_changes_nothing(
    answered: Callable[..., ConvexBackend], body: bytes
) -> None:
    """The HTTP status alone says enough."""
    with pytest.raises(errors.BackendUncertain, match=r"HTTP 500$"):
        answered(answer(500, body)).probe()


def test_an_answer_over_32_mib_is_refused_without_reading_it_all(
    raw: Callable[[Play], RawServer], adapt: Adapt
) -> None:
    """A broken backend must not fill the memory."""
    lines: list[Line] = []
    total = 256 * 1024 * 1024

    def flood(_request: Request, line: Line) -> bool:
        lines.append(line)
        line.send(f"HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n".encode())
        while line.sent < total and line.send(b" " * 1_048_576):
            pass
        return False

    with pytest.raises(errors.BackendGarbled, match="32 MiB"):
        adapt(raw(flood).url).probe()

    assert lines[0].sent < total / 2
