"""The tool loop: every call runs once and in order, whatever breaks in between."""

import json
from dataclasses import replace

import pytest

from dispatcher.domain import errors
from dispatcher.domain.delivery import Resting, Settled, Spent
from dispatcher.domain.journal import Stage
from dispatcher.domain.notification import Flags, Kind
from dispatcher.domain.reply import Reply, ToolCall
from dispatcher.domain.tools import ToolResult
from dispatcher.flows.tools import CALLS_PER_ROUND
from tests.fakes.deliveries import ANSWERED
from tests.fakes.desk import BOUNDS, Office
from tests.fakes.tools import (
    KEY,
    busy_office,
    call,
    calling,
    create,
    open_calls,
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


# Uncertain outcomes


@pytest.mark.parametrize("happens", [True, False])
@pytest.mark.parametrize("one", [create(), write()])
def test_a_creation_of_which_nobody_knows_whether_it_happened_is_told_and_not_repeated(
    one: ToolCall, happens: bool
) -> None:
    office = busy_office()
    office.actions.failures, office.actions.happens = [BROKE], happens
    office.gateway.will_say(calling(one), "I will look.")

    assert office.attempt() == ANSWERED

    (told,) = results(office)
    assert (told["success"], told["outcome"]) == (False, "unknown")
    assert len(office.actions.created) + len(office.actions.written) == int(happens)
    assert office.tally.tools == [(one.name, "unknown")]


def test_documents_of_the_title_are_found_for_the_agent() -> None:
    office = busy_office()
    office.actions.failures, office.actions.happens = [BROKE], True
    office.gateway.will_say(calling(write(title="Plan")), "I will look.")

    office.attempt()

    assert results(office)[0]["found"] == [{"documentId": "document1", "title": "Plan"}]


@pytest.mark.parametrize("one", [review(), write(documentId="d1")])
def test_a_change_of_which_nobody_knows_whether_it_happened_is_repeated_by_the_next_attempt(
    one: ToolCall,
) -> None:
    office = busy_office()
    office.actions.failures, office.actions.happens = [BROKE], True
    office.gateway.will_say(calling(one), "Done.")

    rest, last = office.attempts()

    assert isinstance(rest, Resting)
    assert rest.spends is Spent.WAIT
    assert last == ANSWERED
    assert results(office)[0]["success"] is True
    assert len(office.gateway.asks) == 2


def test_a_backend_that_is_away_lets_the_calls_wait_and_runs_each_once() -> None:
    office = busy_office()
    office.actions.failures = [None, AWAY, AWAY, None]
    office.gateway.will_say(calling(create("a", "c1"), create("b", "c2")), "Done.")

    *rests, last = office.attempts()

    assert [rest.spends for rest in rests if isinstance(rest, Resting)] == [Spent.WAIT] * 2
    assert last == ANSWERED
    assert [one["title"] for one in office.actions.created] == ["a", "b"]
    assert [told["success"] for told in results(office)] == [True, True]
    assert len(office.gateway.asks) == 2, "the answer is not bought again"


def test_credentials_that_are_rejected_in_the_middle_cost_no_call_and_no_answer() -> None:
    office = busy_office()
    office.actions.failures = [errors.CredentialsRejected("no")]
    office.gateway.will_say(calling(create()), "Done.")

    rest, last = office.attempts()

    assert isinstance(rest, Resting)
    assert rest.spends is not Spent.ATTEMPT
    assert last == ANSWERED
    assert len(office.actions.created) == 1
    assert len(office.gateway.asks) == 2


# Going on where an earlier worker stopped


def test_a_call_that_was_not_begun_is_run() -> None:
    office = busy_office()
    office.left_behind(open_calls(create()))

    assert office.attempt() == ANSWERED

    assert len(office.actions.created) == 1
    (ask,) = office.gateway.asks
    assert (ask.session_key, [result.call_id for result in ask.results]) == (KEY, ["c1"])
    assert ask.tools


def test_item_120_a_creation_that_was_begun_is_not_run_again() -> None:
    office = busy_office()
    office.left_behind(open_calls(create(), stage=Stage.TOOLS, calls_begun=1))

    assert office.attempt() == ANSWERED

    assert office.actions.created == []
    assert results(office)[0]["outcome"] == "unknown"


def test_a_change_that_was_begun_is_run_again() -> None:
    office = busy_office()
    office.left_behind(open_calls(review(), stage=Stage.TOOLS, calls_begun=1))

    assert office.attempt() == ANSWERED

    assert office.actions.statuses == ["review"]
    assert results(office)[0]["success"] is True


def test_a_document_whose_creation_was_begun_is_looked_for() -> None:
    office = busy_office()
    office.actions.written.append({"title": "Plan"})
    office.left_behind(open_calls(write(), stage=Stage.TOOLS, calls_begun=1))

    office.attempt()

    assert results(office)[0]["found"] == [{"documentId": "document1", "title": "Plan"}]
    assert len(office.actions.written) == 1


def test_a_call_that_was_done_keeps_its_result_and_the_next_one_is_run() -> None:
    office = busy_office()
    calls = (create("a", "c1"), create("b", "c2"))
    office.left_behind(open_calls(*calls, stage=Stage.TOOLS, calls_begun=1, results=(DONE,)))

    assert office.attempt() == ANSWERED

    assert [one["title"] for one in office.actions.created] == ["b"]
    assert office.gateway.asks[0].results[0] == DONE
    assert [told["success"] for told in results(office)] == [True, True]


@pytest.mark.parametrize("stage", [Stage.TOOLS, Stage.ASKED])
def test_item_120_results_that_are_complete_are_only_sent(stage: Stage) -> None:
    office = busy_office()
    office.left_behind(open_calls(create(), stage=stage, calls_begun=1, results=(DONE,), asks=2))

    assert office.attempt() == ANSWERED

    assert office.actions.created == []
    assert office.gateway.asks[0].results == (DONE,)
    assert office.backend.posts


def test_an_ask_with_results_that_was_cut_off_says_that_it_is_repeated() -> None:
    office = busy_office()
    office.left_behind(
        open_calls(create(), stage=Stage.ASKED, calls_begun=1, results=(DONE,), asks=2)
    )

    office.attempt()

    assert "earlier attempt" in office.gateway.asks[0].instructions


def test_item_70_a_follow_up_that_fails_is_repeated_with_the_same_results() -> None:
    office = busy_office()
    office.diary.prepare("ask", None, errors.AskLost("reset"), errors.AskFailed("500"))
    office.gateway.will_say(calling(create()), "Done.")

    *rests, last = office.attempts()

    assert [rest.spends for rest in rests if isinstance(rest, Resting)] == [Spent.ATTEMPT] * 2
    assert last == ANSWERED
    assert len(office.actions.created) == 1
    assert [ask.results for ask in office.gateway.asks[1:]] == [office.gateway.asks[1].results] * 3


@pytest.mark.parametrize(
    "error", [errors.GatewayUnavailable("draining"), errors.AgentUnavailable("402")]
)
def test_a_follow_up_that_was_not_taken_spends_nothing_and_is_no_repetition(error) -> None:
    office = busy_office()
    office.diary.prepare("ask", None, error)
    office.gateway.will_say(calling(create()), "Done.")

    rest, last = office.attempts()

    assert isinstance(rest, Resting)
    assert rest.spends is Spent.WAIT
    assert last == ANSWERED
    assert "earlier attempt" not in office.gateway.asks[-1].instructions
    assert len(office.actions.created) == 1


def test_a_turn_whose_follow_ups_all_fail_dies_with_its_effects_told_in_the_journal() -> None:
    office = busy_office()
    office.diary.prepare("ask", None, *[errors.AskFailed("500")] * BOUNDS.max_attempts)
    office.gateway.will_say(calling(create()))

    outcomes = office.attempts()

    assert len(outcomes) == BOUNDS.max_attempts
    dying = office.mailboxes.journals[-1]
    assert dying.stage is Stage.DYING
    assert json.loads(dying.results[0].text)["success"] is True
    assert len(office.actions.created) == 1


def test_item_70_when_all_follow_ups_fail_the_words_beside_the_calls_are_posted() -> None:
    """The tools have run: telling people that nothing came of it would be wrong."""
    office = busy_office()
    office.diary.prepare("ask", None, *[errors.AskFailed("500")] * BOUNDS.max_attempts)
    office.gateway.will_say(calling(create(), text="I am creating the task."))

    outcomes = office.attempts()

    assert outcomes[-1] == ANSWERED
    assert said(office) == ["I am creating the task."]
    assert len(office.gateway.asks) == 1 + BOUNDS.max_attempts
    assert len(office.actions.created) == 1


def test_item_69_silence_after_tools_is_no_missing_reply() -> None:
    office = busy_office()
    office.gateway.will_say(calling(create()), "")

    outcome = office.attempt()

    assert isinstance(outcome, Settled)
    assert said(office) == []
    assert len(office.gateway.asks) == 2


def test_every_journal_record_of_a_turn_may_be_the_last_one() -> None:
    """Whatever record a dead worker leaves, no call is run twice without the agent's word."""
    calls = calling(create("a", "c1"), review("c2"), write("c3"))
    office = busy_office()
    office.gateway.will_say(calls, "Done.")
    office.attempt()
    journals = [j for j in office.mailboxes.journals if j.reply and j.reply.tool_calls]
    assert len(journals) >= 8

    for number, journal in enumerate(journals):
        later = busy_office()
        later.left_behind(journal)
        later.gateway.will_say("Done.")
        assert later.attempt() == ANSWERED, number
        told = results(later, 0)
        assert len(told) == 3, number
        begun, done = journal.calls_begun, len(journal.results)
        assert len(later.actions.created) == int(begun == 0), number
        assert len(later.actions.written) == int(begun < 3), number
        assert later.actions.statuses == (["review"] if done < 2 else []), number
        assert said(later) == ["Done."], number


def test_a_row_that_is_gone_while_calls_are_open_needs_nothing_more() -> None:
    office = busy_office()
    office.left_behind(open_calls(create()))
    office.backend.delete(office.row)

    assert office.attempt() == Settled(outcome="gone")
    assert office.actions.created == []


# The claim


@pytest.mark.parametrize("begun", [0, 1])
@pytest.mark.parametrize("one", [create(), review(), write(), write(documentId="d1")])
def test_whoever_lost_the_claim_runs_no_call(one: ToolCall, begun: int) -> None:
    office = busy_office()
    office.left_behind(open_calls(one, stage=Stage.TOOLS, calls_begun=begun))
    office.diary.prepare("fetch_context", office.lose_claim)

    assert office.attempt() is None

    assert office.actions.created == office.actions.written == office.actions.statuses == []
    assert office.gateway.asks == []


def test_a_claim_that_is_lost_between_two_calls_stops_before_the_second() -> None:
    office = busy_office()
    office.diary.prepare("create_task", office.lose_claim)
    office.gateway.will_say(calling(create("a", "c1"), create("b", "c2")))

    assert office.attempt() is None
    assert len(office.actions.created) == 1


def test_a_call_is_journalled_as_begun_before_it_has_any_effect() -> None:
    office = busy_office()
    seen = []
    office.diary.prepare("create_task", lambda: seen.append(office.mailboxes.journals[-1]))
    office.gateway.will_say(calling(create()), "Done.")

    office.attempt()

    (journal,) = seen
    assert (journal.stage, journal.calls_begun, journal.results) == (Stage.TOOLS, 1, ())
