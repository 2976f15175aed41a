"""What each tool does: arguments, rights, errors in words, and results in their shapes."""

from typing import Any

import pytest

from dispatcher.domain.catalogue import EVERY_TOOL, offered
from dispatcher.domain.ids import TaskId
from dispatcher.domain.notification import Agent, Flags
from dispatcher.domain.rights import Rights
from dispatcher.domain.tools import CallRefused, Fault, check_arguments
from dispatcher.flows.acts import find_tool, is_repeatable, perform
from dispatcher.flows.acts.errand import Errand
from tests.fakes.actions import FakeActions
from tests.fakes.diary import Diary
from tests.samples import ENGINEER, LEAD, TASK, WRITER

ALL = Flags(
    can_create_tasks=True, can_modify_task_status=True, can_create_documents=True,
    can_mention_agents=True, can_review_tasks=True, can_mark_done=True,
)  # fmt: skip
CREW = (
    Agent(agent_id=ENGINEER, name="Engineer", slug="engineer", role="Developer"),
    Agent(agent_id=LEAD, name="Squad Lead", slug="Squad-Lead", role="Lead"),
    Agent(agent_id=WRITER, name="Writer", slug="writer", role="Writer"),
)
OTHER = TaskId("jn7other")


class Crew:
    def agents(self) -> tuple[Agent, ...]:
        return CREW


def rights(*, lead: bool = False, done: bool = False, task: TaskId | None = TASK) -> Rights:
    agent = LEAD if lead else ENGINEER
    return Rights(agent=agent, task=task, is_orchestrator=lead, may_mark_done=done, flags=ALL)


class Desk:
    """Runs calls as one agent."""

    def __init__(self, who: Rights) -> None:
        self.who = who
        self.actions = FakeActions(Diary())

    def run(self, name: str, **arguments: Any) -> dict[str, Any]:
        tool = find_tool(name, self.who)
        given = check_arguments(arguments, tool)
        errand = Errand(arguments=given, rights=self.who, actions=self.actions, directory=Crew())
        return dict(perform(tool, errand))

    @property
    def did_nothing(self) -> bool:
        actions = self.actions
        return not (actions.calls or actions.created or actions.written or actions.statuses)


# Item 108: what is refused, in which words, before anything is done

