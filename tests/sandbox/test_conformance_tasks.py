"""Items 67 to 77 of the backend's contract: tasks and their statuses."""

import pytest

NO_TRANSITION = "Invalid transition: Cannot move from '{0}' to '{1}'"
NEEDS_REVIEW = "Forbidden: Task must be in review before marking done"
TARGETS = ("in_progress", "review", "done", "blocked")
# Per current status, what happens on the way to each target: the number of steps, or a refusal.
MATRIX = {
    "inbox": (NO_TRANSITION, NO_TRANSITION, NEEDS_REVIEW, NO_TRANSITION),
    "assigned": (1, 2, NEEDS_REVIEW, 1),
    "in_progress": (0, 1, NEEDS_REVIEW, 1),
    "review": (1, 0, 1, 1),
    "blocked": (1, 2, NEEDS_REVIEW, 0),
    "done": (NO_TRANSITION, NO_TRANSITION, 0, NO_TRANSITION),
    "archived": (NO_TRANSITION, NO_TRANSITION, NEEDS_REVIEW, NO_TRANSITION),
}
CELLS = [
    (current, target, outcome)
    for current, outcomes in MATRIX.items()
    for target, outcome in zip(TARGETS, outcomes, strict=True)
]


def request(office, task, status, *, agent=None, **more):
    args = {"taskId": task, "agentId": agent or office.lead, "status": status, **more}
    return office.body("updateTaskStatusFromAgent", **args)


@pytest.mark.parametrize(("current", "target", "outcome"), CELLS)
def test_067_the_matrix_of_status_requests_holds(led_office, current, target, outcome):
    office = led_office
    agents = [] if current == "inbox" else [office.engineer]
    task = office.task(agents=agents, status=current)

    body = request(office, task, target, blockedReason="stuck")

    if isinstance(outcome, str):
        assert outcome.format(current, target) in body["errorMessage"]
        assert office.row("tasks", task)["status"] == current
    else:
        value = body["value"]
        assert (value["status"], value["requestedStatus"]) == (target, target)
        assert (value["success"], value["changed"]) == (True, outcome > 0)


@pytest.mark.parametrize("status", ["inbox", "assigned", "archived"])
def test_067_agents_may_ask_for_four_statuses_only(led_office, status):
    text = request(led_office, led_office.task(), status)["errorMessage"]

    assert "Invalid status: must be in_progress, review, done, or blocked" in text


def test_067_blocking_needs_a_reason_and_modifying_needs_the_flag(office):
    task = office.task(agents=[office.engineer])

    text = request(office, task, "blocked")["errorMessage"]
    assert "Invalid status change: Cannot move to 'blocked' without providing a reason" in text
    assert request(office, task, "blocked", blockedReason=" ")["status"] == "success"
    office.world.set_flags(office.account, office.lead, {"canModifyTaskStatus": False})
    text = request(office, task, "in_progress")["errorMessage"]
    assert "Forbidden: Agent is not allowed to modify task status" in text


def test_068_an_unexpected_status_is_a_success_without_change(office):
    task = office.task(agents=[office.engineer], status="review")

    value = request(office, task, "in_progress", expectedStatus="assigned")["value"]

    assert (value["success"], value["changed"], value["status"]) == (True, False, "review")
    assert request(office, task, "done", expectedStatus="assigned")["value"]["status"] == "review"


def test_069_two_steps_are_told_once_and_the_reason_goes(office):
    task = office.task(agents=[office.engineer, office.writer], status="blocked", reason="why")
    office.drain()
    before = len(office.activities("task_status_changed"))

    request(office, task, "review", agent=office.engineer)

    assert "blockedReason" not in office.row("tasks", task)
    rows = office.queue()
    assert [row["title"] for row in rows] == ["Task status changed to review"]
    assert rows[0]["body"] == 'Engineer changed "Fix build" to review'
    logged = office.activities("task_status_changed")[before:]
    assert [row["meta"] for row in logged] == [{"oldStatus": "in_progress", "newStatus": "review"}]


