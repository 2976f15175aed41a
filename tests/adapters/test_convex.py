"""The backend over HTTP: every call against the sandbox, every failure named as the contract does."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from dispatcher.adapters.clock import MachineClock
from dispatcher.adapters.convex import CUT_NOTE, MESSAGE_UNITS, ConvexBackend
from dispatcher.adapters.wire import read_context, read_page
from dispatcher.domain import errors
from dispatcher.domain.ids import AccountId, AgentId, NotificationId, TaskId
from dispatcher.domain.notification import Flags, Kind
from dispatcher.domain.text import utf16_units
from dispatcher.sandbox.backend.server import SandboxBackend
from dispatcher.sandbox.backend.wire import Style
from tests.adapters.raw_server import Line, Play, RawServer, Request, always, answer
from tests.waiting import until

ACCOUNT = AccountId("j57dxw5hfxg351ff8cvfdrz3vka3r13s")
TOKEN = f"mc_service_{ACCOUNT}_{'5e' * 32}"
NOWHERE = NotificationId("kd76etwbq16ee9kxtmgdxjj8274f30wv")
SOME_AGENT = AgentId("jh785zg35fck6ytxzecv51rqsy353zjx")
SOME_TASK = TaskId("jn7652t9v5pwvtbt8c6x9xcqe1c9k838")
REDACTED = {"status": "error", "errorMessage": "[Request ID: 3f1c9a7be2d04f58] Server Error"}

Adapt = Callable[..., ConvexBackend]


@dataclass
class Office:
    """An account of the sandbox with one mention that waits, and the adapter on it."""

    backend: SandboxBackend
    adapt: Adapt
    account: str = field(init=False)
    token: str = field(init=False)

    def __post_init__(self) -> None:
        demo = self.backend.seed_demo()
        self.world = self.backend.world
        self.account, self.token = str(demo["accountId"]), str(demo["serviceToken"])
        self.task = TaskId(str(demo["taskId"]))
        agents = demo["agents"]
        self.engineer, self.lead = AgentId(agents["engineer"]), AgentId(agents["squad-lead"])
        self.convex = self.adapt(self.backend.url, self.account, self.token)

    def say(self, text: str = "@engineer please check the build.") -> NotificationId:
        self.world.post_message(self.account, self.task, text)
        return NotificationId(self.rows("notifications")[-1]["_id"])

    def rows(self, table: str) -> list[dict[str, Any]]:
        return self.world.rows(self.account, table)

    def row(self, notification: str) -> dict[str, Any]:
        return next(row for row in self.rows("notifications") if row["_id"] == notification)

    def reply(self, content: str, key: NotificationId | None = None) -> str:
        return self.convex.post_message(
            agent=self.engineer, task=self.task, content=content, key=key
        )

    def contents(self) -> list[str]:
        return [row["content"] for row in self.rows("messages")]


@pytest.fixture
def adapt() -> Iterator[Adapt]:
    """Make adapters; all their connections are closed after the test."""
    made: list[ConvexBackend] = []

    def make(url: str, account: str = ACCOUNT, token: str = TOKEN, **more: Any) -> ConvexBackend:
        made.append(
            ConvexBackend(
                url=url,
                account=AccountId(account),
                token=SecretStr(token),
                clock=MachineClock(),
                **more,
            )
        )
        return made[-1]

    yield make
    for backend in made:
        backend.close()


@pytest.fixture(scope="session")
def closer() -> Iterator[ThreadPoolExecutor]:
    """Stops sandboxes off the path of the tests: a listener takes a while to notice."""
    with ThreadPoolExecutor(2) as closer:
        yield closer


@pytest.fixture
def backend(closer: ThreadPoolExecutor) -> Iterator[SandboxBackend]:
    backend = SandboxBackend().start()
    yield backend
    closer.submit(backend.stop)


@pytest.fixture
def office(backend: SandboxBackend, adapt: Adapt) -> Office:
    return Office(backend, adapt)


@pytest.fixture
def answered(raw: Callable[[Play], RawServer], adapt: Adapt) -> Callable[..., ConvexBackend]:
    """Give an adapter whose backend answers every call with these bytes."""
    return lambda *data, **more: adapt(raw(always(*data)).url, **more)


def success(value: object) -> bytes:
    return answer(200, {"status": "success", "value": value})


def row(**changes: Any) -> dict[str, Any]:
    """Return a listed row as the wire has it; a change to None takes the member away."""
    facts = {
        "_id": NOWHERE,
        "_creationTime": 1767225600123.4568,
        "type": "mention",
        "recipientType": "agent",
        "recipientId": SOME_AGENT,
        "taskId": SOME_TASK,
        "messageId": "jx7cm3fjs5da2h61t3zjzwy8z5kzv3aw",
        "title": "Alice mentioned you",
        "body": 'You were mentioned in task "Fix build"',
        "createdAt": 1767225600120.0,
    } | changes
    return {name: value for name, value in facts.items() if value is not None}


# The calls of the port


def test_a_listed_row_is_read_with_its_units(office: Office) -> None:
    """Milliseconds are integers inside, but the fraction that orders rows is kept."""
    notification = office.say()

    page = office.convex.list_undelivered(limit=50)

    stored = office.row(notification)
    [found] = page.rows
    assert (page.listed, page.malformed) == (1, ())
    assert (found.notification_id, found.kind, found.kind_name) == (
        notification, Kind.MENTION, "mention",
    )  # fmt: skip
    assert (found.recipient, found.task, found.message) == (
        office.engineer, office.task, stored["messageId"],
    )  # fmt: skip
    assert found.recipient_is_agent
    assert not found.is_delivered
    assert type(found.created_at_ms) is int
    assert found.created_at_ms == stored["createdAt"]
    assert found.creation_time_ms == stored["_creationTime"]


def test_the_list_is_as_long_as_asked_for_and_oldest_first(office: Office) -> None:
    """A page that lost the oldest rows would leave them waiting for ever."""
    notifications = [office.say(f"@engineer number {n}") for n in range(3)]

    page = office.convex.list_undelivered(limit=2)

    assert [found.notification_id for found in page.rows] == notifications[:2]


def test_a_context_brings_everything_around_a_row(office: Office) -> None:
    """Policy and prompt are made of it."""
    notification = office.say("@engineer please check the build.")

    context = office.convex.fetch_context(notification)

    assert context is not None
    assert context.notification.notification_id == notification
    assert context.agent is not None
    assert (context.agent.slug, context.agent.agent_id) == ("engineer", office.engineer)
    assert context.task is not None
    assert (context.task.task_id, context.task.title) == (office.task, "Welcome")
    assert context.message is not None
    assert context.message.content == "@engineer please check the build."
    assert context.message.author_name == "Alex"
    assert [said.message_id for said in context.thread] == [context.message.message_id]
    assert context.orchestrator == office.lead
    assert context.flags == Flags()
    assert context.source_kind is None
    assert context.session_key is not None
    assert context.session_key.startswith(f"task:{office.task}:agent:engineer:")


def test_a_row_that_does_not_exist_has_no_context(office: Office) -> None:
    """Null is an answer, not an error: the row was deleted meanwhile."""
    assert office.convex.fetch_context(NOWHERE) is None


def test_the_marks_show_typing_end_it_and_take_the_row_off_the_list(office: Office) -> None:
    """People see the agent typing between the first two; the last one is for good."""
    notification = office.say()

    office.convex.mark_begun(notification)
    begun = office.row(notification)
    office.convex.mark_ended(notification)
    ended = office.row(notification)
    office.convex.mark_delivered(notification)

    assert "readAt" in begun
    assert "deliveryEndedAt" not in begun
    assert "deliveryEndedAt" in ended
    assert "deliveredAt" in office.row(notification)
    assert office.convex.list_undelivered(limit=50).listed == 0


@pytest.mark.parametrize("mark", ["mark_begun", "mark_ended", "mark_delivered"])
def test_a_mark_may_be_repeated(office: Office, mark: str) -> None:
    """After an unknown outcome every one of them is simply called again."""
    notification = office.say()

    getattr(office.convex, mark)(notification)
    first = office.row(notification)
    getattr(office.convex, mark)(notification)

    assert office.row(notification) == first


def test_a_second_post_with_the_same_key_is_not_made(office: Office) -> None:
    """This is what makes a write-back safe to repeat."""
    notification = office.say()

    first = office.reply("The build is green.", notification)
    second = office.reply("Another text.", notification)

    assert first == second
    assert office.contents().count("The build is green.") == 1
    assert "Another text." not in office.contents()


def test_without_a_key_every_call_posts(office: Office) -> None:
    """Null in place of the key would be an argument error; the field must be left out."""
    assert office.reply("Once more.") != office.reply("Once more.")

    assert office.contents().count("Once more.") == 2


def test_work_starts_only_from_assigned(office: Office) -> None:
    """A person's change of the status in between is never overwritten."""
    office.world.assign(office.account, office.task, agents=[office.engineer])

    office.convex.start_work(agent=office.engineer, task=office.task)
    office.world.change_status(office.account, office.task, "review")
    office.convex.start_work(agent=office.engineer, task=office.task)

    [stored] = [one for one in office.rows("tasks") if one["_id"] == office.task]
    assert stored["status"] == "review"


