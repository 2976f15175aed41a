"""Items 90 to 98 of the backend's contract: what agents read."""

import re

import pytest

from dispatcher.sandbox.backend.store import new_id

TAKE = "to `take` must be a non-negative integer"


def ids(rows):
    return [row["_id"] for row in rows]


def test_090_assigned_tasks_leave_out_only_the_done(office, clock):
    made = {}
    for status in ("in_progress", "archived", "done", "blocked"):
        clock.pass_s(1)
        made[status] = office.task(agents=[office.engineer], status=status)
    office.task(agents=[office.writer])
    args = {"agentId": office.engineer}

    tasks = ids(office.call("listAssignedTasksForAgent", **args))
    assert tasks == [made["blocked"], made["archived"], made["in_progress"]]

    everything = office.call("listAssignedTasksForAgent", includeDone=True, **args)
    assert made["done"] in ids(everything)
    assert ids(office.call("listAssignedTasksForAgent", limit=1, **args)) == [made["blocked"]]
    cut = office.call("listAssignedTasksForAgent", limit=-1, **args)
    assert ids(cut) == [made["blocked"], made["archived"]]


def test_090_at_most_200_assigned_tasks_are_listed(office):
    for _ in range(201):
        office.world.assign(
            office.account,
            office.world.create_task(office.account, "many"),
            agents=[office.engineer],
        )

    tasks = office.call("listAssignedTasksForAgent", agentId=office.engineer, limit=1000)

    assert len(tasks) == 200


def test_091_the_leads_tasks_come_by_status_without_repetition(office, clock):
    first = office.task(agents=[office.engineer])
    clock.pass_s(1)
    second = office.task()
    clock.pass_s(1)
    office.world.assign(office.account, first, agents=[office.writer])
    ask = "listTasksForOrchestratorHeartbeat"

    assert office.call(ask, statuses=[]) == []
    wanted = ["inbox", "assigned", "inbox"]
    assert ids(office.call(ask, statuses=wanted)) == [first, second]
    assert ids(office.call(ask, statuses=wanted, limit=1)) == [first]


def test_092_threads_are_the_newest_in_ascending_order(led_office):
    office = led_office
    task = office.task()
    for number in range(5):
        office.say(task, f"{number}")
    args = {"agentId": office.lead, "taskId": task}

    def contents(**more):
        return [i["content"] for i in office.call("listTaskThreadForAgentTool", **args, **more)]

    assert contents() == ["0", "1", "2", "3", "4"]
    assert contents(limit=2) == ["3", "4"]
    assert contents(limit=0) == []
    for limit in (-1, 1.5):
        assert TAKE in office.error("listTaskThreadForAgentTool", limit=limit, **args)
    assert office.call("listTaskThreadForAgentTool", **{**args, "taskId": new_id("tasks")}) == []


def test_093_details_are_for_all_and_threads_for_the_lead(led_office):
    office = led_office
    task = office.task()
    for number in range(12):
        office.say(task, f"{number}")
    args = {"agentId": office.engineer, "taskId": task}

    details = office.call("loadTaskDetailsForAgentTool", **args)
    assert details["task"]["_id"] == task
    assert [item["content"] for item in details["thread"]] == [f"{n}" for n in range(2, 12)]
    few = office.call("loadTaskDetailsForAgentTool", messageLimit=0, **args)
    assert len(few["thread"]) == 1
    assert TAKE in office.error("loadTaskDetailsForAgentTool", messageLimit=1.5, **args)

    text = office.error("listTaskThreadForAgentTool", **args)
    assert "Forbidden: Only the orchestrator can read threads" in text


def test_094_history_has_messages_up_and_activities_down(office):
    task = office.task(agents=[office.engineer], status="in_progress")
    for number in range(3):
        office.say(task, f"{number}")
    args = {"agentId": office.writer, "taskId": task}

    history = office.call("getTaskHistoryForAgentTool", **args)
    assert [item["content"] for item in history["messages"]] == ["0", "1", "2"]
    kinds = [row["type"] for row in history["activities"]]
    assert kinds == ["task_status_changed", "task_updated", "task_created"]
    assert not history["activities"][0].keys() & {"_id", "accountId"}
    assert history["meta"] == {"messageLimitApplied": 25, "activityLimitApplied": 30}

    history = office.call("getTaskHistoryForAgentTool", messageLimit=0, activityLimit=-1, **args)
    assert history["meta"] == {"messageLimitApplied": 1, "activityLimitApplied": 0}
    assert history["activities"] == []


def test_095_search_is_literal_and_scored(led_office):
    office = led_office
    low = office.task("Plain", description="needs a.b soon")
    high = office.task("a.b", description="A.B", agents=[office.engineer])
    office.world.change_status(office.account, high, "blocked", reason="a.b missing")
    office.task("axb")
    args = {"agentId": office.lead}

    hits = office.call("searchTasksForAgentTool", query=" A.b ", **args)

    assert [(hit["_id"], hit["relevanceScore"]) for hit in hits] == [(high, 6), (low, 2)]
    assert hits[0]["blockedReason"] == "a.b missing"
    assert office.call("searchTasksForAgentTool", query="  ", **args) == []
    text = office.error("searchTasksForAgentTool", query="x", agentId=office.writer)
    assert "Forbidden: Only the orchestrator can search tasks" in text


def write(office, **more):
    args = {"agentId": office.engineer, "title": "Notes", "content": "text", "type": "note"}
    return office.call("createDocumentFromAgent", **{**args, **more})["documentId"]


