"""Items 50 to 65 of the backend's contract: messages, keys and fan-out."""

import threading

import pytest

from dispatcher.sandbox.backend.store import new_id
from tests.sandbox.conftest import Client

TOO_LONG = "Message content too long (max 100000 characters)"
TABLES = ("messages", "notifications", "activities", "subscriptions", "tasks")


def snapshot(office):
    return {table: office.rows(table) for table in TABLES}


def test_050_same_key_returns_the_same_message(office):
    task, key = office.task(), new_id("notifications")

    first = office.reply(task, "first", sourceNotificationId=key)
    again = office.reply(task, "better", agent=office.writer, sourceNotificationId=key)

    assert first == again
    (message,) = office.rows("messages")
    assert (message["_id"], message["content"]) == (first, "first")
    assert (message["authorId"], message["taskId"]) == (office.engineer, task)


def test_051_the_second_call_has_no_effect_at_all(led_office, clock):
    office, key = led_office, new_id("notifications")
    task = office.task(agents=[office.writer])
    office.reply(task, "hello @writer", sourceNotificationId=key)
    before = snapshot(office)
    clock.pass_s(5)

    office.reply(task, "hello @squad-lead", sourceNotificationId=key)

    assert snapshot(office) == before


def test_052_fifty_calls_at_once_with_one_key_make_one_message(office):
    task, key, ids = office.task(), new_id("notifications"), []
    credentials = {"accountId": office.account, "serviceToken": office.token}

    def post():
        client = Client(office.backend.url)
        args = {"agentId": office.engineer, "taskId": task, "content": "once"}
        body = client.action(
            "createMessageFromAgent", sourceNotificationId=key, **args, **credentials
        )
        ids.append(body["value"]["messageId"])
        client.close()

    threads = [threading.Thread(target=post) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ids) == 50
    assert len(set(ids)) == len(office.rows("messages")) == 1


def test_053_a_key_wins_over_thread_and_author(office):
    first, second, key = office.task(), office.task(), new_id("notifications")

    one = office.reply(first, sourceNotificationId=key)
    other = office.reply(second, agent=office.writer, sourceNotificationId=key)

    assert one == other
    assert [row["taskId"] for row in office.rows("messages")] == [first]


def test_053_thread_and_author_are_checked_before_the_key(office):
    task, key = office.task(), new_id("notifications")
    office.reply(task, sourceNotificationId=key)
    args = {"content": "x", "sourceNotificationId": key}

    gone = {"agentId": office.engineer, "taskId": new_id("tasks")}
    text = office.error("createMessageFromAgent", **gone, **args)
    assert "Not found: Task does not exist" in text
    gone = {"agentId": new_id("agents"), "taskId": task}
    text = office.error("createMessageFromAgent", **gone, **args)
    assert "Not found: Agent does not exist" in text


def test_054_without_a_key_every_call_posts(office):
    task = office.task()

    assert office.reply(task) != office.reply(task)
    assert len(office.rows("messages")) == 2


def test_055_content_is_limited_in_utf16_units_even_for_a_known_key(office):
    task, key = office.task(), new_id("notifications")
    args = {"agentId": office.engineer, "taskId": task, "sourceNotificationId": key}

    office.reply(task, "x" * 100_000, sourceNotificationId=key)

    assert TOO_LONG in office.error("createMessageFromAgent", content="x" * 100_001, **args)
    assert TOO_LONG in office.error("createMessageFromAgent", content="🐶" * 50_001, **args)
    assert office.reply(task, "🐶" * 50_000)


def test_056_content_is_stored_as_it_is(office):
    task = office.task()

    office.reply(task, "")
    office.reply(task, "  padded \n")

    assert [row["content"] for row in office.rows("messages")] == ["", "  padded \n"]


def test_057_agents_move_the_tasks_times_and_people_do_not(office, clock):
    task = office.task()
    before = office.row("tasks", task)
    clock.pass_s(5)

    office.say(task, "hello")
    assert office.row("tasks", task) == before
    office.reply(task)

    after = office.row("tasks", task)
    assert after["updatedAt"] == after["lastMessageAt"] == clock.now_s * 1000


def test_058_author_and_orchestrator_become_subscribers(office):
    task = office.task()
    office.world.set_orchestrator(office.account, office.lead)

    office.say(task, "hello")
    assert office.subscribers(task) == {office.alice}
    office.reply(task)

    assert office.subscribers(task) == {office.alice, office.engineer, office.lead}


