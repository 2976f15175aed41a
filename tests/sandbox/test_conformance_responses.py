"""Items 78 to 81 of the backend's contract: requests for a response."""

import pytest

from dispatcher.sandbox.backend.store import new_id

FOUR_HOURS_S = 4 * 3600


def ask(office, task, *slugs, agent=None, message="please answer"):
    return office.body(
        "createResponseRequestNotifications",
        requesterAgentId=agent or office.engineer,
        taskId=task,
        recipientSlugs=list(slugs),
        message=message,
    )


def made(body):
    return body["value"]["notificationIds"]


def test_078_each_known_recipient_gets_one_row(office):
    task = office.task()

    ids = made(ask(office, task, " Writer ", "writer", "SQUAD-LEAD", "engineer", message=" hm "))

    rows = office.queue()
    assert [row["_id"] for row in rows] == ids
    assert [row["recipientId"] for row in rows] == [office.writer, office.lead]
    assert rows[0]["title"] == "Engineer requested a response"
    assert (rows[0]["body"], rows[0]["type"]) == (" hm ", "response_request")
    assert "messageId" not in rows[0]
    assert office.subscribers(task) == set()


def test_079_an_open_request_swallows_the_next_ones(office):
    task = office.task()
    made(ask(office, task, "writer"))

    assert made(ask(office, task, "writer")) == []
    assert made(ask(office, task, "writer", agent=office.lead)) == []
    assert len(made(ask(office, office.task(), "writer"))) == 1


def test_080_a_post_of_the_recipient_opens_the_way(office, clock):
    task = office.task()
    made(ask(office, task, "writer"))
    office.reply(task, agent=office.writer)
    assert made(ask(office, task, "writer")) == []

    clock.pass_s(1)
    office.reply(task, agent=office.writer)

    assert len(made(ask(office, task, "writer"))) == 1


def test_080_a_delivered_request_blocks_for_four_hours(office, clock):
    task = office.task()
    (row,) = made(ask(office, task, "writer"))
    clock.pass_s(FOUR_HOURS_S)
    assert made(ask(office, task, "writer")) == []
    clock.pass_s(-1)
    office.call("markNotificationDelivered", notificationId=row)

    assert made(ask(office, task, "writer")) == []
    clock.pass_s(1)
    assert len(made(ask(office, task, "writer"))) == 1


@pytest.mark.parametrize(
    ("slugs", "message", "text"),
    [
        (["writer"] * 11, "x", "Too many recipients: max 10 allowed per request"),
        (["writer"], " \n", "Message is required"),
        (["writer"], "x" * 1001, "Message too long: max 1000 characters allowed"),
        ([" ", ""], "x", "Invalid recipient slugs: none provided"),
        (["Nobody", "writer", "@writer"], "x", "Unknown recipient slugs: Nobody, @writer"),
        (["Engineer"], "x", "No valid recipients after filtering"),
    ],
)
def test_081_wrong_requests_get_their_text(office, slugs, message, text):
    body = ask(office, office.task(), *slugs, message=message)

    assert f"Error: {text}\n" in body["errorMessage"]


def test_081_the_flag_and_the_task_are_checked_first(office):
    office.world.set_flags(office.account, office.engineer, {"canMentionAgents": False})

    text = ask(office, new_id("tasks"), message="")["errorMessage"]
    assert "Not found: Task does not exist" in text
    text = ask(office, office.task(), message="")["errorMessage"]
    assert "Forbidden: Agent may not request responses" in text
    assert made(ask(office, office.task(), "engineer", agent=office.lead, message=" x" * 500))