def test_096_documents_need_no_agent_and_hide_the_deleted(office, open_office, clock):
    task = office.task()
    first = write(office)
    clock.pass_s(1)
    second = write(office, taskId=task, type="reference", title="")
    gone = write(office)
    office.world.soft_delete_document(office.account, gone)

    def listed(**args):
        return office.call("listDocumentsForAgent", **args)["documents"]

    assert ids(listed()) == [second, first]
    assert listed(taskId=task) == [
        {
            "_id": second,
            "title": "Untitled",
            "type": "reference",
            "taskId": task,
            "updatedAt": clock.now_s * 1000,
        }
    ]
    assert ids(listed(type="note")) == [first]
    assert listed(taskId=open_office("Other").task()) == []


def test_096_document_limits_are_clamped(office):
    for _ in range(101):
        write(office)

    sizes = [
        len(office.call("listDocumentsForAgent", **args)["documents"])
        for args in ({}, {"limit": 0}, {"limit": 2.9}, {"limit": 1000})
    ]

    assert sizes == [50, 1, 2, 100]


def test_097_skills_come_with_slugs_and_dates(office):
    skill = office.world.create_skill(office.account, "Git", "git")
    office.world.set_skills(office.account, office.writer, [skill])

    rows = office.call("getAgentSkillsForTool", agentId=office.engineer)
    assert [row["agentId"] for row in rows] == ["engineer", "writer", "squad-lead"]
    assert (rows[1]["skillIds"], rows[1]["skillCount"]) == ([skill], 1)
    assert re.fullmatch(r"2026-01-01T00:00:00\.000Z", rows[0]["lastUpdated"])

    one = office.call("getAgentSkillsForTool", agentId=office.engineer, queryAgentId=office.writer)
    assert one == [rows[1]]
    args = {"agentId": office.engineer, "queryAgentId": new_id("agents")}
    text = office.error("getAgentSkillsForTool", **args)
    assert "Not found: Target agent does not exist" in text


def test_098_profiles_have_live_skills_and_texts_that_say_something(office, open_office):
    world, other = office.world, open_office("Other")
    good = world.create_skill(office.account, "Git", "git", content="# Git")
    disabled = world.create_skill(office.account, "Old", "old", enabled=False)
    foreign = world.create_skill(other.account, "Theirs", "theirs")
    wanted = ["", foreign, disabled, good, new_id("skills")]
    world.set_skills(office.account, office.engineer, wanted)
    world.create_agent(office.account, "Poet", "poet", "Poet", soulContent="  I rhyme. \n")
    world.set_user_text(office.account, " \n")

    rows = office.call("listAgentsForRuntime")

    engineer, poet = rows[0], rows[-1]
    assert [skill["_id"] for skill in engineer["resolvedSkills"]] == [good]
    assert engineer["resolvedSkills"][0]["contentMarkdown"] == "# Git"
    assert engineer["effectiveSoulContent"].startswith("# SOUL — Engineer\n")
    assert engineer["effectiveUserMd"].startswith("# User\n")
    assert engineer["effectiveIdentityContent"].startswith("# IDENTITY — Engineer\n")
    assert poet["effectiveSoulContent"] == "I rhyme."
    assert poet["openclawConfig"]["behaviorFlags"]["canMentionAgents"] is True


def test_tasks_are_listed_for_the_lead(led_office):
    office = led_office
    mine = office.task(agents=[office.engineer])
    other = office.task()
    args = {"agentId": office.lead}

    assert ids(office.call("listTasksForAgentTool", **args)) == [other, mine]
    assert ids(office.call("listTasksForAgentTool", status="inbox", **args)) == [other]
    filters = {"assigneeAgentId": office.engineer}
    assert ids(office.call("listTasksForAgentTool", **filters, **args)) == [mine]
    assert office.call("listTasksForAgentTool", status="inbox", **filters, **args) == []
    assert office.call("getTaskForAgentTool", taskId=mine, **args)["_id"] == mine
    assert office.call("getTaskForAgentTool", taskId=new_id("tasks"), **args) is None


@pytest.mark.parametrize(("same", "version"), [(True, 1), (False, 2)])
def test_a_document_has_a_new_version_when_its_content_differs(office, same, version):
    document = write(office, taskId=office.task())

    assert write(office, documentId=document, content="text" if same else "other") == document

    row = office.row("documents", document)
    assert row["version"] == version
    assert "taskId" not in row


def test_documents_are_checked(office, open_office):
    args = {"agentId": office.engineer, "title": "x", "content": "x", "type": "note"}
    foreign = write(open_office("Other"))
    wrongs = {
        "Not found: Task does not exist or belongs": {"taskId": new_id("tasks")},
        "Title too long (max 2000 characters)": {"title": "x" * 2001},
        "Content too long (max 1000000 characters)": {"content": "x" * 1_000_001},
        "> maximum size 1 MiB)": {"content": "é" * 600_000},
        "Not found: Document does not exist": {"documentId": new_id("documents")},
        "Forbidden: Document belongs to different account": {"documentId": foreign},
    }

    for text, wrong in wrongs.items():
        assert text in office.error("createDocumentFromAgent", **{**args, **wrong})
    office.world.set_flags(office.account, office.engineer, {"canCreateDocuments": False})
    text = office.error("createDocumentFromAgent", **args)
    assert "Forbidden: Agent is not allowed to create documents" in text