def test_059_agents_notify_agents_only_when_they_may(led_office):
    office = led_office
    task = office.task()
    office.reply(task, "@writer look")
    assert len(office.for_agent(office.writer, "mention")) == 1

    office.reply(task, "@writer look", suppressAgentNotifications=True)
    office.world.set_flags(office.account, office.engineer, {"canMentionAgents": False})
    office.reply(task, "@writer and @alice, look")

    assert len(office.for_agent(office.writer, "mention")) == 1
    assert len(office.for_agent(office.alice, "mention")) == 1
    names = [[m["name"] for m in row["mentions"]] for row in office.rows("messages")]
    assert names == [["Writer"], ["Writer"], ["Writer", "Alice Smith"]]
    assert office.rows("messages")[0]["mentions"][0]["slug"] == "writer"
    assert office.writer in office.subscribers(task)


def test_059_suppression_drops_the_subscription_too(office):
    task = office.task()

    office.reply(task, "@writer look", suppressAgentNotifications=True)

    assert office.subscribers(task) == {office.engineer}


def test_059_in_the_chat_agents_mention_nobody(led_office):
    office = led_office
    chat = office.world.open_orchestrator_chat(office.account)

    office.reply(chat, "@writer @alice look")

    assert office.rows("messages")[0]["mentions"] == []
    assert office.for_agent(office.writer) == []


def test_059_in_the_chat_a_persons_mention_reaches_the_agent_and_the_lead_still_hears(led_office):
    office = led_office
    chat = office.world.open_orchestrator_chat(office.account)

    office.say(chat, "@writer look")

    assert [row["type"] for row in office.for_agent(office.writer)] == ["mention"]
    assert [row["type"] for row in office.for_agent(office.lead)] == ["thread_update"]
    office.say(chat, "go on")
    assert [row["type"] for row in office.for_agent(office.writer)] == ["mention"]


def test_060_all_rows_of_one_message_share_one_time(office):
    task = office.task(agents=[office.writer])
    office.drain()

    office.say(task, "@all, look")

    made = [row for row in office.rows("notifications") if row["type"] == "mention"]
    message = office.rows("messages")[0]
    assert len(made) == 3
    assert {row["createdAt"] for row in made} == {message["createdAt"]}
    times = [row["_creationTime"] for row in made]
    assert times == sorted(set(times))
    assert not any(time.is_integer() for time in times)


def test_061_an_undelivered_update_turns_to_the_new_message(office, clock):
    task = office.task(agents=[office.engineer])
    office.drain()
    office.say(task, "one")
    (row,) = office.queue()
    office.call("markNotificationRead", notificationId=row["_id"])
    clock.pass_s(5)

    message = office.say(task, "two")

    (turned,) = office.queue()
    assert (turned["_id"], turned["messageId"]) == (row["_id"], message)
    assert turned["createdAt"] == row["createdAt"] + 5000
    assert turned["readAt"] == row["createdAt"]
    assert turned["_creationTime"] == row["_creationTime"]


def test_062_after_delivery_a_new_row_is_made(office):
    task = office.task(agents=[office.engineer])
    office.drain()
    office.say(task, "one")
    office.drain()

    office.say(task, "two")

    assert len(office.for_agent(office.engineer, "thread_update")) == 2
    assert len(office.queue()) == 1


@pytest.mark.parametrize("status", ["done", "blocked"])
def test_063_done_and_blocked_tasks_keep_their_agents_in_peace(office, status):
    task = office.task(agents=[office.engineer], status=status)
    office.drain()

    office.say(task, "thanks")
    assert office.queue() == []
    office.say(task, "@engineer thanks")

    assert [row["type"] for row in office.queue()] == ["mention"]


def test_064_naming_an_agent_silences_the_others(led_office):
    office = led_office
    task = office.task(agents=[office.engineer, office.writer])
    office.drain()

    office.say(task, "@engineer look")

    assert [row["recipientId"] for row in office.queue()] == [office.engineer]
    assert [row["type"] for row in office.queue()] == ["mention"]


def test_065_a_message_leaves_its_source_alone(office):
    task = office.task()
    office.say(task, "@engineer @writer")
    mine, delivered = (row["_id"] for row in office.queue())
    office.call("markNotificationDelivered", notificationId=delivered)
    before = [office.row("notifications", row) for row in (mine, delivered)]

    office.reply(office.task(), sourceNotificationId=mine)
    office.reply(task, sourceNotificationId=delivered)
    office.reply(task, sourceNotificationId=new_id("notifications"))

    assert [office.row("notifications", row) for row in (mine, delivered)] == before


def test_people_can_switch_agent_activity_off(office):
    task = office.task()
    office.say(task, "hello")
    office.world.set_preferences(office.account, agentActivity=False)

    office.reply(task, "@alice, done")

    assert office.for_agent(office.alice) == []
