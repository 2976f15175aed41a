"""The judge of `dispatcher prove`: each promise is broken on purpose, and it has to notice."""

from dataclasses import replace

import pytest

from dispatcher.lab.proof.evidence import (
    Contention,
    DeadLetter,
    Evidence,
    LeadGap,
    Strike,
)
from dispatcher.lab.proof.judge import judge
from dispatcher.lab.proof.plan import Trouble
from dispatcher.lab.proof.verdict import PROMISES, Verdict, percentile
from dispatcher.lab.proof.words import Mark
from tests.unit.proof_world import (
    AGENT,
    ask,
    assignment,
    good,
    message,
    reply,
    row,
    said,
    story,
    strike,
    tool_results,
)


def broken(verdict: Verdict) -> dict[str, int]:
    """Only the promises that were broken, with how often."""
    return {name: verdict.count(name) for name in PROMISES if verdict.count(name)}


def without_reply(evidence: Evidence, number: int) -> Evidence:
    kept = tuple(one for one in evidence.messages if one.message != f"r{number}")
    return replace(evidence, messages=kept)


def test_a_world_in_which_all_went_well_is_judged_so() -> None:
    verdict = judge(good())

    assert verdict.is_kept
    assert broken(verdict) == {}
    assert sum(verdict.counted.values()) == 0


def test_a_mention_without_a_reply_is_lost() -> None:
    verdict = judge(without_reply(good(), 2))

    assert broken(verdict) == {"lost": 1}
    assert verdict.breaches[0].row == "n2"


def test_a_reply_that_the_gateway_gave_and_nobody_posted_is_lost() -> None:
    verdict = judge(without_reply(good(), 1))

    assert broken(verdict) == {"lost": 1}


def test_an_assignment_without_a_reply_is_lost() -> None:
    assigned, given = assignment()
    world = replace(good(), assigned=(assigned,), rows=(given, *good().rows))

    assert broken(judge(world)) == {"lost": 1}


def test_an_answered_assignment_is_not_lost() -> None:
    assigned, given = assignment()
    answer = replace(reply(9, at_ms=700), mark=Mark("k9", 1))
    world = replace(
        good(),
        assigned=(assigned,),
        rows=(given, *good().rows),
        messages=(answer, *good().messages),
    )

    assert judge(world).is_kept


def talk(*, second_is_seen: bool) -> Evidence:
    """Two messages to a subscriber; one row, turned to the second while the first is answered."""
    seen = "w00003 w00004" if second_is_seen else "w00003"
    return Evidence(
        began_ms=0.0,
        said=(said(3, is_mention=False), said(4, is_mention=False)),
        rows=(row(3, at_ms=1500, kind="thread_update", message="m4"),),
        messages=(
            message(3, at_ms=1000),
            message(4, at_ms=1500),
            reply(3, at_ms=3000),
        ),
        asks=(ask(1, 3, at_ms=1600 if second_is_seen else 1200, text=seen),),
        stories={"n3:m3": story((1000, "put", ""))},
    )


def test_a_newer_message_that_no_turn_has_seen_is_lost() -> None:
    assert broken(judge(talk(second_is_seen=False))) == {"lost": 1}


def test_a_message_that_is_part_of_the_turn_that_answers_is_not_lost() -> None:
    assert judge(talk(second_is_seen=True)).is_kept


def test_a_message_in_a_turn_whose_reply_is_nowhere_is_lost() -> None:
    assert broken(judge(without_reply(talk(second_is_seen=True), 3))) == {"lost": 2}


def test_a_second_reply_is_a_duplicate() -> None:
    world = good()
    world = replace(world, messages=(*world.messages, reply(1, at_ms=9000, name="again")))

    verdict = judge(world)

    assert broken(verdict) == {"duplicated": 1}
    assert verdict.breaches[0].row == "n1"


def test_a_task_that_was_made_twice_is_a_duplicate() -> None:
    assert broken(judge(replace(good(), titles={"Task by w00001": 2}))) == {"duplicated": 1}


def test_a_newer_mention_that_is_asked_first_is_out_of_order() -> None:
    asks = (ask(1, 2, at_ms=5100), ask(2, 1, at_ms=7000))

    assert broken(judge(replace(good(), asks=asks, stories={}))) == {"out_of_order": 1}


