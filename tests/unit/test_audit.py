"""The audit: every listed row is accounted for, and what fell between two chairs is picked up."""

from contextlib import suppress

import pytest

from dispatcher.domain import errors
from dispatcher.domain.notification import Kind, Page
from dispatcher.flows.audit import Audited, audit_once, finish_marks
from dispatcher.flows.poll import MOST_ROWS
from dispatcher.ports import Holding
from tests.fakes.account import NEWER, Account

UPDATE = Kind.THREAD_UPDATE


class Killed(Exception):
    """The process ends here."""


def audit(account: Account, *, term: int = 1) -> Audited:
    return audit_once(**account.ports, tally=account.tally, term=term)


def all_are(account: Account, holding: Holding) -> None:
    account.books.holdings = {entry.notification: holding for entry in account.entries}


def test_a_store_that_holds_all_listed_rows_is_left_alone() -> None:
    account = Account(3)
    all_are(account, Holding.OPEN)

    audited = audit(account)

    assert (audited.listed, audited.unaccounted, audited.repaired.total()) == (3, 0, 0)
    assert account.tally.unaccounted == 0
    assert account.marked == account.mailboxes.puts == []


def test_a_listed_row_that_nobody_holds_is_put_again_and_rung() -> None:
    account = Account(3)
    account.books.holdings = {account.entries[0].notification: Holding.OPEN}

    audited = audit(account)

    assert account.mailboxes.puts == account.entries[1:]
    assert account.bell.rung == [entry.conversation for entry in account.entries[1:]]
    assert audited.repaired["put"] == 2
    assert audited.unaccounted == 0


@pytest.mark.parametrize("holding", [Holding.SETTLED, Holding.DEAD])
def test_a_listed_row_that_is_over_is_marked_again_and_never_put(holding: Holding) -> None:
    account = Account(2)
    all_are(account, holding)

    audited = audit(account)

    assert account.marked == ["n0", "n1"]
    assert account.mailboxes.puts == []
    assert audited.repaired["marked"] == 2
    assert audited.unaccounted == 0
    assert account.books.notes == {}


def test_an_idle_account_is_not_listed_for_an_audit() -> None:
    """The poll has just found nothing; the store is set right all the same."""
    account = Account(2)

    audited = audit_once(**account.ports, tally=account.tally, is_nothing_listed=True)

    assert audited.listed == 0
    assert account.mailboxes.puts == []
    assert "list_undelivered" not in account.diary.calls
    assert "audit" in account.diary.calls


def test_rows_that_nobody_can_read_are_nobodys() -> None:
    account = Account(1)
    all_are(account, Holding.OPEN)
    page = Page(
        rows=account.backend.list_undelivered(limit=1).rows, malformed=(("n9", "bad"),), listed=2
    )
    account.backend.list_undelivered = lambda *, limit: page

    audited = audit(account)

    assert (audited.listed, audited.unaccounted) == (2, 1)
    assert account.tally.unaccounted == 1


@pytest.mark.parametrize(
    "error", [errors.BackendRefused("no"), errors.BackendRedacted("no"), errors.BackendMisused("?")]
)
def test_a_row_whose_mark_is_refused_is_nobodys_and_does_not_stop_the_others(error) -> None:
    account = Account(3)
    all_are(account, Holding.SETTLED)
    account.diary.prepare("mark_delivered", None, error, None)

    audited = audit(account)

    assert audited.unaccounted == 1
    assert account.marked == ["n0", "n2"]


@pytest.mark.parametrize(
    "error",
    [
        errors.BackendUnavailable("away"),
        errors.BackendUncertain("lost"),
        errors.CredentialsRejected("no"),
        errors.CredentialsSuspected("?"),
        errors.DeploymentOff("off"),
    ],
)
def test_a_backend_that_is_away_or_rejects_us_ends_the_audit_without_an_alarm(error) -> None:
    account = Account(3)
    all_are(account, Holding.SETTLED)
    account.diary.prepare("mark_delivered", *[error] * 3)

    with pytest.raises(type(error)):
        audit(account)

    assert account.diary.calls.count("mark_delivered") == 1
    assert account.tally.unaccounted is None


