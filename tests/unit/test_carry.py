"""A full list is made room in: rows that only wait for their agents are marked and carried."""

import pytest

from dispatcher.domain import errors
from dispatcher.domain.notification import Kind
from dispatcher.flows.carry import ROOM, make_room
from tests.fakes.account import NEWER, Account


def crowded(count: int, *, kind: Kind = Kind.MENTION) -> Account:
    account = Account(count, kind=kind)
    account.books.waiting = list(account.entries)
    return account


def test_the_oldest_are_taken_off_the_list_until_there_is_room() -> None:
    account = crowded(ROOM + 20)

    assert make_room(**account.ports) == ROOM

    assert account.marked == [f"n{number}" for number in range(ROOM)]
    assert account.books.notes == {}


def test_each_row_is_noted_before_it_is_marked_and_forgotten_after() -> None:
    account = crowded(2)

    make_room(**account.ports)

    one = ["begin_mark", "mark_delivered", "end_mark"]
    assert [call for call in account.diary.calls if call in one] == one * 2


def test_nothing_is_done_when_nobody_only_waits() -> None:
    account = Account(5)

    assert make_room(**account.ports) == 0

    assert account.marked == []


def test_what_came_into_work_meanwhile_is_left_to_its_worker() -> None:
    account = crowded(3)
    account.books.refused = {account.entries[1].notification}

    assert make_room(**account.ports) == 2

    assert account.marked == ["n0", "n2"]


def test_a_message_that_comes_while_its_row_is_marked_is_carried_too() -> None:
    account = crowded(1, kind=Kind.THREAD_UPDATE)
    account.diary.prepare("mark_delivered", lambda: account.let_newer_message_come("n0"))

    make_room(**account.ports)

    assert [one.message for one in account.carried] == [NEWER]
    assert account.bell.rung


def test_a_row_that_may_not_be_marked_does_not_stop_the_others() -> None:
    account = crowded(3)
    account.diary.prepare("mark_delivered", errors.BackendRefused("no"))

    assert make_room(**account.ports) == 2

    assert account.marked == ["n1", "n2"]
    assert list(account.books.notes) == ["n0"]


@pytest.mark.parametrize(
    "error",
    [
        errors.BackendUnavailable("away"),
        errors.BackendUncertain("lost"),
        errors.CredentialsRejected("no"),
        errors.DeploymentOff("off"),
    ],
)
def test_a_backend_that_is_away_is_not_called_for_every_row(error) -> None:
    account = crowded(5)
    account.diary.prepare("mark_delivered", None, *[error] * 4)

    with pytest.raises(type(error)):
        make_room(**account.ports)

    assert account.diary.calls.count("mark_delivered") == 2
    assert list(account.books.notes) == ["n1"]