UPDATABLE = (
    "title, description, priority, labels, assignedAgentIds, assignedUserIds, status, dueDate"
)
STATUS_WORDS = "Invalid status: must be one of in_progress, review, done, blocked"
STATUS_HTTP = "Invalid status: must be in_progress, review, done, or blocked"
FIRST_HTTP = "Invalid status: must be inbox, assigned, in_progress, review, done, or blocked"
ALL_HTTP = (
    "Invalid status: must be inbox, assigned, in_progress, review, done, blocked, or archived"
)
DOCUMENT = "title, content, and type (deliverable|note|template|reference)"
MISSING, INVALID, FORBIDDEN = Fault.MISSING, Fault.INVALID, Fault.FORBIDDEN
REFUSED: list[tuple[str, dict[str, Any], Fault, str, str]] = [
    ("task_status", {"status": "done"}, FORBIDDEN,
        "Forbidden: Not allowed to mark tasks as done", ""),
    ("task_status", {}, MISSING, STATUS_WORDS, "Missing required fields: taskId, status"),
    ("task_status", {"status": "archived"}, INVALID, STATUS_WORDS, STATUS_HTTP),
    ("task_status", {"status": "blocked"}, INVALID,
        "blockedReason is required when status is blocked", ""),
    ("task_status", {"status": "blocked", "blockedReason": " "}, INVALID,
        "blockedReason is required when status is blocked", ""),
    ("task_update", {"status": "done"}, FORBIDDEN,
        "Forbidden: Not allowed to mark tasks as done", ""),
    ("task_update", {}, MISSING, f"At least one field must be given: {UPDATABLE}", ""),
    ("task_update", {"blockedReason": "x"}, MISSING,
        f"At least one field must be given: {UPDATABLE}", ""),
    ("task_update", {"status": "inbox"}, INVALID, STATUS_WORDS, STATUS_HTTP),
    ("task_update", {"status": "blocked"}, INVALID,
        "blockedReason is required when status is 'blocked'", ""),
    ("task_update", {"priority": 6}, INVALID,
        "priority must be between 1 (highest) and 5 (lowest)", ""),
    ("task_create", {}, MISSING, "title is required", "Missing required field: title"),
    ("task_create", {"title": " "}, MISSING, "title is required", "Missing required field: title"),
    ("task_create", {"title": "a", "assigneeSlugs": ["writer"]}, FORBIDDEN,
        "Forbidden: Only the orchestrator can assign agents during task creation", ""),
    ("task_create", {"title": "a", "priority": 0}, INVALID,
        "Invalid priority: use 1-5 or one of critical|high|medium|low|lowest", ""),
    ("task_create", {"title": "a", "priority": "urgent"}, INVALID,
        "Invalid priority: use 1-5 or one of critical|high|medium|low|lowest", ""),
    ("task_create", {"title": "a", "status": "archived"}, INVALID,
        "Invalid status: must be one of inbox, assigned, in_progress, review, done, blocked",
        FIRST_HTTP),
    ("task_create", {"title": "a", "status": "blocked"}, INVALID,
        "blockedReason is required when status is blocked", ""),
    ("document_upsert", {"title": " ", "content": "b", "type": "note"}, MISSING,
        f"{DOCUMENT} are required", f"Missing or invalid: {DOCUMENT} required"),
    ("document_upsert", {"title": "a", "content": "", "type": "note"}, MISSING,
        f"{DOCUMENT} are required", f"Missing or invalid: {DOCUMENT} required"),
    ("document_upsert", {"title": "a", "content": "b", "type": "poem"}, MISSING,
        f"{DOCUMENT} are required", f"Missing or invalid: {DOCUMENT} required"),
    ("document_list", {"type": "poem"}, INVALID,
        "Invalid type: must be one of deliverable, note, template, reference",
        "Invalid type: must be deliverable, note, template, or reference"),
    ("response_request", {"message": "a"}, MISSING,
        "recipientSlugs is required", "Missing required field: recipientSlugs"),
    ("response_request", {"message": "a", "recipientSlugs": [" ", "@"]}, MISSING,
        "recipientSlugs is required", "Missing required field: recipientSlugs"),
    ("response_request", {"recipientSlugs": ["writer"]}, MISSING,
        "message is required", "Missing required field: message"),
    ("response_request", {"message": "a", "recipientSlugs": [f"a{n}" for n in range(11)]}, INVALID,
        "Too many recipients: max 10 allowed per request", ""),
    ("response_request", {"message": "a" * 1001, "recipientSlugs": ["writer"]}, INVALID,
        "Message too long: max 1000 characters allowed", ""),
    ("task_load", {}, MISSING, "taskId is required", ""),
    ("task_history", {"taskId": " "}, MISSING, "taskId is required", ""),
    ("dance", {}, INVALID, "Unknown tool: dance", ""),
]  # fmt: skip
REFUSED_TO_LEAD: list[tuple[str, dict[str, Any], Fault, str, str]] = [
    ("task_create", {"title": "a", "assigneeSlugs": ["writer", "Nobody", "@none"]}, INVALID,
        "Unknown assignee slugs: nobody, none", ""),
    ("task_assign", {"assigneeSlugs": ["writer"]}, MISSING,
        "taskId is required", "Missing required field: taskId"),
    ("task_assign", {"taskId": TASK, "assigneeSlugs": []}, MISSING,
        "assigneeSlugs is required", "Missing required field: assigneeSlugs"),
    ("task_assign", {"taskId": TASK, "assigneeSlugs": ["ghost"]}, INVALID,
        "Unknown assignee slugs: ghost", ""),
    ("task_message", {"taskId": TASK}, MISSING,
        "taskId and content are required", "Missing required fields: taskId, content"),
    ("task_message", {"content": "a"}, MISSING,
        "taskId and content are required", "Missing required fields: taskId, content"),
    ("task_list", {"assigneeSlug": "@Ghost"}, INVALID, "Unknown assignee slug: ghost", ""),
    ("task_list", {"status": "lost"}, INVALID, "Invalid status: must be one of inbox, assigned, "
        "in_progress, review, done, blocked, archived", ALL_HTTP),
    ("task_get", {}, MISSING, "taskId is required", ""),
    ("task_thread", {}, MISSING, "taskId is required", ""),
    ("task_search", {"query": " "}, MISSING, "query is required", ""),
    ("task_delete", {"taskId": TASK}, MISSING,
        "taskId and reason are required", "Missing required fields: taskId, reason"),
    ("task_link_pr", {"prNumber": 3}, MISSING, "taskId is required", ""),
    ("task_link_pr", {"taskId": TASK}, MISSING, "prNumber is required and must be numeric", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("who", "case"),
    [(rights(), case) for case in REFUSED]
    + [(rights(lead=True), case) for case in REFUSED_TO_LEAD],
)
def test_items_108_114_121_what_cannot_be_run_is_refused_in_these_words_and_nothing_is_done(
    who: Rights, case: tuple[str, dict[str, Any], Fault, str, str]
) -> None:
    name, arguments, fault, told, at_endpoint = case
    desk = Desk(who)

    with pytest.raises(CallRefused) as caught:
        desk.run(name, **arguments)

    assert (str(caught.value), caught.value.fault) == (told, fault)
    assert caught.value.at_endpoint == (at_endpoint or told)
    assert desk.did_nothing


@pytest.mark.parametrize("name", ["task_status", "task_update"])
def test_item_109_done_is_refused_without_the_right_whatever_the_case_of_its_letters(
    name: str,
) -> None:
    for status in ("done", " done "):
        desk = Desk(rights())
        with pytest.raises(CallRefused, match="Not allowed to mark tasks as done"):
            desk.run(name, status=status)
        assert desk.did_nothing


def test_a_task_cannot_be_created_as_done_without_the_right() -> None:
    desk = Desk(rights())

    with pytest.raises(CallRefused, match="Not allowed to mark tasks as done"):
        desk.run("task_create", title="a", status="done")

    assert desk.did_nothing
    assert Desk(rights(done=True)).run("task_create", title="a", status="done")["success"]


@pytest.mark.parametrize("name", [t.name for t in EVERY_TOOL.values() if t.is_for_lead])
def test_what_is_for_the_orchestrator_alone_is_refused_to_others(name: str) -> None:
    with pytest.raises(CallRefused, match="Forbidden: Only the orchestrator can ") as caught:
        find_tool(name, rights())

    assert caught.value.fault is Fault.FORBIDDEN


def test_a_tool_that_needs_a_task_says_so_when_there_is_none() -> None:
    with pytest.raises(CallRefused, match="it needs a task") as caught:
        find_tool("task_status", rights(task=None))

    assert caught.value.fault is Fault.FORBIDDEN


# Item 110: whose task


@pytest.mark.parametrize(
    ("name", "arguments", "call"),
    [
        ("task_status", {"status": "review"}, "set_status"),
        ("task_update", {"title": "a"}, "update_task"),
        ("response_request", {"recipientSlugs": ["writer"], "message": "a"}, "request_responses"),
    ],
)
def test_item_110_the_task_of_the_turn_is_meant_unless_another_one_is_named(
    name: str, arguments: dict[str, Any], call: str
) -> None:
    for given, meant in (({}, TASK), ({"taskId": f"  {OTHER} "}, OTHER)):
        desk = Desk(rights())

        desk.run(name, **arguments, **given)

        assert desk.actions.calls[0][:2] == (call, meant)


# Items 111 to 115: slugs, creation, priorities


def test_item_111_slugs_are_found_with_an_at_sign_and_in_any_case() -> None:
    desk = Desk(rights(lead=True))

    desk.run("task_assign", taskId=TASK, assigneeSlugs=["@Writer", " ENGINEER", "writer", ""])
    desk.run("task_list", assigneeSlug="@WRITER")

    assert desk.actions.calls == [
        ("assign", TASK, [WRITER, ENGINEER]),
        ("tasks", {"assigneeAgentId": WRITER}),
    ]


@pytest.mark.parametrize("status", ["in_progress", "assigned"])
def test_items_112_and_113_the_orchestrator_does_not_give_itself_work(status: str) -> None:
    desk = Desk(rights(lead=True))

    desk.run("task_create", title="a", status=status, assigneeSlugs=["squad-lead", "writer"])
    desk.run("task_create", title="b", status=status)
    desk.run("task_create", title="c", status="review", assigneeSlugs=["squad-lead"])

    assert desk.actions.created == [
        {"title": "a", "status": "inbox", "assignedAgentIds": [WRITER]},
        {"title": "b", "status": "inbox"},
        {"title": "c", "status": "review"},
    ]


@pytest.mark.parametrize(
    ("word", "number"), [("critical", 1), ("High", 2), (" medium ", 3), ("low", 4), ("LOWEST", 5)]
)
def test_item_115_words_for_priorities_are_numbers(word: str, number: int) -> None:
    desk = Desk(rights())

    desk.run("task_create", title="a", priority=word)
    desk.run("task_update", priority=word)

    assert desk.actions.created[0]["priority"] == number
    assert desk.actions.calls == [("update_task", TASK, {"priority": number})]


# Item 116: what an agent is told of its success


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("task_status", {"status": "review"}, {"success": True, "taskId": TASK,
            "requestedStatus": "review", "status": "review"}),
        ("task_update", {"title": " a ", "labels": ["x"]}, {"success": True, "taskId": TASK,
            "changedFields": ["title", "labels"], "message": "Modified: title, labels"}),
        ("task_create", {"title": "a"}, {"success": True, "taskId": "task1"}),
        ("document_upsert", {"title": "a", "content": " b ", "type": "note"},
            {"success": True, "documentId": "document1"}),
        ("document_list", {}, {"success": True, "data": {"documents": []}}),
        ("response_request", {"recipientSlugs": ["@Writer"], "message": " a "},
            {"success": True, "notificationIds": ["row of writer"],
             "data": {"notificationIds": ["row of writer"]}}),
        ("get_agent_skills", {}, {"success": True,
            "data": {"agents": [{"agentId": "engineer", "skillIds": []}]}}),
        ("task_load", {"taskId": TASK}, {"success": True,
            "data": {"task": {"_id": TASK}, "thread": []}}),
        ("task_history", {"taskId": TASK}, {"success": True, "data": {"task": {"_id": TASK},
            "messages": [], "activities": [], "meta": {}}}),
        ("task_assign", {"taskId": TASK, "assigneeSlugs": ["writer"]},
            {"success": True, "taskId": TASK}),
        ("task_message", {"taskId": TASK, "content": " a "}, {"success": True, "messageId": "m1"}),
        ("task_list", {"status": "archived"}, {"success": True, "data": {"tasks": [{"_id": "t1"}]}}),
        ("task_get", {"taskId": TASK}, {"success": True, "data": {"task": None}}),
        ("task_thread", {"taskId": TASK}, {"success": True, "data": {"thread": []}}),
        ("task_search", {"query": " a "}, {"success": True,
            "data": {"results": [{"_id": "t1", "title": "a"}]}}),
        ("task_delete", {"taskId": TASK, "reason": " a "}, {"success": True}),
        ("task_link_pr", {"taskId": TASK, "prNumber": 7}, {"success": True,
            "data": {"taskId": TASK, "prNumber": 7}}),
    ],
)  # fmt: skip
def test_item_116_every_tool_tells_what_came_of_it(
    name: str, arguments: dict[str, Any], told: dict[str, Any]
) -> None:
    assert Desk(rights(lead=True)).run(name, **arguments) == told