def test_the_probe_tells_the_orchestrator_and_writes_nothing(office: Office) -> None:
    """It runs after each refusal that hides its reason."""
    before = {table: office.rows(table) for table in ("notifications", "activities", "messages")}

    assert office.convex.probe() == office.lead

    assert before == {table: office.rows(table) for table in before}


def test_the_probe_knows_an_account_without_orchestrator(office: Office) -> None:
    """None is a valid answer: the credentials are good."""
    office.world.set_orchestrator(office.account, None)

    assert office.convex.probe() is None


# The life-cycle actions


def test_a_status_report_replaces_the_config_or_keeps_it(office: Office) -> None:
    """The backend replaces it as a whole; at a clean end only the status is sent."""
    config = {"dropletId": "d1", "ipAddress": "10.0.0.1", "runtimeServiceVersion": "0.1.0"}

    office.convex.report_status("online", config)
    online = office.rows("accounts")[0]
    office.convex.report_status("offline")
    offline = office.rows("accounts")[0]

    assert (online["runtimeStatus"], online["runtimeConfig"]) == ("online", config)
    assert (offline["runtimeStatus"], offline["runtimeConfig"]) == ("offline", config)


def test_a_restart_request_is_taken_once(office: Office) -> None:
    """The same call clears it, or the runtime would restart for ever."""
    assert not office.convex.take_restart_request()

    office.world.request_restart(office.account)

    assert office.convex.take_restart_request()
    assert not office.convex.take_restart_request()


