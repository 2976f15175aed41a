"""The plan of `dispatcher prove`: all chance comes from the seed, and every fault comes up."""

from itertools import pairwise

import pytest

from dispatcher.lab.proof.plan import Options, Slip, Trouble, choose
from dispatcher.lab.proof.planning import make_plan

KILLED = {Trouble.WORKER_KILLED, Trouble.RUNTIME_KILLED}


def options(**changes: object) -> Options:
    given = {"seed": 1, "minutes": 2.0, "kills": None, "workers": 3, "flushes": False}
    return choose(**(given | changes))


def test_the_same_seed_gives_the_same_plan() -> None:
    assert make_plan(options(seed=7)) == make_plan(options(seed=7))


def test_another_seed_gives_another_plan() -> None:
    assert make_plan(options(seed=7)) != make_plan(options(seed=8))


@pytest.mark.parametrize("seed", range(1, 21))
def test_two_minutes_are_enough_for_every_kind_of_fault(seed: int) -> None:
    plan = make_plan(options(seed=seed))

    assert {blow.trouble for blow in plan.blows} == set(Trouble) - {Trouble.REDIS_FLUSHED}
    assert {saying.slip for saying in plan.sayings} == {*Slip, None}
    markers = " ".join(saying.markers for saying in plan.sayings)
    assert all(name in markers for name in ("task_create", "document_upsert", "task_status"))


def test_redis_forgets_only_when_it_is_asked_for() -> None:
    plan = make_plan(options(flushes=True))

    assert [b.at_s for b in plan.blows if b.trouble is Trouble.REDIS_FLUSHED] == [60.0]


def test_kills_follow_from_the_minutes_and_the_minutes_from_the_kills() -> None:
    assert options().kills == 22
    assert options(minutes=None, kills=200).seconds == pytest.approx(1010)
    assert options(minutes=None, kills=None) == options()
    both = options(minutes=1.0, kills=40)
    assert (both.seconds, both.kills) == (60, 40)


@pytest.mark.parametrize("kills", [0, 1, 40])
def test_exactly_so_many_kills_are_planned(kills: int) -> None:
    plan = make_plan(options(kills=kills))

    assert sum(blow.trouble in KILLED for blow in plan.blows) == kills


def test_everything_is_planned_within_the_time_and_in_order() -> None:
    plan = make_plan(options(seed=3))

    for part in (plan.openings, plan.sayings, plan.blows):
        assert all(a.at_s <= b.at_s for a, b in pairwise(part))
    assert all(blow.at_s > 0 and blow.at_s + blow.lasting_s <= 121 for blow in plan.blows)


def test_every_message_has_its_own_word_and_goes_into_an_open_thread() -> None:
    plan = make_plan(options(seed=5))
    opened = {each.thread: each for each in plan.openings}

    assert len({saying.word for saying in plan.sayings}) == len(plan.sayings)
    for saying in plan.sayings:
        assert opened[saying.thread].at_s < saying.at_s
        assert set(saying.mentions) <= set(opened[saying.thread].crew)


def test_no_message_slips_more_often_than_a_delivery_may_be_tried() -> None:
    for saying in make_plan(options(seed=11)).sayings:
        if saying.slip is not None:
            assert "[[times:1]]" in saying.markers or "[[times:2]]" in saying.markers


def test_a_message_names_its_agents_its_word_and_its_task() -> None:
    plan = make_plan(options(seed=1))
    saying = next(one for one in plan.sayings if "task_status" in one.markers)

    text = saying.text("task123")

    assert saying.word in text
    assert '"taskId": "task123"' in text
    assert text.startswith("@")


def test_a_short_proof_is_possible() -> None:
    plan = make_plan(options(minutes=0.4))

    assert plan.options.seconds == 24
    assert plan.sayings
