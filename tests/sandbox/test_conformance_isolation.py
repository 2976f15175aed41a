"""Items 99 and 100 of the backend's contract: accounts are walls, and every call is checked."""

import pytest

from dispatcher.sandbox.backend.registry import ACTIONS

FOREIGN_AGENT = "Forbidden: Agent belongs to different account"
FOREIGN_TASK = "Forbidden: Task belongs to different account"
LEAD_ONLY = {
    "assignTaskFromAgent",
    "deleteTaskFromAgent",
    "linkTaskToPrForAgentTool",
    "createTaskMessageForAgentTool",
}
WITHOUT_CHECK = {"provisionServiceToken", "syncServiceToken"}
CHECKED = sorted(ACTIONS.keys() - WITHOUT_CHECK)


def arguments(office):
    """Good arguments for every action, made of this office's own documents."""
    office.say(office.task(), "@engineer look")
    row = office.for_agent(office.engineer)[0]["_id"]
    agent, task = {"agentId": office.lead}, {"taskId": office.task()}
    both = {**agent, **task}
    stored = office.world.store_file(content_type="text/plain")
    upgrade = dict.fromkeys(
        ("fromOpenclawVersion", "toOpenclawVersion", "fromRuntimeVersion", "toRuntimeVersion"), "1"
    )
    note = {"title": "x", "content": "x", "type": "note"}
    asked = {"requesterAgentId": office.lead, "recipientSlugs": ["writer"], "message": "x"}
    return {
        "listUndeliveredNotifications": {},
        "getNotificationForDelivery": {"notificationId": row},
        "markNotificationRead": {"notificationId": row},
        "markNotificationDeliveryEnded": {"notificationId": row},
        "markNotificationDelivered": {"notificationId": row},
        "createMessageFromAgent": {**both, "content": "x"},
        "createTaskMessageForAgentTool": {**both, "content": "x"},
        "updateRuntimeStatus": {"status": "online"},
        "checkAndClearRestartRequested": {},
        "getPendingUpgrade": {},
        "recordUpgradeResult": {"status": "success", **upgrade},
        "getOrchestratorAgentId": {},
        "listAgents": {},
        "listAgentsForRuntime": {},
        "updateAgentHeartbeat": {**agent, "status": "online"},
        "listAssignedTasksForAgent": agent,
        "listTasksForOrchestratorHeartbeat": {"statuses": ["inbox"]},
        "updateTaskStatusFromAgent": {**both, "status": "in_progress"},
        "updateTaskFromAgent": {**both, "title": "x"},
        "createTaskFromAgent": {**agent, "title": "x"},
        "assignTaskFromAgent": {**both, "assignedAgentIds": [office.writer]},
        "deleteTaskFromAgent": {**both, "reason": "x"},
        "linkTaskToPrForAgentTool": {**both, "prNumber": 1},
        "loadTaskDetailsForAgentTool": both,
        "getTaskHistoryForAgentTool": both,
        "listTaskThreadForAgentTool": both,
        "getTaskForAgentTool": both,
        "listTasksForAgentTool": agent,
        "searchTasksForAgentTool": {**agent, "query": "fix"},
        "getAgentSkillsForTool": agent,
        "listDocumentsForAgent": task,
        "createDocumentFromAgent": {**both, **note},
        "createResponseRequestNotifications": {**asked, **task},
        "registerMessageUploadFromAgent": {**both, "storageId": stored},
    }


def test_all_service_actions_exist():
    assert len(ACTIONS) == 36


def test_099_foreign_agents_are_refused_by_every_action(led_office, open_office):
    office, other = led_office, open_office("Other")

    for name, args in arguments(office).items():
        for field in args.keys() & {"agentId", "requesterAgentId"}:
            assert FOREIGN_AGENT in office.error(name, **{**args, field: other.lead}), name


def test_099_foreign_tasks_are_refused_or_not_seen(led_office, open_office):
    office, other = led_office, open_office("Other")
    foreign = other.task()
    other.say(foreign, "secret")
    write = "createDocumentFromAgent"
    empty = {"listTaskThreadForAgentTool": [], "getTaskForAgentTool": None}
    empty["listDocumentsForAgent"] = {"documents": []}

    for name, args in arguments(office).items():
        if "taskId" not in args:
            continue
        body = office.body(name, **{**args, "taskId": foreign})
        if name in empty:
            assert body["value"] == empty[name]
        elif name == write:
            assert "does not exist or belongs to different account" in body["errorMessage"]
        else:
            assert FOREIGN_TASK in body["errorMessage"], name


def test_099_nothing_of_another_account_is_read_or_changed(led_office, open_office):
    other = open_office("Other")
    other.world.set_orchestrator(other.account, other.lead)
    arguments(other)
    tables = ("agents", "tasks", "messages", "notifications", "sessions", "activities")
    before = {table: other.rows(table) for table in tables}
    marks = {row["_id"] for rows in before.values() for row in rows} | {other.account}

    for name, args in arguments(led_office).items():
        answer = str(led_office.body(name, **args))
        assert not any(mark in answer for mark in marks), name

    assert {table: other.rows(table) for table in tables} == before


@pytest.mark.parametrize("name", CHECKED)
def test_100_every_action_checks_the_token_on_every_call(led_office, name):
    office = led_office
    args = arguments(office)[name]
    body = office.body(name, **args)
    assert body["status"] == "success" or "Server Error\nUncaught" in body["errorMessage"]

    wrong = f"mc_service_{office.account}_wrong"
    assert "Invalid service token" in office.error(name, serviceToken=wrong, **args)


def test_100_good_arguments_are_good(led_office):
    """The table above would prove little if its calls failed for another reason."""
    office = led_office
    office.world.set_flags(office.account, office.lead, {"canCreateTasks": True})
    failed = {
        name
        for name, args in arguments(office).items()
        if office.body(name, **args)["status"] == "error"
    }

    # A status request for a task in the inbox has no way to go.
    assert failed <= {"updateTaskStatusFromAgent"}
