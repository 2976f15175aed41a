"""A started backend for each test, a plain client, and an account with a crew."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from dispatcher.sandbox.backend.server import SandboxBackend


class ManualClock:
    """Seconds since the epoch; moves only when told."""

    def __init__(self):
        self.now_s = 1_767_225_600.0

    def __call__(self):
        return self.now_s

    def pass_s(self, seconds):
        self.now_s += seconds


class Client:
    """One keep-alive connection to a backend."""

    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)

    def close(self):
        self.connection.close()

    def request(self, method, path, body=None, **headers):
        """Send anything; returns status, headers and raw body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, named)
        response = self.connection.getresponse()
        return response.status, response.headers, response.read()

    def post(self, message, **headers):
        """Send a JSON message to the endpoint; returns status and parsed body."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        named = {"Content_Type": "application/json", **headers}
        status, _, raw = self.request("POST", "/api/action", body, **named)
        return status, json.loads(raw) if raw else None

    def action(self, name, /, **args):
        """Call a service action; returns the parsed body of a 200."""
        status, body = self.post(
            {"path": f"service/actions:{name}", "format": "convex_encoded_json", "args": [args]}
        )
        assert status == 200, body
        return body

    def human(self, operation, /, **args):
        """Act as a person over HTTP; returns status and parsed body."""
        body = json.dumps(args).encode()
        status, _, raw = self.request("POST", f"/human/{operation}", body)
        return status, json.loads(raw)


@dataclass
class Office:
    """An account with a person and a crew, and short words for what tests do all the time."""

    backend: SandboxBackend
    client: Client
    account: str
    token: str
    alice: str
    engineer: str
    writer: str
    lead: str
    world: object = field(init=False)

    def __post_init__(self):
        self.world = self.backend.world

    def body(self, name, /, **args):
        credentials = {"accountId": self.account, "serviceToken": self.token}
        return self.client.action(name, **{**credentials, **args})

    def call(self, name, /, **args):
        """Call an action that must succeed; returns its value."""
        body = self.body(name, **args)
        assert body["status"] == "success", body
        return body["value"]

    def error(self, name, /, **args):
        """Call an action that must fail; returns the text."""
        body = self.body(name, **args)
        assert body["status"] == "error", body
        return body["errorMessage"]

    def task(self, title="Fix build", *, agents=(), status=None, reason=None, **more):
        """Put a task on the board, assigned and moved as a person would."""
        task = self.world.create_task(self.account, title, **more)
        if agents:
            self.world.assign(self.account, task, agents=list(agents))
        for step in {
            None: (),
            "inbox": (),
            "assigned": (),
            "in_progress": ("in_progress",),
            "review": ("in_progress", "review"),
            "done": ("in_progress", "review", "done"),
            "blocked": ("blocked",),
            "archived": ("archived",),
        }[status]:
            self.world.change_status(self.account, task, step, reason=reason or "stuck")
        return task

    def say(self, task, content, **more):
        return self.world.post_message(self.account, task, content, **more)

    def reply(self, task, content="Done.", *, agent=None, **more):
        args = {"agentId": agent or self.engineer, "taskId": task, "content": content}
        return self.call("createMessageFromAgent", **{**args, **more})["messageId"]

    def queue(self, **args):
        return self.call("listUndeliveredNotifications", **args)

    def for_agent(self, agent, kind=None):
        rows = [row for row in self.rows("notifications") if row["recipientId"] == agent]
        return [row for row in rows if kind in {None, row["type"]}]

    def rows(self, table):
        return self.world.rows(self.account, table)

    def row(self, table, doc_id):
        return next(row for row in self.rows(table) if row["_id"] == doc_id)

    def drain(self):
        """Deliver everything that waits."""
        for row in self.queue(limit=500):
            self.call("markNotificationDelivered", notificationId=row["_id"])

    def activities(self, kind):
        return [row for row in self.rows("activities") if row["type"] == kind]

    def subscribers(self, task):
        return {row["subscriberId"] for row in self.rows("subscriptions") if row["taskId"] == task}


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture(scope="session")
def closer():
    """Stops backends off the path of the tests: a listener takes a while to notice."""
    with ThreadPoolExecutor(2) as closer:
        yield closer


@pytest.fixture
def backend(clock, closer):
    backend = SandboxBackend(clock=clock).start()
    yield backend
    closer.submit(backend.stop)


@pytest.fixture
def client(backend):
    client = Client(backend.url)
    yield client
    client.close()


@pytest.fixture
def open_office(backend, client):
    """Make further accounts on the same backend."""

    def make(name="Acme"):
        world = backend.world
        made = world.create_account(name)
        account = made["accountId"]
        alice = world.create_member(account, "Alice Smith", "alice@example.com", "owner")
        engineer = world.create_agent(account, "Engineer", "engineer", "Full-stack developer")
        writer = world.create_agent(account, "Writer", "writer", "Technical writer")
        lead = world.create_agent(account, "Squad Lead", "squad-lead", "Squad lead")
        token = made["serviceToken"]
        return Office(backend, client, account, token, alice, engineer, writer, lead)

    return make


@pytest.fixture
def office(open_office):
    return open_office()


@pytest.fixture
def led_office(office):
    """An account whose squad lead is set."""
    office.world.set_orchestrator(office.account, office.lead)
    return office