def test_a_repeated_ask_of_an_older_one_is_not_out_of_order() -> None:
    asks = (ask(1, 1, at_ms=1250), ask(2, 2, at_ms=5250), ask(3, 1, at_ms=7000))

    assert judge(replace(good(), asks=asks, stories={})).count("out_of_order") == 0


def order_of_talk(*, mention_at_ms: float) -> Evidence:
    """A thread update that carried message 3 and answered 4, and a mention that came after it."""
    return Evidence(
        began_ms=0.0,
        rows=(
            row(3, at_ms=3000, kind="thread_update", message="m4"),
            row(5, at_ms=mention_at_ms),
        ),
        messages=(
            message(3, at_ms=1000),
            message(4, at_ms=3000),
            message(5, at_ms=mention_at_ms),
            reply(4, at_ms=5000),
            reply(5, at_ms=7000),
        ),
        asks=(
            ask(1, 3, at_ms=4000, mark=Mark("w00004", 0)),
            ask(2, 5, at_ms=6000),
        ),
        stories={},
    )


def test_a_thread_update_keeps_the_place_of_the_oldest_message_that_it_carried() -> None:
    assert judge(order_of_talk(mention_at_ms=2000)).count("out_of_order") == 0


def test_a_thread_update_does_not_overtake_what_is_older_than_all_that_it_carried() -> None:
    assert judge(order_of_talk(mention_at_ms=500)).count("out_of_order") == 1


def test_two_asks_that_meet_in_a_session_overlap() -> None:
    world = replace(good(), contentions=(Contention(seq=2, behind=(1,)),))

    assert broken(judge(world)) == {"overlapping": 1}


def test_runs_that_overlap_at_the_gateway_are_told() -> None:
    assert broken(judge(replace(good(), overlaps=((1, 2),)))) == {"overlapping": 1}


def test_the_late_connection_of_a_frozen_worker_is_counted_apart() -> None:
    frozen = strike(Trouble.WORKER_FROZEN, at_ms=1300, until_ms=5100, number=1)
    world = replace(good(), contentions=(Contention(seq=2, behind=(1,)),), strikes=(frozen,))

    verdict = judge(world)

    assert verdict.count("overlapping") == 0
    assert verdict.counted["late_connection_of_frozen"] == 1


def test_a_freeze_that_was_over_long_before_explains_no_overlap() -> None:
    frozen = strike(Trouble.WORKER_FROZEN, at_ms=-60_000, until_ms=-45_000, number=1)
    world = replace(good(), contentions=(Contention(seq=2, behind=(1,)),), strikes=(frozen,))

    assert judge(world).count("overlapping") == 1


FLUSH = strike(Trouble.REDIS_FLUSHED, at_ms=3000, until_ms=3000, number=9)


def test_an_overlap_with_an_ask_whose_claim_was_forgotten_is_counted_apart() -> None:
    world = replace(good(), contentions=(Contention(seq=2, behind=(1,)),), strikes=(FLUSH,))

    verdict = judge(world)

    assert verdict.count("overlapping") == 0
    assert verdict.counted["overlapping_because_forgotten"] == 1


def test_what_was_made_again_because_it_was_forgotten_is_no_duplicate() -> None:
    world = replace(asked_again(FLUSH), titles={"Task by w00001": 2})

    assert judge(world).is_kept


def test_a_forgetful_redis_excuses_nothing_that_happened_after_it() -> None:
    world = replace(good(), titles={"Task by w00002": 2}, strikes=(FLUSH,))

    assert broken(judge(world)) == {"duplicated": 1}


def asked_again(*strikes: Strike, steps: tuple[tuple[float, str, str], ...] = ()) -> Evidence:
    """The first mention is asked a second time, four seconds after its first answer."""
    world = good()
    told = {**world.stories, "n1:m1": story(*steps)}
    return replace(
        world,
        asks=(ask(1, 1, at_ms=1250), ask(3, 1, at_ms=4000), ask(2, 2, at_ms=5250)),
        stories=told,
        strikes=strikes,
    )


def test_an_ask_after_its_answer_was_stored_is_paid_twice() -> None:
    verdict = judge(asked_again(steps=((2300, "answered", ""),)))

    assert broken(verdict) == {"paid_twice": 1}
    assert verdict.breaches[0].at_ms == 4000


