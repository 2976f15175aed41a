"""What is sent to the backend: the form of a request, its texts, and who shares a connection."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from dispatcher.domain import errors
from dispatcher.domain.text import CUT_NOTE, MESSAGE_UNITS, utf16_units
from dispatcher.domain.upgrade import Versions
from tests.adapters.convex_office import (
    ACCOUNT,
    NOWHERE,
    SOME_AGENT,
    SOME_TASK,
    TOKEN,
    Adapt,
    Office,
    success,
)
from tests.adapters.raw_server import Play, RawServer, always, answer
from tests.waiting import until

# What is sent


def test_item_82_a_request_has_the_agreed_form_and_no_authorization(
    raw: Callable[[Play], RawServer], adapt: Adapt
) -> None:
    """The service token is an argument; in that header it would be refused before anything ran."""
    server = raw(always(success([])))

    adapt(f"{server.url}/").list_undelivered(limit=7)

    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/api/action")
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    assert request.json() == {
        "path": "service/actions:listUndeliveredNotifications",
        "format": "convex_encoded_json",
        "args": [{"accountId": ACCOUNT, "serviceToken": TOKEN, "limit": 7}],
    }


def test_no_call_ever_sends_an_authorization_header(
    raw: Callable[[Play], RawServer], adapt: Adapt
) -> None:
    """Not even where the URL names a user."""
    server = raw(always(success({"messageId": "m1"})))
    convex = adapt(server.url)

    convex.mark_begun(NOWHERE)
    convex.mark_ended(NOWHERE)
    convex.mark_delivered(NOWHERE)
    convex.post_message(agent=SOME_AGENT, task=SOME_TASK, content="x", key=NOWHERE)
    convex.start_work(agent=SOME_AGENT, task=SOME_TASK)
    convex.probe()
    convex.report_status("online", {"dropletId": "", "ipAddress": ""})
    convex.take_restart_request()
    convex.pending_upgrade()
    versions = Versions(openclaw="1", runtime="2")
    convex.upgrade_failed(running=versions, target=versions, error="x")

    assert len(server.requests) == 10
    assert not any("authorization" in request.headers for request in server.requests)
    assert not any(b"null" in request.body for request in server.requests)


def test_a_redirect_is_not_followed(raw: Callable[[Play], RawServer], adapt: Adapt) -> None:
    """The token must not travel to whoever is named in a header."""
    elsewhere = raw(always(success({"orchestratorAgentId": None})))
    server = raw(always(answer(307, b"", Location=f"{elsewhere.url}/api/action")))

    with pytest.raises(errors.BackendMisused):
        adapt(server.url).probe()

    assert elsewhere.requests == []


# Connections


def test_one_connection_serves_the_calls_of_a_thread(
    raw: Callable[[Play], RawServer], adapt: Adapt
) -> None:
    """A new connection for each call would cost more than the call."""
    server = raw(always(success({"orchestratorAgentId": None})))
    convex = adapt(server.url)

    for _ in range(5):
        convex.probe()

    assert server.connections == 1


def test_threads_do_not_share_a_connection(office: Office) -> None:
    """Each call of each thread is answered with its own answer."""
    notifications = [office.say(f"@engineer number {n}") for n in range(8)]

    with ThreadPoolExecutor(8) as pool:
        contexts = list(pool.map(office.convex.fetch_context, notifications))

    assert [one and one.notification.notification_id for one in contexts] == notifications


def test_closing_ends_the_connections_of_all_threads(
    raw: Callable[[Play], RawServer], adapt: Adapt
) -> None:
    """A clean end leaves no socket behind."""
    server = raw(always(success({"orchestratorAgentId": None})))
    convex = adapt(server.url)
    other = threading.Thread(target=convex.probe)
    other.start()
    other.join()
    convex.probe()

    convex.close()

    until(lambda: len(server._open), lambda count: count == 0)
    assert server.connections == 2


# Texts


@pytest.mark.parametrize("character", ["x", "ä", "😀"])
def test_a_text_at_the_limit_is_posted_whole(office: Office, character: str) -> None:
    """The limit counts UTF-16 units: a character outside the basic plane counts two."""
    text = character * (MESSAGE_UNITS // utf16_units(character))

    office.reply(text, office.say())

    assert office.contents()[-1] == text


@pytest.mark.parametrize(
    "text",
    ["x" * 100_001, "x" + "😀" * 50_000, "😀" * 50_001, "ab" + "😀" * 60_000],
    ids=["plain", "pairs after one", "pairs", "pairs after two"],
)
def test_a_longer_text_is_cut_with_a_note_between_characters(office: Office, text: str) -> None:
    """A reply that was paid for is not lost for being long, and no half character is sent."""
    office.reply(text, office.say())

    posted = office.contents()[-1]
    kept = posted.removesuffix(CUT_NOTE)
    assert posted.endswith(CUT_NOTE)
    assert MESSAGE_UNITS - 2 < utf16_units(posted) <= MESSAGE_UNITS
    assert text.startswith(kept)
    posted.encode()


@pytest.mark.parametrize(
    ("text", "posted"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("\udc00", "\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("end \ud83d", "end \ufffd"),
    ],
)
def test_lone_surrogates_are_cleaned(office: Office, text: str, posted: str) -> None:
    """The backend takes half a character for broken JSON, and language models write them."""
    office.reply(text, office.say())

    assert office.contents()[-1] == posted


def test_the_body_is_sent_as_utf_8(raw: Callable[[Play], RawServer], adapt: Adapt) -> None:
    """Escaping every character would make a long text six times as long."""
    server = raw(always(success({"messageId": "m1"})))

    adapt(server.url).post_message(agent=SOME_AGENT, task=SOME_TASK, content="Grüße 😀", key=None)

    assert "Grüße 😀".encode() in server.requests[0].body
    assert json.loads(server.requests[0].body)["args"][0]["content"] == "Grüße 😀"
