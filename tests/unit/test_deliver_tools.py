"""The tool loop: every call runs once and in order, whatever breaks in between."""

from dataclasses import replace

import pytest

from dispatcher.domain import errors
from dispatcher.domain.delivery import Settled
from dispatcher.domain.notification import Flags, Kind
from dispatcher.domain.reply import Reply, ToolCall
from dispatcher.domain.tools import ToolResult
from dispatcher.flows.tools import CALLS_PER_ROUND
from tests.fakes.deliveries import ANSWERED
from tests.fakes.desk import Office
from tests.fakes.tools import (
    busy_office,
    call,
    calling,
    create,
    results,
    review,
    write,
)
from tests.samples import ENGINEER, TASK, task

DONE = ToolResult(call_id="c1", name="task_create", text='{"tool": "task_create", "success": true}')
AWAY = errors.BackendUnavailable("overloaded")
BROKE = errors.BackendUncertain("lost")


def said(office: Office) -> list[str]:
    return [post.content for post in office.backend.posts]


# The round trip


def test_a_call_is_run_and_its_result_is_sent_back_in_the_same_session() -> None:
    office = busy_office()
    office.gateway.will_say(calling(create("Write tests")), "It is on the board.")

    assert office.attempt() == ANSWERED

    first, second = office.gateway.asks
    assert second.session_key == first.session_key
    assert second.tools == first.tools != ()
    assert (second.text, first.results) == ("", ())
    assert [result.call_id for result in second.results] == ["c1"]
    assert results(office) == [{"tool": "task_create", "success": True, "taskId": "task1"}]
    assert [one["title"] for one in office.actions.created] == ["Write tests"]
    assert said(office) == ["It is on the board."]


def test_item_62_with_tools_the_calls_come_in_order_too() -> None:
    office = busy_office(Kind.ASSIGNMENT, task=task(status="assigned"))
    office.gateway.will_say(calling(create()), "On it.")

    office.attempt()

    assert [one for one in office.diary.calls if not one.startswith("journal")] == [
        "claim", "fetch_context", "mark_begun", "ask", "create_task", "ask", "post_message",
        "start_work", "mark_delivered", "settle",
    ]  # fmt: skip


def test_item_118_calls_are_run_in_their_order_and_a_failing_one_stops_nobody() -> None:
    office = busy_office()
    office.actions.failures = [None, errors.BackendRefused("Forbidden"), None]
    office.gateway.will_say(
        calling(review("c1"), create("a", "c2"), write("c3")), "That is all."
    )  # fmt: skip

    assert office.attempt() == ANSWERED

    effects = ["set_status", "create_task", "put_document"]
    assert [one for one in office.diary.calls if one in effects] == effects
    assert [result.call_id for result in office.gateway.asks[1].results] == ["c1", "c2", "c3"]
    assert [told["success"] for told in results(office)] == [True, False, True]
    assert results(office)[1]["error"] == "Forbidden"


def test_the_repeated_use_of_a_call_id_gets_a_result_each() -> None:
    office = busy_office()
    office.gateway.will_say(calling(create("a"), create("b")), "Done.")

    assert office.attempt() == ANSWERED
    assert len(office.gateway.asks[1].results) == 2


def test_item_119_further_rounds_go_on_until_the_agent_has_said_its_last_word() -> None:
    office = busy_office()
    office.gateway.will_say(
        calling(create("a")), calling(create("b")), calling(review()), "All done."
    )  # fmt: skip

    assert office.attempt() == ANSWERED

    assert [one["title"] for one in office.actions.created] == ["a", "b"]
    assert [len(ask.results) for ask in office.gateway.asks] == [0, 1, 1, 1]
    assert len({ask.session_key for ask in office.gateway.asks}) == 1
    assert said(office) == ["All done."]


def test_asking_on_is_not_called_a_repetition() -> None:
    office = busy_office()
    office.gateway.will_say(calling(create()), calling(review()), "Done.")

    office.attempt()

    assert not any("earlier attempt" in ask.instructions for ask in office.gateway.asks)