def test_a_killed_worker_is_no_excuse_for_paying_twice() -> None:
    killed = strike(Trouble.WORKER_KILLED, at_ms=2400, until_ms=3400, number=1)

    assert judge(asked_again(killed, steps=((2300, "answered", ""),))).count("paid_twice") == 1


@pytest.mark.parametrize(
    "step", [(2400, "resting", "no_reply"), (2400, "tools", "1"), (2400, "revived", "")]
)
def test_an_ask_that_has_a_new_reason_is_right(step: tuple[float, str, str]) -> None:
    verdict = judge(asked_again(steps=((2300, "answered", ""), step)))

    assert verdict.is_kept
    assert verdict.counted["asked_again_unexplained"] == 0


def test_a_rest_for_another_reason_is_no_new_reason() -> None:
    steps = ((2300, "answered", ""), (2400, "resting", "backend_unavailable"))

    assert judge(asked_again(steps=steps)).count("paid_twice") == 1


@pytest.mark.parametrize(
    ("trouble", "number", "counter"),
    [
        (Trouble.WORKER_FROZEN, 1, "asked_again_frozen"),
        (Trouble.WORKER_KILLED, 1, "asked_again_killed"),
        (Trouble.REDIS_KILLED, 2, "asked_again_frozen"),
        (Trouble.REDIS_FLUSHED, 2, "repeated_because_forgotten"),
        (Trouble.WORKER_KILLED, 2, "asked_again_unexplained"),
        (Trouble.WORKER_FROZEN, 2, "asked_again_unexplained"),
    ],
)
def test_a_repetition_without_a_stored_answer_is_counted_by_its_reason(
    trouble: Trouble, number: int, counter: str
) -> None:
    made = strike(trouble, at_ms=1300, until_ms=3000, number=number)

    verdict = judge(asked_again(made))

    assert verdict.is_kept
    assert verdict.counted[counter] == 1
    assert sum(verdict.counted.values()) == 1


def test_without_stories_nobody_can_say_that_nothing_was_paid_twice() -> None:
    verdict = judge(replace(good(), stories=None))

    assert "paid_twice" in verdict.unchecked
    assert not verdict.is_kept


def test_a_row_that_is_not_delivered_and_in_no_mailbox_is_unaccounted() -> None:
    world = replace(good(), rows=(*good().rows, row(7, at_ms=8000, delivered_ms=None)))

    assert broken(judge(world)) == {"unaccounted": 1}


def test_a_delivery_that_is_still_open_at_the_end_is_unaccounted_once() -> None:
    world = replace(
        good(),
        rows=(*good().rows, row(7, at_ms=8000, delivered_ms=None)),
        open=frozenset({"n7:m7"}),
    )

    verdict = judge(world)

    assert broken(verdict) == {"unaccounted": 1}
    assert verdict.breaches[0].row == "n7"


def test_a_dead_letter_that_no_trouble_explains_has_no_cause() -> None:
    world = replace(good(), dead=(DeadLetter(delivery="n2:m2", cause="ask_failed"),))

    assert broken(judge(without_reply(world, 2))) == {"dead_without_cause": 1}


def test_a_dead_letter_after_all_its_attempts_failed_is_explained() -> None:
    asks = (
        ask(1, 1, at_ms=1250),
        *(ask(n, 2, at_ms=5000 + n, outcome="failed") for n in range(2, 8)),
    )
    dead = DeadLetter(delivery="n2:m2", cause="ask_failed")

    verdict = judge(without_reply(replace(good(), asks=asks, dead=(dead,)), 2))

    assert verdict.is_kept
    assert verdict.counted["dead_of_injected_faults"] == 1


def test_poison_needs_three_strikes_of_ours() -> None:
    dead = DeadLetter(delivery="n2:m2", cause="poison")
    kills = tuple(
        strike(Trouble.WORKER_KILLED, at_ms=at, until_ms=at + 1, number=2)
        for at in (5300, 5400, 5500)
    )

    assert judge(replace(good(), dead=(dead,), strikes=kills[:2])).count("dead_without_cause") == 1
    assert judge(replace(good(), dead=(dead,), strikes=kills)).count("dead_without_cause") == 0