def test_an_upgrade_is_pending_until_it_is_recorded(office: Office) -> None:
    """Reading clears nothing; the record does."""
    assert office.convex.pending_upgrade() is None
    office.convex.report_status("online", {"dropletId": "d1", "ipAddress": ""})
    office.world.request_upgrade(office.account, "2026.9.6", "0.2.0")

    pending = [office.convex.pending_upgrade() for _ in range(2)]
    office.convex.record_upgrade(
        {
            "status": "success",
            "fromOpenclawVersion": "2026.7.1",
            "toOpenclawVersion": "2026.9.6",
            "fromRuntimeVersion": "0.1.0",
            "toRuntimeVersion": "0.2.0",
            "duration": 12_000,
        }
    )

    assert [one and one["targetRuntimeVersion"] for one in pending] == ["0.2.0", "0.2.0"]
    assert office.convex.pending_upgrade() is None


# The classification of failures, row by row


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("421", errors.BackendUnavailable),
        ("425", errors.BackendUnavailable),
        ("429", errors.BackendUnavailable),
        ("503_queue", errors.BackendUnavailable),
        ("503_overload", errors.BackendUncertain),
        ("500", errors.BackendUncertain),
        ("408", errors.BackendUncertain),
        ("502_html", errors.BackendUncertain),
        ("drop_before", errors.BackendUncertain),
        ("drop_after_commit", errors.BackendUncertain),
        ("500_after_commit", errors.BackendUncertain),
        ("write_conflict", errors.BackendUnavailable),
        ("too_many", errors.BackendUnavailable),
        ("internal", errors.BackendUncertain),
        ("paused", errors.DeploymentOff),
        ("redacted", errors.BackendRedacted),
    ],
)
def test_a_fault_is_named_by_what_is_known_of_its_effect(
    office: Office, kind: str, expected: type[errors.BackendError]
) -> None:
    """Whether a call may be repeated hangs on this table alone."""
    notification = office.say()
    office.backend.faults.add("markNotificationRead", kind=kind)

    with pytest.raises(errors.BackendError) as raised:
        office.convex.mark_begun(notification)

    assert type(raised.value) is expected
    assert office.token not in str(raised.value)
    assert ("readAt" in office.row(notification)) is kind.endswith("after_commit")


