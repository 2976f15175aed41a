"""Items 35 to 49 of the backend's contract: the delivery context and the session keys."""

import threading

from dispatcher.domain.text import utf16_units
from dispatcher.sandbox.backend.store import new_id
from dispatcher.sandbox.backend.threads import thread
from tests.sandbox.conftest import Client

STATUSES = ["inbox", "assigned", "in_progress", "review", "blocked"]


def context(office, row):
    return office.call("getNotificationForDelivery", notificationId=row)


def mentioned(office, task=None, content="@engineer look"):
    """Mention the engineer; returns the context of the row."""
    office.say(task or office.task(), content)
    return context(office, office.for_agent(office.engineer)[-1]["_id"])


def test_035_a_missing_or_foreign_notification_is_null(office, open_office):
    other = open_office("Other")
    mentioned(other)
    foreign = other.for_agent(other.engineer)[0]["_id"]

    assert context(office, foreign) is None
    assert context(office, new_id("notifications")) is None


def test_036_only_existing_agents_have_a_session_key(office):
    office.world.assign(office.account, office.task(), users=[office.alice], agents=[office.writer])
    for_user = context(office, office.for_agent(office.alice)[0]["_id"])
    for_agent = context(office, office.for_agent(office.writer)[0]["_id"])

    assert "deliverySessionKey" not in for_user
    assert for_user["agent"] is None
    task = for_agent["task"]["_id"]
    key = f"task:{task}:agent:writer:{office.account}:v1"
    assert for_agent["deliverySessionKey"] == key


def test_037_a_deleted_agent_has_neither_context_nor_session(office):
    bob = office.world.create_member(office.account, "Bob", "bob@example.com")
    office.say(office.task(), "@engineer @Bob, look")
    for_user = office.for_agent(bob)[0]["_id"]
    for_agent = office.for_agent(office.engineer)[0]["_id"]

    office.world.delete_agent(office.account, office.engineer)

    assert context(office, for_agent) is None
    assert context(office, for_user)["agent"] is None
    assert office.rows("sessions") == []


def test_038_the_thread_is_bounded_and_cut_but_the_message_is_not(office):
    task = office.task()
    for number in range(51):
        office.say(task, f"number {number}")
    office.say(task, "x" * 1990 + " " * 10 + "y")
    office.say(task, "x" * 1999 + "🐶 and more")
    long = "@engineer " + "z" * 5000

    told = mentioned(office, task, long)

    items = told["thread"]
    assert len(items) == 50
    assert [item["createdAt"] for item in items] == sorted(item["createdAt"] for item in items)
    assert items[0]["content"] == "number 4"
    assert items[-3]["content"] == "x" * 1990 + "…"
    assert items[-2]["content"] == "x" * 1999 + "…"
    assert utf16_units(items[-1]["content"]) == 2001
    assert items[-1]["content"].endswith("z…")
    assert told["message"]["content"] == long


def test_039_a_task_that_does_not_resolve_leaves_the_context_whole(office):
    """Rows of a deleted task go with it, so the row has to outlive its task by force."""
    told = mentioned(office)
    row, task = told["notification"]["_id"], told["task"]["_id"]
    with office.backend._store.mutation() as tx:
        tx.delete("tasks", task)

    again = context(office, row)

    assert (again["task"], again["thread"]) == (None, [])
    assert again["deliverySessionKey"] == told["deliverySessionKey"]


def test_040_the_type_of_the_source_is_that_of_the_key(office):
    task = office.task(agents=[office.writer])
    told = mentioned(office, task)
    row = told["notification"]["_id"]
    assert told["sourceNotificationType"] is None
    office.drain()

    office.reply(task, sourceNotificationId=row)
    update = office.for_agent(office.writer, "thread_update")[-1]["_id"]

    assert context(office, update)["sourceNotificationType"] == "mention"
    with office.backend._store.mutation() as tx:
        tx.delete("notifications", row)
    assert context(office, update)["sourceNotificationType"] is None
    office.reply(task)
    assert context(office, update)["sourceNotificationType"] is None


def test_041_the_overview_and_the_briefing_are_for_the_chat_alone(led_office):
    office = led_office
    chat = office.world.open_orchestrator_chat(office.account)
    for priority in (4, 1, 3, 2):
        office.task(f"P{priority}", priority=priority)
    for title in ("Account Briefing", "Repository — Primary"):
        office.call(
            "createDocumentFromAgent",
            agentId=office.lead,
            title=title,
            content="w" * 50_001,
            type="reference",
        )
    office.world.soft_delete_document(office.account, office.rows("documents")[1]["_id"])

    elsewhere = mentioned(office)
    inside = mentioned(office, chat)

    assert elsewhere["taskOverview"] is elsewhere["globalBriefingDoc"] is None
    assert inside["globalBriefingDoc"]["title"] == "Account Briefing"
    assert elsewhere["repositoryDoc"]["content"] == "w" * 50_000 + "…"
    totals, tops = inside["taskOverview"]["totals"], inside["taskOverview"]["topTasks"]
    assert [entry["status"] for entry in totals] == [entry["status"] for entry in tops] == STATUSES
    # Five tasks in the inbox: the four above and the one of ``elsewhere``; not the chat.
    assert totals[0]["count"] == 5
    assert [task["title"] for task in tops[0]["tasks"]] == ["P1", "P2", "Fix build"]