def test_a_row_that_came_into_work_meanwhile_is_neither_marked_nor_counted() -> None:
    account = Account(2)
    all_are(account, Holding.SETTLED)
    account.books.refused = {account.entries[0].notification}

    audited = audit(account)

    assert account.marked == ["n1"]
    assert audited.repaired["marked"] == 1
    assert audited.unaccounted == 0


def test_all_rows_that_the_backend_may_list_are_looked_at() -> None:
    account = Account(MOST_ROWS + 50)
    all_are(account, Holding.OPEN)

    assert audit(account).listed == MOST_ROWS


def test_a_runtime_that_leads_no_more_repairs_nothing() -> None:
    account = Account(2)
    account.books.is_led_by_another = True

    with pytest.raises(errors.LeadLost):
        audit(account)

    assert account.marked == account.mailboxes.puts == []


def test_repairs_are_counted_by_their_kind() -> None:
    account = Account(2)
    all_are(account, Holding.OPEN)
    account.books.righted = 2

    assert audit(account).repaired["righted"] == 2


# Messages that come while a row is marked again


def test_a_message_that_comes_in_between_gets_a_turn_of_its_own() -> None:
    account = Account(1, kind=UPDATE)
    all_are(account, Holding.SETTLED)
    account.diary.prepare("mark_delivered", lambda: account.let_newer_message_come("n0"))

    audit(account)

    assert account.marked == ["n0"]
    assert [one.message for one in account.carried] == [NEWER]
    assert account.bell.rung
    assert account.books.notes == {}


@pytest.mark.parametrize("crash", ["mark_delivered", "fetch_context", "put"])
def test_a_crash_in_between_is_made_up_for_by_the_next_audit(crash: str) -> None:
    account = Account(1, kind=UPDATE)
    all_are(account, Holding.SETTLED)

    def newer_message_comes() -> None:
        account.let_newer_message_come("n0")
        account.diary.prepare("put" if crash == "put" else "fetch_context", Killed())
        if crash == "mark_delivered":
            raise Killed

    account.diary.prepare("mark_delivered", newer_message_comes)
    with pytest.raises(Killed):
        audit(account)
    with suppress(Killed):
        audit(account)

    audit(account)

    assert account.marked == ["n0"]
    assert [one.message for one in account.carried] == [NEWER]
    assert account.books.notes == {}


def test_marks_that_were_cut_off_are_finished_before_anything_else() -> None:
    account = Account(1)
    all_are(account, Holding.OPEN)
    account.books.notes = {entry.notification: entry for entry in account.entries}

    audit(account)

    assert account.diary.calls.index("mark_delivered") < account.diary.calls.index("audit")


def test_a_mark_that_was_cut_off_ends_although_a_newer_message_is_known() -> None:
    """The mark may have been committed after the newer message was put: that one must run."""
    account = Account(1, kind=UPDATE)
    (entry,) = account.entries
    account.let_newer_message_come("n0")
    account.backend.mark_delivered(entry.notification)
    account.books.notes = {entry.notification: entry}
    account.books.refused = {entry.notification}

    assert len(finish_marks(**account.ports)) == 0

    assert [one.message for one in account.carried] == [NEWER]
    assert account.books.notes == {}


def test_a_cut_off_mark_that_the_backend_refuses_is_told_and_kept() -> None:
    account = Account(2)
    account.books.notes = {entry.notification: entry for entry in account.entries}
    account.diary.prepare("mark_delivered", errors.BackendRefused("no"))

    assert len(finish_marks(**account.ports)) == 1

    assert list(account.books.notes) == ["n0"]
    assert account.marked == ["n1"]


def test_a_cut_off_mark_of_a_row_that_is_gone_is_over() -> None:
    account = Account(1)
    (entry,) = account.entries
    account.books.notes = {entry.notification: entry}
    account.backend.delete(entry.notification)

    assert len(finish_marks(**account.ports)) == 0

    assert account.books.notes == {}


def test_what_was_refused_can_be_left_for_another_time() -> None:
    """New mail does not wait for it behind every poll."""
    account = Account(2)
    account.books.notes = {entry.notification: entry for entry in account.entries}

    assert finish_marks(**account.ports, but={"n0"}) == frozenset()

    assert list(account.books.notes) == ["n0"]
    assert account.marked == ["n1"]
