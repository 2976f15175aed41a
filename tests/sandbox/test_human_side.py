"""The human side: in this process, over HTTP, and who is woken."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from dispatcher.sandbox.backend.errors import HumanError
from dispatcher.sandbox.backend.server import SandboxBackend


def test_people_act_over_http_as_in_process(client):
    account = client.human("create_account", name="Acme")[1]["accountId"]
    user = client.human("create_member", account=account, name="Al", email="al@example.com")[1]
    agent = client.human("create_agent", account=account, name="E", slug="eng", role="Dev")[1]
    task = client.human("create_task", account=account, title="Build")[1]
    assert client.human("assign", account=account, task=task, agents=[agent]) == (200, None)
    client.human("post_message", account=account, task=task, content="@eng hi", by=user)

    status, _, raw = client.request("GET", f"/human/threads?account={account}")

    (view,) = json.loads(raw)
    assert status == 200
    assert (view["taskId"], view["title"], view["status"]) == (task, "Build", "assigned")
    assert (view["typing"], view["assignees"]) == ([], ["E"])
    message = view["messages"][0]
    assert message.keys() == {"messageId", "authorType", "authorName", "content", "createdAt"}
    assert (message["authorName"], message["content"]) == ("Al", "@eng hi")


@pytest.mark.parametrize(
    ("operation", "args"),
    [
        ("nothing", {}),
        ("_store", {}),
        ("create_account", {}),
        ("create_account", {"name": "x", "colour": "red"}),
        ("threads", {"account": "nobody"}),
        ("create_task", {"account": ["x"], "title": "x"}),
        ("create_task", {"account": "x", "title": {"a": 1}}),
        ("faults", {"kind": "nothing"}),
        ("wakers", {"url": "file:///etc/passwd", "token": "x"}),
    ],
)
def test_wrong_operations_are_refused_with_a_text(client, operation, args):
    status, body = client.human(operation, **args)

    assert status == 400
    assert body["error"]
    assert "Traceback" not in body["error"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_object_is_refused(client, body):
    assert client.request("POST", "/human/create_account", body)[0] == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:8080"}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[half"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
    ],
)
def test_only_this_machine_is_let_in(office, headers, status):
    path = f"/human/ledger?account={office.account}"

    assert office.client.request("GET", path, **headers)[0] == status


def test_the_ledger_shows_messages_rows_and_calls(office):
    task = office.task()
    office.say(task, "@engineer hi")
    (row,) = office.queue()
    office.reply(task, "done", sourceNotificationId=row["_id"])
    office.call("markNotificationDelivered", notificationId=row["_id"])

    ledger = office.world.ledger(office.account)

    answer = ledger["messages"][-1]
    assert answer["sourceNotificationId"] == row["_id"]
    assert (answer["authorId"], answer["taskId"]) == (office.engineer, task)
    assert answer["messageId"] == answer["_id"]
    assert "deliveredAt" in next(n for n in ledger["notifications"] if n["_id"] == row["_id"])
    assert ledger["calls"] == {
        "listUndeliveredNotifications": 1,
        "createMessageFromAgent": 1,
        "markNotificationDelivered": 1,
    }


def test_an_agent_types_between_read_and_end(office):
    task = office.task()
    office.say(task, "@engineer hi")
    (row,) = office.queue()

    def typing():
        return office.world.threads(office.account)[0]["typing"]

    assert typing() == []
    office.call("markNotificationRead", notificationId=row["_id"])
    assert typing() == ["Engineer"]
    office.call("markNotificationDeliveryEnded", notificationId=row["_id"])
    assert typing() == []


def test_faults_come_and_go_over_http(office):
    assert office.client.human("faults", action="listAgents", kind="429", times=3)[0] == 200
    message = {"path": "service/actions:listAgents", "args": {}}
    assert office.client.post(message)[0] == 429

    assert office.client.request("DELETE", "/human/faults")[0] == 200

    assert office.client.post(message)[0] == 200


def test_wakers_are_called_after_the_commit_and_their_errors_do_not_matter(office):
    heard = []
    office.backend.wakers += [lambda: 1 / 0, lambda: heard.append(len(office.queue()))]

    task = office.task()
    heard.clear()
    office.say(task, "@engineer hi")
    office.world.assign(office.account, task, agents=[office.writer])
    office.world.change_status(office.account, task, "in_progress")

    assert heard == [1, 2, 3]


def test_a_waker_over_http_gets_a_post_with_its_token(office):
    heard, arrived = [], threading.Event()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append((self.path, self.headers["Authorization"]))
            self.send_response(204)
            self.end_headers()
            arrived.set()

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Listener) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{listener.server_address[1]}/wake"
        for token in ("old", "t0k"):
            assert office.client.human("wakers", url=url, token=token)[0] == 200
        assert len(office.backend.wakers) == 1
        office.say(office.task(), "@engineer hi")
        assert arrived.wait(5)
        listener.shutdown()
        thread.join()

    assert heard[0] == ("/wake", "Bearer t0k")


def test_people_pause_reopen_and_delete(office):
    world, task = office.world, office.task(agents=[office.engineer], status="in_progress")
    heartbeat = {"agentId": office.engineer, "status": "busy", "currentTaskId": task}
    office.call("updateAgentHeartbeat", **heartbeat)
    office.drain()

    world.pause(office.account, task)
    world.pause(office.account, task)

    row = office.row("tasks", task)
    assert (row["status"], row["blockedReason"]) == ("blocked", "Paused by user (/stop)")
    agent = office.row("agents", office.engineer)
    assert (agent["status"], "currentTaskId" in agent) == ("idle", False)
    assert [row["type"] for row in office.queue()] == ["status_change"]
    with pytest.raises(HumanError, match="cannot be reopened"):
        world.reopen(office.account, task)
    world.delete_task(office.account, task)
    assert office.queue() == []
    assert office.rows("tasks") == office.rows("subscriptions") == []


def test_assigning_moves_between_inbox_and_assigned(office):
    world, task = office.world, office.task()

    world.assign(office.account, task, agents=[office.engineer], users=[office.alice])
    assert office.row("tasks", task)["status"] == "assigned"
    world.assign(office.account, task, agents=[office.engineer, office.writer])
    assert len(office.for_agent(office.engineer, "assignment")) == 1
    world.assign(office.account, task, agents=[], users=[])

    assert office.row("tasks", task)["status"] == "inbox"
    assert office.subscribers(task) == set()


def test_what_the_rules_refuse_a_person_is_told(office):
    task = office.task()

    with pytest.raises(HumanError, match="Invalid transition"):
        office.world.change_status(office.account, task, "done")
    with pytest.raises(HumanError, match="slug engineer is taken"):
        office.world.create_agent(office.account, "E2", "engineer", "Dev")
    with pytest.raises(HumanError, match="never reported"):
        office.world.request_upgrade(office.account, "v2", "2")
    with pytest.raises(HumanError, match="unknown fields"):
        office.world.create_agent(office.account, "E3", "e3", "Dev", colour="red")
    with pytest.raises(HumanError, match="too long"):
        office.say(task, "x" * 100_001)


def test_deleting_an_agent_leaves_no_trace_of_it_in_the_queue(led_office):
    office, task = led_office, led_office.task(agents=[led_office.lead])

    office.world.delete_agent(office.account, office.lead)

    assert office.queue() == []
    assert office.row("tasks", task)["assignedAgentIds"] == []
    assert office.call("getOrchestratorAgentId") == {"orchestratorAgentId": None}


def test_the_chat_is_opened_once(led_office):
    office = led_office

    chat = office.world.open_orchestrator_chat(office.account)

    assert office.world.open_orchestrator_chat(office.account) == chat
    row = office.row("tasks", chat)
    assert (row["title"], row["labels"]) == ("Orchestrator Chat", ["system:orchestrator-chat"])
    assert office.subscribers(chat) == {office.alice, office.lead}


def test_half_a_character_from_a_page_is_replaced(office):
    office.say(office.task(), "a\ud800b")

    assert office.rows("messages")[0]["content"] == "a\N{REPLACEMENT CHARACTER}b"


def test_the_demo_is_ready_to_be_spoken_to(backend, client):
    demo = backend.seed_demo()
    account = demo["accountId"]

    backend.world.post_message(account, demo["taskId"], "@engineer hello", by=demo["userId"])

    credentials = {"accountId": account, "serviceToken": demo["serviceToken"]}
    rows = client.action("listUndeliveredNotifications", **credentials)["value"]
    assert [row["recipientId"] for row in rows] == [demo["agents"]["engineer"]]
    probe = client.action("getOrchestratorAgentId", **credentials)["value"]
    assert probe == {"orchestratorAgentId": demo["agents"]["squad-lead"]}


def test_a_file_keeps_the_world_and_the_demo_is_found_again(tmp_path, clock):
    first = SandboxBackend(tmp_path / "convex.db", clock=clock)
    demo = first.seed_demo()
    before = first.world.rows(demo["accountId"], "tasks")
    first.stop()

    second = SandboxBackend(tmp_path / "convex.db", clock=clock)
    again = second.seed_demo()
    later = second.world.create_task(demo["accountId"], "later")
    rows = second.world.rows(demo["accountId"], "tasks")
    second.stop()

    assert {**again, "serviceToken": ""} == {**demo, "serviceToken": ""}
    assert again["serviceToken"] != demo["serviceToken"]
    assert rows[:-1] == before
    assert rows[-1]["_id"] == later
    assert rows[-1]["_creationTime"] > before[-1]["_creationTime"]