def test_042_the_primary_user_wrote_last_or_made_the_task(office):
    bob = office.world.create_member(office.account, "Bob", "bob@example.com")
    task = office.task(by=bob, agents=[office.engineer])
    row = office.for_agent(office.engineer)[0]["_id"]
    assert context(office, row)["primaryUserMention"] == {
        "id": bob,
        "name": "Bob",
        "email": "bob@example.com",
    }

    office.say(task, "hello", by=office.alice)
    office.reply(task)
    assert context(office, row)["primaryUserMention"]["id"] == office.alice

    office.world.remove_member(office.account, office.alice)
    assert context(office, row)["primaryUserMention"] is None


def test_043_mentionable_agents_are_sorted_and_assigned_ones_among_them(office):
    office.world.create_agent(office.account, "Émile", "Éclair", "Baker")
    task = office.task(agents=[office.writer, office.engineer])

    told = mentioned(office, task)

    slugs = [agent["slug"] for agent in told["mentionableAgents"]]
    assert slugs == ["Éclair", "engineer", "squad-lead", "writer"]
    assert [agent["slug"] for agent in told["assignedAgents"]] == ["engineer", "writer"]
    assert told["assignedAgents"][0] == {
        "id": office.engineer,
        "slug": "engineer",
        "name": "Engineer",
        "role": "Full-stack developer",
    }


def test_044_flags_come_from_the_agent_then_the_account_then_the_defaults(office):
    office.world.set_flags(office.account, office.engineer, None)
    told = mentioned(office)
    assert told["effectiveBehaviorFlags"] == {
        "canCreateTasks": False,
        "canModifyTaskStatus": True,
        "canCreateDocuments": True,
        "canMentionAgents": True,
        "canReviewTasks": False,
        "canMarkDone": False,
    }

    office.world.set_account_flags(office.account, {"canCreateTasks": True})
    row = told["notification"]["_id"]
    assert context(office, row)["effectiveBehaviorFlags"]["canCreateTasks"] is True

    office.world.set_flags(office.account, office.engineer, {"canMarkDone": True})
    flags = context(office, row)["effectiveBehaviorFlags"]
    assert (flags["canCreateTasks"], flags["canMarkDone"]) == (False, True)


def test_045_two_first_fetches_at_once_open_one_session(office):
    office.say(office.task(), "@engineer look")
    row = office.queue()[0]["_id"]
    keys = []

    def fetch():
        client = Client(office.backend.url)
        credentials = {"accountId": office.account, "serviceToken": office.token}
        told = client.action("getNotificationForDelivery", notificationId=row, **credentials)
        keys.append(told["value"]["deliverySessionKey"])
        client.close()

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread_ in threads:
        thread_.start()
    for thread_ in threads:
        thread_.join()

    assert len(keys) == 8
    assert len(set(keys)) == len(office.rows("sessions")) == 1
    assert keys[0].endswith(":v1")


def test_046_keys_differ_by_task_and_agent_and_without_a_task_are_the_systems(office):
    first, second = office.task(), office.task()
    office.say(first, "@engineer @writer")
    office.say(second, "@engineer")
    keys = {context(office, row["_id"])["deliverySessionKey"] for row in office.queue()}
    assert len(keys) == 3

    # The backend itself makes no agent row without a task; only the store can.
    with office.backend._store.mutation() as tx:
        notice = {"accountId": office.account, "type": "mention", "recipientType": "agent"}
        texts = {"recipientId": office.engineer, "title": "t", "body": "b", "createdAt": tx.now}
        row = tx.insert("notifications", {**notice, **texts})["_id"]

    told = context(office, row)
    engineer = next(a for a in office.call("listAgents") if a["_id"] == office.engineer)
    assert told["deliverySessionKey"] == engineer["systemSessionKey"]
    assert told["task"] is told["message"] is None
    assert told["deliverySessionKey"] == f"system:agent:engineer:{office.account}:v1"


def test_047_a_key_outlives_every_status_but_archived(office):
    task = office.task(agents=[office.engineer], status="review")
    told = mentioned(office, task)
    row, key = told["notification"]["_id"], told["deliverySessionKey"]
    world = office.world

    for change in (
        lambda: world.change_status(office.account, task, "done"),
        lambda: world.reopen(office.account, task),
        lambda: world.pause(office.account, task),
        lambda: world.assign(office.account, task, agents=[office.writer]),
    ):
        change()
        assert context(office, row)["deliverySessionKey"] == key


def test_048_after_archiving_the_next_fetch_opens_the_next_generation(office):
    task = office.task(agents=[office.engineer])
    told = mentioned(office, task)
    row = told["notification"]["_id"]

    office.world.change_status(office.account, task, "archived")

    assert context(office, row)["deliverySessionKey"].endswith(":v2")
    assert context(office, row)["deliverySessionKey"].endswith(":v2")
    old, new = office.rows("sessions")
    assert (old["closedReason"], "closedAt" in old) == ("task_archived", True)
    assert "closedAt" not in new


def test_049_system_keys_stay(office):
    first = [agent["systemSessionKey"] for agent in office.call("listAgents")]
    again = [agent["systemSessionKey"] for agent in office.call("listAgents")]

    assert first == again
    assert len(set(first)) == len(office.rows("sessions")) == 3


def test_a_thread_names_nobody_who_left(office):
    task = office.task()
    office.say(task, "hello")
    office.world.remove_member(office.account, office.alice)

    with office.backend._store.query() as tx:
        assert thread(tx, office.account, task, 5)[0]["authorName"] is None
