"""Tool calls whose end nobody knows, and whoever goes on with them: nothing happens twice."""

import json

import pytest

from dispatcher.domain import errors
from dispatcher.domain.delivery import Dead, Resting, Settled, Spent
from dispatcher.domain.journal import Stage, dump
from dispatcher.domain.reply import ToolCall
from dispatcher.domain.rights import rights_of
from dispatcher.domain.tools import ToolResult
from tests.fakes.deliveries import ANSWERED
from tests.fakes.desk import BOUNDS, Office
from tests.fakes.tools import (
    EVERY_FLAG,
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
from tests.samples import TASK, context, task

DONE = ToolResult(call_id="c1", name="task_create", text='{"tool": "task_create", "success": true}')
AWAY = errors.BackendUnavailable("overloaded")
BROKE = errors.BackendUncertain("lost")


def said(office: Office) -> list[str]:
    return [post.content for post in office.backend.posts]


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


@pytest.mark.parametrize("error", [BROKE, errors.BackendGarbled("no status")])
def test_a_call_that_never_gets_an_answer_does_not_hold_its_conversation_up(error) -> None:
    """A task too large to be read would otherwise be asked for again for ever."""
    office = busy_office()
    office.actions.failures = [error] * 50
    office.gateway.will_say(calling(review()), "I could not see it.")

    outcomes = office.attempts()

    assert outcomes[-1] == ANSWERED
    assert len(outcomes) == 5
    assert results(office)[0]["outcome"] == "unknown"
    assert said(office) == ["I could not see it."]


def test_a_task_that_was_closed_and_is_closed_again_is_no_forbidden_act() -> None:
    """The answer was lost after the backend had closed it, so it is in review no more."""
    office = busy_office(task=task(status="done"))
    before = rights_of(context(flags=EVERY_FLAG, task=task(status="review")))
    office.left_behind(
        open_calls(call("task_status", taskId=TASK, status="done"), stage=Stage.TOOLS)
        .evolve(calls_begun=1, rights=before)
    )  # fmt: skip

    assert office.attempt() == ANSWERED

    assert office.actions.statuses == ["done"]
    assert results(office)[0]["success"] is True


def test_a_token_that_an_agent_repeats_is_in_no_journal_and_in_no_thread() -> None:
    office = busy_office()
    token = f"turn_{'a' * 60}.abcdef.{'b' * 43}"
    office.gateway.will_say(f"I used {token}.")

    office.attempt()

    assert said(office) == ["I used turn_***."]
    assert token not in "".join(dump(journal) for journal in office.mailboxes.journals)


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


def test_typing_shows_again_when_an_attempt_goes_on_with_a_turn() -> None:
    """The attempt before has let it stop."""
    office = busy_office()
    office.left_behind(open_calls(create()))

    office.attempt()

    effects = office.effects()
    assert effects.index("mark_begun") < effects.index("create_task")


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


@pytest.mark.parametrize("words", ["NOTHING_TO_ADD", "No response from agent.", " "])
def test_words_beside_the_calls_that_say_nothing_are_no_last_words(words: str) -> None:
    office = busy_office()
    office.diary.prepare("ask", None, *[errors.AskFailed("500")] * BOUNDS.max_attempts)
    office.gateway.will_say(calling(create(), text=words))

    outcomes = office.attempts()

    assert isinstance(outcomes[-1], Dead)
    assert words.strip() not in said(office)


def test_the_fuse_is_asked_before_last_words_are_said() -> None:
    """They are no answer: the gateway may fail everybody."""
    office = busy_office()
    office.mailboxes.is_fused = True
    office.diary.prepare("ask", None, *[errors.AskFailed("500")] * BOUNDS.max_attempts)
    office.gateway.will_say(calling(create(), text="Let me look."))

    outcomes = [office.attempt() for _ in range(BOUNDS.max_attempts)]

    assert isinstance(outcomes[-1], Resting)
    assert outcomes[-1].cause == "ask_failed"
    assert said(office) == []
    assert not [j for j in office.mailboxes.journals[3:] if j.stage is Stage.ANSWERED]


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
