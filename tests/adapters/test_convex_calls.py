"""Every call of the port, made against the sandbox."""

import pytest

from dispatcher.domain.notification import Flags, Kind
from dispatcher.domain.upgrade import Versions
from tests.adapters.convex_office import NOWHERE, Office

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
    target = Versions(openclaw="2026.9.6", runtime="0.2.0")
    running = Versions(openclaw="2026.7.1", runtime="0.1.0")
    office.convex.upgrade_failed(running=running, target=target, error="Nothing changed.")

    assert [one and one.target for one in pending] == [target, target]
    (row,) = office.rows("runtimes")
    assert row["upgradeHistory"][-1]["status"] == "failed"
    assert row["upgradeHistory"][-1]["error"] == "Nothing changed."
    assert office.convex.pending_upgrade() is None