@pytest.mark.parametrize("kind", ["429", "500", "408", "drop_before", "drop_after_commit"])
def test_a_failed_call_is_not_repeated_by_the_adapter(office: Office, kind: str) -> None:
    """One place decides on trying again, and it is not this one."""
    notification = office.say()
    office.backend.faults.add("markNotificationRead", kind=kind)

    with pytest.raises(errors.BackendError):
        office.convex.mark_begun(notification)

    calls = office.world.ledger(office.account)["calls"]
    assert calls["markNotificationRead"] == 1


def test_the_adapter_goes_on_after_a_broken_connection(office: Office) -> None:
    """A cut line must not spoil the next call of the same thread."""
    office.backend.faults.add("getOrchestratorAgentId", kind="drop_before")

    with pytest.raises(errors.BackendUncertain):
        office.convex.probe()

    assert office.convex.probe() == office.lead


def test_a_post_whose_answer_was_lost_is_safe_to_repeat(office: Office) -> None:
    """The commonest way to a double message: said, not heard, said again."""
    notification = office.say()
    office.backend.faults.add("createMessageFromAgent", kind="drop_after_commit")

    with pytest.raises(errors.BackendUncertain):
        office.reply("The build is green.", notification)
    office.reply("The build is green.", notification)

    assert office.contents().count("The build is green.") == 1


def test_no_answer_within_the_read_limit_is_uncertain(office: Office, adapt: Adapt) -> None:
    """The action may still commit after we have gone."""
    hasty = adapt(
        office.backend.url, office.account, office.token, read=timedelta(milliseconds=100)
    )
    office.backend.faults.add("getOrchestratorAgentId", kind="delay", delay_s=1.0)

    with pytest.raises(errors.BackendUncertain):
        hasty.probe()