def test_the_recovery_of_a_delivery_ends_when_it_is_claimed_again() -> None:
    killed = strike(Trouble.WORKER_KILLED, at_ms=1100, until_ms=2100, number=1)
    told = {"n1:m1": story((1000, "put", ""), (1050, "claimed", ""), (9100, "claimed", ""))}
    world = replace(
        good(),
        strikes=(killed,),
        stories=told,
        asks=(ask(1, 1, at_ms=9300),),
        rows=(row(1, at_ms=1000, delivered_ms=12_000),),
        messages=(message(1, at_ms=1000), reply(1, at_ms=11_000)),
        said=(said(1),),
    )

    assert [one.seconds for one in judge(world).recoveries] == [8.0]


def test_slow_recoveries_are_told_one_by_one() -> None:
    gaps = (
        LeadGap(process="runtime", at_ms=0, led_ms=9_000),
        LeadGap(process="runtime", at_ms=50_000, led_ms=81_000),
    )

    verdict = judge(replace(good(), gaps=gaps))

    assert broken(verdict) == {"slow_recovery": 1}
    assert verdict.breaches[0].at_ms == 50_000


def test_a_lead_that_nobody_took_is_a_slow_recovery() -> None:
    gap = LeadGap(process="runtime", at_ms=0, led_ms=None)

    assert broken(judge(replace(good(), gaps=(gap,)))) == {"slow_recovery": 1}


def test_tool_results_belong_to_the_turn_before_them() -> None:
    results = tool_results(3, at_ms=2400)
    world = replace(good(), asks=(ask(1, 1, at_ms=1250), results, ask(2, 2, at_ms=5250)))
    steps = ((2300, "answered", ""), (2350, "tools", ""), (3500, "answered", ""))
    world = replace(world, stories={**good().stories, "n1:m1": story(*steps)})

    assert judge(world).is_kept


def test_tool_results_that_are_sent_after_the_last_answer_was_stored_are_paid_twice() -> None:
    late = tool_results(3, at_ms=4000)
    world = replace(good(), asks=(ask(1, 1, at_ms=1250), late, ask(2, 2, at_ms=5250)))

    assert broken(judge(world)) == {"paid_twice": 1}


def with_tool(result: str, **titles: int) -> Evidence:
    """The agent called a tool and was told its result."""
    shown = replace(tool_results(3, at_ms=2400), text=f"Tool:c1: {result}")
    steps = ((2300, "answered", ""), (2350, "tools", ""), (3500, "answered", ""))
    return replace(
        good(),
        asks=(ask(1, 1, at_ms=1250), shown, ask(2, 2, at_ms=5250)),
        stories={**good().stories, "n1:m1": story(*steps)},
        titles=titles,
    )


DONE = '{"tool": "task_create", "success": true, "taskId": "t2"}'
UNKNOWN = '{"tool": "task_create", "success": false, "outcome": "unknown"}'


def test_a_tool_that_was_told_to_be_done_has_to_be_done() -> None:
    assert broken(judge(with_tool(DONE))) == {"lost": 1}
    assert judge(with_tool(DONE, **{"Task by w00001": 1})).is_kept


def test_a_tool_of_unknown_outcome_may_be_done_or_not() -> None:
    assert judge(with_tool(UNKNOWN)).is_kept
    assert judge(with_tool(UNKNOWN, **{"Task by w00001": 1})).is_kept
    assert judge(with_tool(UNKNOWN)).counted["tools_of_unknown_outcome"] == 1


def test_a_tool_of_unknown_outcome_may_not_be_done_twice() -> None:
    assert broken(judge(with_tool(UNKNOWN, **{"Task by w00001": 2}))) == {"duplicated": 1}


def test_a_message_to_two_agents_needs_an_answer_of_each() -> None:
    both = replace(said(1), agents=(AGENT, "agent2"))

    assert broken(judge(replace(good(), said=(both, said(2))))) == {"lost": 1}


def test_percentiles_are_values_that_were_seen() -> None:
    assert percentile((), 0.99) is None
    assert percentile((3.0, 1.0, 2.0), 0.5) == 2.0
    assert percentile(tuple(map(float, range(1, 101))), 0.99) == 99.0
    assert percentile((4.0,), 0.99) == 4.0
