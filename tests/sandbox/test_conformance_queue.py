"""Items 26 to 34 of the backend's contract: the queue and its marks."""

import pytest

MARKS = ("markNotificationRead", "markNotificationDeliveryEnded", "markNotificationDelivered")


def mention(office, content="@engineer look"):
    """Make one row for the engineer; returns its id."""
    office.say(office.task(), content)
    return office.for_agent(office.engineer)[-1]["_id"]


def test_026_the_queue_holds_undelivered_rows_of_agents_in_order(office, clock):
    task = office.task()
    bob = office.world.create_member(office.account, "Bob", "bob@example.com")
    office.say(task, "@engineer @writer @Bob, now")
    clock.pass_s(1)
    office.say(office.task(), "@engineer later")
    office.call("markNotificationDelivered", notificationId=mention(office))

    rows = office.queue()

    assert [row["recipientId"] for row in rows] == [office.engineer, office.writer, office.engineer]
    assert bob not in {row["recipientId"] for row in rows}
    order = [(row["createdAt"], row["_creationTime"]) for row in rows]
    assert order == sorted(order)
    assert all(row["recipientType"] == "agent" and "deliveredAt" not in row for row in rows)


def test_027_limits_are_floored_and_clamped(office):
    not_a_number = {"$float": "AAAAAAAA+H8="}
    for _ in range(260):
        office.say(office.task(), "@engineer @writer")

    limits = (0, -5, 2.9, 10_000, not_a_number)

    assert len(office.queue()) == 100
    assert [len(office.queue(limit=limit)) for limit in limits] == [1, 1, 2, 500, 100]


def test_028_nothing_but_delivery_hides_a_row(office):
    row = mention(office)
    before = office.queue()

    office.call("markNotificationRead", notificationId=row)
    office.call("markNotificationDeliveryEnded", notificationId=row)

    assert [entry["_id"] for entry in before] == [entry["_id"] for entry in office.queue()] == [row]


def test_029_read_is_set_once_and_ends_the_end(office, clock):
    row = mention(office)
    office.call("markNotificationRead", notificationId=row)
    first = office.row("notifications", row)
    clock.pass_s(5)
    office.call("markNotificationDeliveryEnded", notificationId=row)
    assert "deliveryEndedAt" in office.row("notifications", row)

    office.call("markNotificationRead", notificationId=row)

    assert office.row("notifications", row) == first


def test_029_a_first_read_ends_the_end_too(office):
    row = mention(office)
    office.call("markNotificationDeliveryEnded", notificationId=row)

    office.call("markNotificationRead", notificationId=row)

    assert "deliveryEndedAt" not in office.row("notifications", row)


def test_030_the_end_is_not_moved_and_not_set_after_delivery(office, clock):
    moved, delivered = mention(office), mention(office)
    office.call("markNotificationDeliveryEnded", notificationId=moved)
    office.call("markNotificationDelivered", notificationId=delivered)
    before = office.row("notifications", moved)
    clock.pass_s(5)

    office.call("markNotificationDeliveryEnded", notificationId=moved)
    office.call("markNotificationDeliveryEnded", notificationId=delivered)

    assert office.row("notifications", moved) == before
    assert "deliveryEndedAt" not in office.row("notifications", delivered)


def test_031_delivery_is_set_once_and_needs_nothing_before(office, clock):
    row, unread = mention(office), mention(office)
    office.call("markNotificationRead", notificationId=row)
    office.call("markNotificationDeliveryEnded", notificationId=row)
    before = office.row("notifications", row)

    office.call("markNotificationDelivered", notificationId=unread)
    office.call("markNotificationDelivered", notificationId=row)
    delivered = office.row("notifications", row)
    clock.pass_s(5)
    office.call("markNotificationDelivered", notificationId=row)

    assert office.queue() == []
    assert office.row("notifications", row) == delivered
    assert {**before, "deliveredAt": delivered["deliveredAt"]} == delivered


@pytest.mark.parametrize("mark", MARKS)
def test_032_marks_do_not_know_deleted_and_foreign_rows(office, open_office, mark):
    other = open_office("Other")
    foreign, deleted = mention(other), mention(office)
    office.world.delete_task(office.account, office.row("notifications", deleted)["taskId"])

    for row in (foreign, deleted):
        text = office.error(mark, notificationId=row)
        assert "Not found: Notification does not exist" in text


def test_033_no_state_is_reset_by_time(office, clock):
    row = mention(office)
    office.call("markNotificationRead", notificationId=row)
    before = office.queue()
    clock.pass_s(7 * 86_400)

    assert office.queue() == before


def test_034_going_offline_ends_typing_and_nothing_else(office):
    for _ in range(251):
        office.say(office.task(), "@engineer @writer")
    ended = office.queue()[0]["_id"]
    for row in office.rows("notifications"):
        office.call("markNotificationRead", notificationId=row["_id"])
    office.call("markNotificationDeliveryEnded", notificationId=ended)

    office.call("updateRuntimeStatus", status="offline")

    rows = [row for row in office.rows("notifications") if row["recipientType"] == "agent"]
    assert sum("readAt" in row for row in rows) == 502 - 500
    assert "deliveryEndedAt" in office.row("notifications", ended)