def test_every_ask_counts_its_tools_for_the_metrics() -> None:
    office = busy_office()
    office.gateway.will_say(calling(create(), call("dance", "c2")), "Done.")

    office.attempt()

    assert office.tally.tools == [("task_create", "done"), ("unknown", "refused")]
    assert len(office.tally.asks) == 2


def test_an_assigned_task_moves_on_after_a_turn_with_tools_too() -> None:
    office = busy_office(Kind.ASSIGNMENT, task=task(status="assigned"))
    office.gateway.will_say(calling(create()), "I am on it.")

    assert office.attempt() == ANSWERED
    assert office.backend.started == [TASK]


# Limits


def test_item_119_after_the_last_round_no_tools_are_offered_and_no_call_is_run() -> None:
    office = busy_office()
    office.desk = replace(office.desk, tool_rounds=2)
    office.gateway.will_say(*[calling(create(str(n)), text=f"step {n}") for n in range(5)])

    assert office.attempt() == ANSWERED

    assert [bool(ask.tools) for ask in office.gateway.asks] == [True, True, False]
    assert [one["title"] for one in office.actions.created] == ["0", "1"]
    assert said(office) == ["step 2"]


def test_at_the_limit_the_last_words_of_an_earlier_round_are_better_than_none() -> None:
    office = busy_office()
    office.desk = replace(office.desk, tool_rounds=1)
    office.gateway.will_say(calling(create(), text="I made a task."), calling(create("again")))

    assert office.attempt() == ANSWERED

    assert said(office) == ["I made a task."]
    assert len(office.actions.created) == 1


def test_a_worker_that_dies_at_the_limit_leaves_no_call_to_be_run() -> None:
    """Whatever was journalled last, calls beyond the limit are never run by the next one."""
    office = busy_office()
    office.desk = replace(office.desk, tool_rounds=1)
    office.gateway.will_say(calling(create(), text="One."), calling(create("beyond"), text="Two."))

    office.attempt()

    stored = [journal.reply for journal in office.mailboxes.journals if journal.reply]
    calls = [one.arguments for reply in stored for one in reply.tool_calls]
    assert not [arguments for arguments in calls if "beyond" in arguments]


def test_more_calls_than_anybody_needs_are_refused_and_told() -> None:
    office = busy_office()
    many = [create(str(n), f"c{n}") for n in range(CALLS_PER_ROUND + 3)]
    office.gateway.will_say(calling(*many), "Too many.")

    assert office.attempt() == ANSWERED

    assert len(office.actions.created) == CALLS_PER_ROUND
    assert [told["success"] for told in results(office)] == [True] * CALLS_PER_ROUND + [False] * 3


# What is the agent's fault


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (call("dance"), "Unknown tool: dance"),
        (call("exec", command="rm"), "Unknown tool: exec"),
        (ToolCall(call_id="c1", name="task_create", arguments="{"), "Invalid JSON arguments"),
        (ToolCall(call_id="c1", name="task_status", arguments="[]"), "Invalid JSON arguments"),
        (call("task_create"), "title is required"),
        (call("task_create", title="  "), "title is required"),
        (call("task_create", title="a", priority=6), "Invalid priority"),
        (call("task_create", title="a", priority=0), "Invalid priority"),
        (call("task_create", title=7), "title"),
        (call("task_status", taskId=TASK, status="archived"), "Invalid status: must be one of"),
        (call("task_status", taskId=TASK, status="blocked"), "blockedReason is required"),
        (call("task_status", status="blocked", blockedReason=" "), "blockedReason is required"),
        (call("document_upsert", title="a", content="", type="note"), "are required"),
        (call("document_upsert", title=" ", content="b", type="note"), "are required"),
        (call("document_upsert", title="a", content="b", type="poem"), "are required"),
        (call("document_upsert", title="a", content="b"), "are required"),
    ],
)
def test_item_108_a_call_that_cannot_be_run_is_told_to_the_agent_and_costs_nothing(
    wrong: ToolCall, error: str
) -> None:
    office = busy_office()
    office.gateway.will_say(calling(wrong), "Sorry.")

    assert office.attempt() == ANSWERED

    (told,) = results(office)
    assert told["success"] is False
    assert error in told["error"]
    assert office.actions.created == office.actions.written == office.actions.statuses == []
    assert said(office) == ["Sorry."]


