"""What waits and counts come to, read from classes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.activity import (
    ENDS_MS,
    Activity,
    Slot,
    by_agent,
    by_word,
    quantile_ms,
)

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def activity(*counts: dict[str, int]) -> Activity:
    first = NOON - timedelta(minutes=len(counts) - 1)
    slots = [Slot(began=first + timedelta(minutes=at), counts=one) for at, one in enumerate(counts)]
    return Activity(
        at=NOON + timedelta(seconds=30), length=timedelta(minutes=1), slots=tuple(slots)
    )


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile_ms({}, "wait", 0.5) is None
    assert quantile_ms({"run:3": 4}, "wait", 0.5) is None


def test_a_quantile_lies_in_its_class() -> None:
    counts = {"wait:0": 50, "wait:1": 50}
    assert quantile_ms(counts, "wait", 0.25) == 125
    assert quantile_ms(counts, "wait", 0.5) == 250
    assert quantile_ms(counts, "wait", 1.0) == 500
    assert quantile_ms({f"wait:{len(ENDS_MS)}": 1}, "wait", 1.0) == 3_600_000


@given(st.dictionaries(st.integers(0, len(ENDS_MS)), st.integers(1, 50), min_size=1))
def test_a_higher_share_never_waits_less(classes: dict[int, int]) -> None:
    counts = {f"wait:{number}": count for number, count in classes.items()}
    found = [quantile_ms(counts, "wait", share) for share in (0.1, 0.5, 0.95, 1.0)]
    assert found == sorted(found)


def test_slots_add_up() -> None:
    seen = activity({"answered": 2}, {"answered": 1, "failed": 4})
    assert seen.total() == {"answered": 3, "failed": 4}
    assert seen.per_minute("answered", within=timedelta(minutes=2)) == pytest.approx(1.5)
    assert seen.per_minute("answered", within=timedelta(minutes=1)) == pytest.approx(1)


def test_counts_are_read_by_agent_and_by_word() -> None:
    counts = {"answered": 9, "answered:a": 3, "answered:b": 6, "settled:answered": 9, "settled": 9}
    assert by_agent(counts, "answered") == [("b", 6), ("a", 3)]
    assert by_word(counts, "settled") == {"answered": 9}