def test_a_refused_connection_is_unavailable(adapt: Adapt) -> None:
    """Nothing was sent, so any call may be repeated later."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"

        with pytest.raises(errors.BackendUnavailable):
            adapt(url).probe()


@pytest.mark.parametrize(
    "break_credentials",
    [
        lambda office: office.world.rotate_token(office.account),
        lambda office: office.world.remove_token(office.account),
    ],
    ids=["rotated", "removed"],
)
def test_readable_credential_errors_mean_stop(
    office: Office, break_credentials: Callable[[Office], object]
) -> None:
    """Every further call would fail in the same way."""
    break_credentials(office)

    with pytest.raises(errors.CredentialsRejected):
        office.convex.list_undelivered(limit=50)
    with pytest.raises(errors.CredentialsRejected):
        office.convex.probe()


def test_a_token_of_another_account_is_rejected(office: Office, adapt: Adapt) -> None:
    """The argument and the token must name the same account."""
    other = office.world.create_account("Other")
    mixed = adapt(office.backend.url, str(other["accountId"]), office.token)

    with pytest.raises(errors.CredentialsRejected):
        mixed.probe()


def test_an_account_of_another_deployment_is_rejected(
    office: Office, backend: SandboxBackend, closer: ThreadPoolExecutor, adapt: Adapt
) -> None:
    """The commonest mistake of an operator: a token of the other deployment."""
    elsewhere = SandboxBackend().start()
    try:
        with pytest.raises(errors.CredentialsRejected):
            adapt(elsewhere.url, office.account, office.token).probe()
    finally:
        closer.submit(elsewhere.stop)


@pytest.mark.parametrize("mark", ["mark_begun", "mark_ended", "mark_delivered"])
def test_a_row_that_was_deleted_is_gone(office: Office, mark: str) -> None:
    """There is nothing left to do for it; the caller treats it as marked."""
    notification = office.say()
    office.world.delete_task(office.account, office.task)

    with pytest.raises(errors.RowGone):
        getattr(office.convex, mark)(notification)


def test_a_rule_of_the_backend_is_a_refusal(office: Office) -> None:
    """It will be refused tomorrow as well."""
    office.world.set_flags(office.account, office.engineer, {"canModifyTaskStatus": False})
    office.world.assign(office.account, office.task, agents=[office.engineer])

    with pytest.raises(errors.BackendRefused) as raised:
        office.convex.start_work(agent=office.engineer, task=office.task)

    assert type(raised.value) is errors.BackendRefused
    assert "not allowed to modify task status" in str(raised.value)


def test_an_argument_error_is_a_refusal(office: Office) -> None:
    """A malformed id will never become a good one."""
    with pytest.raises(errors.BackendRefused):
        office.convex.mark_begun(NotificationId("not-an-id"))


@pytest.mark.parametrize(
    "text",
    [
        "Could not find public function for 'service/actions:getOrchestratorAgentId'.",
        "Trying to execute messages.js:create as Action, but it is defined as Mutation.",
    ],
)
def test_an_unknown_function_means_a_wrong_backend(
    answered: Callable[..., ConvexBackend], text: str
) -> None:
    """The operator has to look: this backend is of another version."""
    message = f"[Request ID: 3f1c9a7be2d04f58] Server Error\n{text}\n"
    backend = answered(answer(200, {"status": "error", "errorMessage": message}))

    with pytest.raises(errors.BackendMisused):
        backend.probe()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "BadJsonBody"), (400, "BadFormat"), (401, "InvalidAuthHeader"), (403, "Forbidden"),
        (404, ""), (404, "FunctionPathNotFound"), (405, ""),
    ],
)  # fmt: skip
def test_a_4xx_is_our_mistake_and_permanent(
    answered: Callable[..., ConvexBackend], status: int, code: str
) -> None:
    """Repeating it would only make noise; the code helps the operator."""
    body: Any = {"code": code, "message": "No."} if code else b""

    with pytest.raises(errors.BackendMisused, match=f"HTTP {status} ?{code}"):
        answered(answer(status, body)).probe()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ExpiredInQueue", errors.BackendUnavailable),
        ("WorkerOverloaded", errors.BackendUnavailable),
        ("InitialPermitTimeoutError", errors.BackendUnavailable),
        ("ExecuteFullError", errors.BackendUnavailable),
        ("IsolateNotClean", errors.BackendUnavailable),
        ("OptimisticConcurrencyControlFailure", errors.BackendUncertain),
        ("", errors.BackendUncertain),
    ],
)
def test_only_named_503s_are_known_not_to_have_run(
    answered: Callable[..., ConvexBackend], code: str, expected: type[errors.BackendError]
) -> None:
    """A 503 without a known code may have committed."""
    body: Any = {"code": code, "message": "Busy."} if code else b""

    with pytest.raises(errors.BackendError) as raised:
        answered(answer(503, body)).probe()

    assert type(raised.value) is expected


@pytest.mark.parametrize("status", [500, 502, 504, 520, 524])
def test_a_5xx_of_an_edge_is_uncertain(answered: Callable[..., ConvexBackend], status: int) -> None:
    """What stood behind the edge may have run."""
    with pytest.raises(errors.BackendUncertain):
        answered(answer(status, "<html>oops</html>")).probe()


def test_a_redirect_is_not_followed(raw: Callable[[Play], RawServer], adapt: Adapt) -> None:
    """The token must not travel to whoever is named in a header."""
    elsewhere = raw(always(success({"orchestratorAgentId": None})))
    server = raw(always(answer(307, b"", Location=f"{elsewhere.url}/api/action")))

    with pytest.raises(errors.BackendMisused):
        adapt(server.url).probe()

    assert elsewhere.requests == []


# Production, where every refusal looks the same


def test_a_redacted_refusal_with_good_credentials_is_redacted(office: Office) -> None:
    """The probe succeeds, so the credentials are fine: repeat a bounded number of times."""
    office.backend.style = Style(redacted=True)

    with pytest.raises(errors.BackendRedacted):
        office.convex.mark_delivered(NOWHERE)

    assert office.world.ledger(office.account)["calls"]["getOrchestratorAgentId"] == 1


def test_a_redacted_refusal_of_call_and_probe_makes_credentials_suspect(office: Office) -> None:
    """Only the probe can tell; both were refused."""
    office.backend.style = Style(redacted=True)
    office.world.rotate_token(office.account)

    with pytest.raises(errors.CredentialsSuspected):
        office.convex.list_undelivered(limit=50)


def test_a_redacted_probe_is_not_probed_again(office: Office) -> None:
    """Asking the same thing a second time at once tells nothing new."""
    office.backend.style = Style(redacted=True)
    office.world.rotate_token(office.account)

    with pytest.raises((errors.BackendRedacted, errors.CredentialsSuspected)):
        office.convex.probe()

    assert office.world.ledger(office.account)["calls"]["getOrchestratorAgentId"] == 1


@pytest.mark.parametrize("kind", ["drop_before", "503_queue", "502_html"])
def test_a_probe_that_fails_otherwise_proves_nothing(office: Office, kind: str) -> None:
    """A lost line during the probe is no reason to suspect the credentials."""
    office.backend.style = Style(redacted=True)
    office.backend.faults.add("getOrchestratorAgentId", kind=kind)

    with pytest.raises(errors.BackendRedacted):
        office.convex.mark_delivered(NOWHERE)


def test_560_is_read_like_200(office: Office) -> None:
    """The status word in the body decides, never the HTTP code alone."""
    office.backend.style = Style(as_560=True)

    with pytest.raises(errors.RowGone):
        office.convex.mark_delivered(NOWHERE)


def test_560_with_success_is_a_success(answered: Callable[..., ConvexBackend]) -> None:
    """Both codes carry the same body."""
    body = {"status": "success", "value": {"orchestratorAgentId": SOME_AGENT}}

    assert answered(answer(560, body)).probe() == SOME_AGENT


# What is sent


def test_a_request_has_the_agreed_form_and_no_authorization(
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
    convex.record_upgrade({"status": "success"})

    assert len(server.requests) == 10
    assert not any("authorization" in request.headers for request in server.requests)
    assert not any(b"null" in request.body for request in server.requests)


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


# Answers of a strange form


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


@pytest.mark.parametrize("message", [None, 5, "", ["x"]])
def test_an_error_without_a_text_counts_as_redacted(
    answered: Callable[..., ConvexBackend], message: object
) -> None:
    """It hides why, so the probe has to tell."""
    refusal = answer(200, {"status": "error", "errorMessage": message})
    good = success({"orchestratorAgentId": None})

    with pytest.raises(errors.BackendRedacted):
        answered(refusal, good).mark_begun(NOWHERE)


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


def test_an_answer_that_breaks_off_is_uncertain(
    raw: Callable[[Play], RawServer], adapt: Adapt
) -> None:
    """The call ran, at least in part."""

    def cut(_request: Request, line: Line) -> bool:
        line.send(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"status": "succ')
        return False

    with pytest.raises(errors.BackendUncertain):
        adapt(raw(cut).url).probe()


def test_what_is_not_http_is_uncertain(answered: Callable[..., ConvexBackend]) -> None:
    """Another service may listen on the port."""
    with pytest.raises(errors.BackendUncertain):
        answered(b"SSH-2.0-OpenSSH_9.6\r\n\r\n").probe()


# Secrets


@pytest.mark.parametrize("secret", ["5e" * 32, "correct-horse+battery/staple", "a_b_c", "p.w=x~y"])
def test_an_error_text_never_contains_the_token(office: Office, adapt: Adapt, secret: str) -> None:
    """The extra-field error of a development deployment prints the whole argument object."""
    token = office.world.rotate_token(office.account, secret=secret)
    convex = adapt(office.backend.url, office.account, token)
    result = {
        "status": "success",
        "fromOpenclawVersion": "1",
        "toOpenclawVersion": "2",
        "fromRuntimeVersion": "1",
        "toRuntimeVersion": "2",
    }

    with pytest.raises(errors.BackendRefused) as raised:
        convex.record_upgrade(result | {"extra": 1})

    assert "extra field" in str(raised.value)
    assert token not in str(raised.value)
    assert secret not in str(raised.value)


def test_a_token_that_stands_bare_in_an_error_is_taken_out_whole(
    answered: Callable[..., ConvexBackend],
) -> None:
    """An operator may choose any secret, not only letters and digits."""
    secret = "correct-horse+battery"
    token = f"mc_service_{ACCOUNT}_{secret}"
    text = f"[Request ID: 1] Server Error\nUncaught Error: Odd token {token} given\n"
    backend = answered(answer(200, {"status": "error", "errorMessage": text}), token=token)

    with pytest.raises(errors.BackendRefused) as raised:
        backend.probe()

    assert "horse" not in str(raised.value)
    assert "battery" not in str(raised.value)


def test_an_error_text_is_short(answered: Callable[..., ConvexBackend]) -> None:
    """It goes into logs and onto the health page."""
    text = "[Request ID: 1] Server Error\nUncaught Error: " + "x" * 100_000
    backend = answered(answer(200, {"status": "error", "errorMessage": text}))

    with pytest.raises(errors.BackendRefused) as raised:
        backend.probe()

    assert len(str(raised.value)) < 600


def test_a_refused_text_that_quotes_an_error_is_only_a_refusal(
    answered: Callable[..., ConvexBackend],
) -> None:
    """An argument error prints the arguments: an agent's words must not stop the account."""
    said = "The log says: Invalid service token. Cannot run functions while paused."
    text = (
        "[Request ID: 1] Server Error\nArgumentValidationError: Object contains extra field `x` "
        f'that is not in the validator.\nObject: {{content: "{said}"}}\n'
    )
    backend = answered(answer(200, {"status": "error", "errorMessage": text}))

    with pytest.raises(errors.BackendError) as raised:
        backend.post_message(agent=SOME_AGENT, task=SOME_TASK, content=said, key=NOWHERE)

    assert type(raised.value) is errors.BackendRefused


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


def test_the_body_is_sent_as_utf_8(raw: Callable[[Play], RawServer], adapt: Adapt) -> None:
    """Escaping every character would make a long text six times as long."""
    server = raw(always(success({"messageId": "m1"})))

    adapt(server.url).post_message(agent=SOME_AGENT, task=SOME_TASK, content="Grüße 😀", key=None)

    assert "Grüße 😀".encode() in server.requests[0].body
    assert json.loads(server.requests[0].body)["args"][0]["content"] == "Grüße 😀"


def test_an_answer_that_drips_ends_at_the_limit_of_the_whole_call(
    raw: Callable[[Play], RawServer], adapt: Adapt
) -> None:
    """Byte by byte it satisfies every limit for a single read."""

    def drip(_request: Request, line: Line) -> bool:
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        line.drip(b"{" * 100_000, every_s=0.02, limit_s=5)
        return False

    convex = adapt(raw(drip).url, read=timedelta(seconds=0.3))
    began = time.monotonic()

    with pytest.raises(errors.BackendUncertain):
        convex.probe()

    assert time.monotonic() - began < 3