def test_item_109_done_is_refused_before_any_call_without_the_right() -> None:
    office = busy_office(flags=Flags(can_modify_task_status=True, can_mark_done=False))
    office.gateway.will_say(calling(call("task_status", taskId=TASK, status="done")), "Sorry.")

    assert office.attempt() == ANSWERED

    assert results(office)[0]["error"] == "Forbidden: Not allowed to mark tasks as done"
    assert office.actions.statuses == []


def test_item_110_the_task_is_the_one_of_the_turn_unless_another_is_named() -> None:
    office = busy_office()
    office.gateway.will_say(calling(call("task_status", status="review")), "Done.")

    assert office.attempt() == ANSWERED
    assert office.actions.statuses == ["review"]


def test_a_tool_that_is_not_offered_in_this_turn_is_refused() -> None:
    office = busy_office(flags=Flags(can_create_tasks=False))
    office.gateway.will_say(calling(create()), "Sorry.")

    assert office.attempt() == ANSWERED

    assert results(office)[0]["error"] == "Forbidden: Agent is not allowed to create tasks"
    assert office.actions.created == []


def test_texts_are_trimmed_before_they_are_sent() -> None:
    office = busy_office()
    asked = call("task_create", title="  Plan ", description=" x ", status="inbox")
    office.gateway.will_say(calling(asked), "Done.")

    office.attempt()

    (fields,) = office.actions.created
    assert (fields["title"], fields["description"]) == ("Plan", "x")


@pytest.mark.parametrize(
    ("word", "number"), [("critical", 1), ("HIGH", 2), ("medium", 3), ("low", 4), ("lowest", 5)]
)
def test_item_115_priorities_may_be_said_in_words(word: str, number: int) -> None:
    office = busy_office()
    office.gateway.will_say(calling(call("task_create", title="a", priority=word)), "Done.")

    office.attempt()

    assert [one["priority"] for one in office.actions.created] == [number]


@pytest.mark.parametrize("status", ["assigned", "in_progress"])
def test_item_113_a_task_that_the_lead_creates_does_not_become_its_own(status: str) -> None:
    """The backend would assign it to its creator."""
    office = busy_office(orchestrator=ENGINEER)
    office.gateway.will_say(calling(call("task_create", title="a", status=status)), "Done.")

    office.attempt()

    assert [one["status"] for one in office.actions.created] == ["inbox"]


def test_an_empty_document_id_means_a_new_document() -> None:
    office = busy_office()
    office.gateway.will_say(calling(write(documentId="", taskId="")), "Done.")

    office.attempt()

    assert [set(fields) for fields in office.actions.written] == [{"title", "content", "type"}]


# Words beside calls


def test_words_beside_calls_are_said_when_no_others_come_after() -> None:
    office = busy_office()
    office.gateway.will_say(calling(create(), text="I made a task."), Reply(text=""))

    assert office.attempt() == ANSWERED
    assert said(office) == ["I made a task."]


def test_the_newest_words_are_the_last_ones() -> None:
    office = busy_office()
    office.gateway.will_say(
        calling(create(), text="First."), calling(review(), text="Second."), Reply(text="")
    )  # fmt: skip

    office.attempt()

    assert said(office) == ["Second."]


def test_last_words_go_before_words_beside_calls() -> None:
    office = busy_office()
    office.gateway.will_say(calling(create(), text="Working on it."), "It is done.")

    office.attempt()

    assert said(office) == ["It is done."]


@pytest.mark.parametrize("last", ["NO_REPLY", "HEARTBEAT_OK", "NOTHING_TO_ADD"])
def test_item_71_a_word_for_silence_after_tools_is_not_posted(last: str) -> None:
    office = busy_office(Kind.STATUS_CHANGE)
    office.gateway.will_say(calling(create()), last)

    outcome = office.attempts()[-1]

    assert isinstance(outcome, Settled)
    assert said(office) == []
    assert office.backend.is_delivered(office.row)