def test_070_only_qa_or_else_the_orchestrator_finishes(office):
    task = office.task(agents=[office.engineer], status="review")
    office.world.set_flags(office.account, office.engineer, {"canMarkDone": True})

    text = request(office, task, "done", agent=office.engineer)["errorMessage"]
    assert "Forbidden: Orchestrator must be set to mark tasks as done" in text
    office.world.set_orchestrator(office.account, office.lead)
    text = request(office, task, "done", agent=office.engineer)["errorMessage"]
    assert "Forbidden: Only the orchestrator can mark tasks as done" in text
    tester = office.world.create_agent(office.account, "Tess", "tess", "Head of Quality")
    text = request(office, task, "done")["errorMessage"]
    assert "Forbidden: QA must approve and mark tasks as done" in text
    assert request(office, task, "done", agent=tester)["value"]["status"] == "done"


def test_071_a_new_status_is_told_to_all_assigned_but_the_actor(office):
    task = office.task(agents=[office.engineer, office.writer])
    office.world.assign(office.account, task, users=[office.alice])
    office.drain()

    request(office, task, "in_progress", agent=office.engineer)

    assert [row["recipientId"] for row in office.queue()] == [office.writer]
    assert office.for_agent(office.alice, "status_change")


def create(office, agent=None, **more):
    args = {"agentId": agent or office.engineer, "title": "New", **more}
    return office.row("tasks", office.call("createTaskFromAgent", **args)["taskId"])


def test_072_creation_has_defaults(led_office):
    office = led_office
    office.world.set_flags(office.account, office.engineer, {"canCreateTasks": True})

    plain = create(office)
    assert (plain["status"], plain["priority"], plain["labels"]) == ("inbox", 3, [])
    assert plain["createdBy"] == office.engineer
    assert office.subscribers(plain["_id"]) == {office.lead}

    given = create(office, assignedAgentIds=[office.writer])
    assert given["status"] == "assigned"
    assert office.for_agent(office.writer, "assignment")[0]["title"] == "Engineer assigned you"

    own = create(office, status="in_progress")
    assert own["assignedAgentIds"] == [office.engineer]
    assert len(office.for_agent(office.engineer, "assignment")) == 1
    assert create(office, status="done")["status"] == "done"


def test_072_creation_checks_what_a_status_needs(office):
    office.world.set_flags(office.account, office.engineer, {"canCreateTasks": True})
    args = {"agentId": office.engineer, "title": "x"}

    text = office.error("createTaskFromAgent", status="blocked", **args)
    assert "Invalid status at creation: Cannot move to 'blocked' without providing" in text
    text = office.error("createTaskFromAgent", blockedReason="x" * 2001, **args)
    assert "blockedReason must be at most 2000 characters" in text
    text = office.error("createTaskFromAgent", **{**args, "title": "x" * 2001})
    assert "Title too long (max 2000 characters)" in text
    text = office.error("createTaskFromAgent", description="x" * 100_001, **args)
    assert "Description too long (max 100000 characters)" in text


def test_073_creation_is_refused_by_default(office):
    text = office.error("createTaskFromAgent", agentId=office.engineer, title="x")

    assert "Forbidden: Agent is not allowed to create tasks" in text


def test_074_assigning_adds_and_starts_and_tells_the_new_ones(led_office):
    office, task = led_office, led_office.task()
    args = {"taskId": task, "agentId": office.lead}
    text = office.error(
        "assignTaskFromAgent", **{**args, "agentId": office.engineer}, assignedAgentIds=[]
    )
    assert "Forbidden: Only the orchestrator can assign agents" in text

    office.call("assignTaskFromAgent", assignedAgentIds=[office.engineer], **args)
    assert office.row("tasks", task)["status"] == "in_progress"
    office.call("assignTaskFromAgent", assignedAgentIds=[office.writer], **args)
    office.call("assignTaskFromAgent", assignedAgentIds=[office.writer], **args)

    assert office.row("tasks", task)["assignedAgentIds"] == [office.engineer, office.writer]
    assert [row["recipientId"] for row in office.queue()] == [office.engineer, office.writer]
    assert {row["type"] for row in office.queue()} == {"assignment"}
    assert {office.engineer, office.writer, office.lead} <= office.subscribers(task)
    assert len(office.activities("task_updated")) == 3
    assert office.activities("task_status_changed")[0]["meta"]["reason"] == "auto_assignment"


def update(office, task, **more):
    return office.body("updateTaskFromAgent", taskId=task, agentId=office.engineer, **more)