def test_every_tool_can_be_run() -> None:
    """None is offered that nobody can run."""
    assert {tool.name for tool in offered(rights(lead=True))} == set(EVERY_TOOL)


def test_texts_reach_the_backend_without_blanks_around_them() -> None:
    desk = Desk(rights(lead=True))

    desk.run("task_create", title=" a ", description=" b ", status="blocked", blockedReason=" c ")
    desk.run("task_message", taskId=f" {TASK} ", content=" a ")
    desk.run("task_delete", taskId=TASK, reason=" old ")

    assert desk.actions.created == [
        {"title": "a", "description": "b", "status": "blocked", "blockedReason": "c"}
    ]
    assert desk.actions.calls == [("say_in_task", TASK, "a"), ("archive_task", TASK, "old")]


@pytest.mark.parametrize(
    ("given", "kept"), [(0, 1), (-5, 1), (1.9, 1), (50, 50), (1e9, 100), (None, None)]
)
def test_limits_are_whole_and_bounded(given: float | None, kept: int | None) -> None:
    desk = Desk(rights())

    desk.run("document_list", limit=given)

    assert desk.actions.calls == [("documents", {} if kept is None else {"limit": kept})]


@pytest.mark.parametrize(
    ("name", "arguments", "is_safe"),
    [
        ("task_create", {}, False),
        ("task_message", {}, False),
        ("document_upsert", {}, False),
        ("document_upsert", {"documentId": "d1"}, True),
        ("response_request", {}, True),
        ("task_update", {}, True),
        ("task_assign", {}, True),
    ],
)
def test_only_what_makes_something_new_must_not_be_repeated(
    name: str, arguments: dict[str, Any], is_safe: bool
) -> None:
    assert is_repeatable(EVERY_TOOL[name], arguments) is is_safe