def test_075_an_update_assigns_in_silence_and_keeps_what_it_stored(office):
    task = office.task()

    body = update(office, task, assignedAgentIds=[office.writer])
    assert body["value"]["changedFields"] == ["assignedAgentIds"]
    assert office.row("tasks", task)["status"] == "inbox"
    assert office.queue() == []
    assert office.writer in office.subscribers(task)

    body = update(office, task, assignedAgentIds=[office.engineer], status="in_progress")
    assert NO_TRANSITION.format("inbox", "in_progress") in body["errorMessage"]
    assert office.row("tasks", task)["assignedAgentIds"] == [office.engineer]
    assert office.writer not in office.subscribers(task)


def test_075_assignees_that_come_with_the_start_are_stored_first(office):
    task = office.task(agents=[office.engineer], status="blocked")

    body = update(office, task, assignedAgentIds=[office.writer], status="in_progress", title=" T ")

    assert body["value"]["changedFields"] == ["title", "assignedAgentIds", "status"]
    row = office.row("tasks", task)
    assert (row["title"], row["status"]) == ("T", "in_progress")


def test_075_a_running_task_keeps_an_assignee_and_strangers_are_refused(office, open_office):
    task, other = office.task(agents=[office.engineer]), open_office("Other")

    text = update(office, task, assignedAgentIds=[])["errorMessage"]
    assert "Invalid assignees: status 'assigned' requires at least one assignee" in text
    text = update(office, task, assignedAgentIds=[other.engineer])["errorMessage"]
    assert f"Invalid agent: {other.engineer}" in text
    text = update(office, task, assignedUserIds=[other.alice, " "])["errorMessage"]
    assert f"Invalid user: {other.alice} is not a member of this account" in text
    text = update(office, task, status="blocked")["errorMessage"]
    assert "blockedReason is required when status is 'blocked'" in text
    office.world.set_flags(office.account, office.engineer, {"canModifyTaskStatus": False})
    text = update(office, task, title="x")["errorMessage"]
    assert "Forbidden: Agent is not allowed to modify tasks" in text


def test_076_an_update_without_fields_writes_nothing(office):
    task = office.task()
    before = office.row("tasks", task)

    assert update(office, task, blockedReason="x")["value"]["changedFields"] == []
    assert office.row("tasks", task) == before
    for priority in (0, 6):
        text = update(office, task, priority=priority)["errorMessage"]
        assert "Invalid priority: must be between 1 (highest) and 5 (lowest)" in text
    assert update(office, task, priority=2.5)["value"]["changedFields"] == ["priority"]


@pytest.mark.parametrize("status", list(MATRIX))
def test_077_deleting_archives_from_any_status_in_silence(led_office, status):
    office = led_office
    agents = [] if status == "inbox" else [office.engineer]
    task = office.task(agents=agents, status=status)
    office.say(task, "@writer look")
    row = office.for_agent(office.writer, "mention")[0]["_id"]
    key = office.call("getNotificationForDelivery", notificationId=row)["deliverySessionKey"]
    before = len(office.rows("notifications"))
    args = {"taskId": task, "agentId": office.lead, "reason": "old"}

    assert office.call("deleteTaskFromAgent", **args) == {"success": True}

    archived = office.row("tasks", task)
    assert (archived["status"], "archivedAt" in archived) == ("archived", True)
    assert len(office.rows("notifications")) == before
    session = next(s for s in office.rows("sessions") if s["sessionKey"] == key)
    assert session["closedReason"] == "task_archived"
    text = office.error("deleteTaskFromAgent", **{**args, "agentId": office.engineer})
    assert "Forbidden: Only the orchestrator can archive/delete tasks" in text
    text = office.error("deleteTaskFromAgent", **{**args, "reason": "x" * 2001})
    assert "reason must be at most 2000 characters" in text


def test_a_pull_request_is_remembered(led_office):
    office, task = led_office, led_office.task()
    args = {"taskId": task, "agentId": office.lead, "prNumber": 7}

    assert office.call("linkTaskToPrForAgentTool", **args) == {"success": True}

    assert office.row("tasks", task)["metadata"] == {"prNumber": 7}
    text = office.error("linkTaskToPrForAgentTool", **{**args, "agentId": office.writer})
    assert "Forbidden: Only the orchestrator can link tasks to PRs" in text
