"""One look at the backend: what it lists, what it puts, and what it asks for next time."""

from collections.abc import Sequence
from datetime import UTC, datetime

from dispatcher.domain.delivery import Entry
from dispatcher.domain.ids import NotificationId
from dispatcher.domain.notification import Notification, Page
from dispatcher.flows.poll import MOST_ROWS, Polled, poll_once
from dispatcher.ports import Put, Stats
from tests.fakes.desk import FakeBell, FakeTally
from tests.samples import notification


class Listing:
    """A backend that lists so many rows, of which some cannot be read."""

    def __init__(self, *, rows: int = 0, malformed: int = 0) -> None:
        self.rows = [notification(notification_id=NotificationId(f"n{n}")) for n in range(rows)]
        self.malformed = malformed
        self.limits: list[int] = []

    def list_undelivered(self, *, limit: int) -> Page:
        self.limits.append(limit)
        unreadable = min(self.malformed, limit)
        shown: Sequence[Notification] = self.rows[: limit - unreadable]
        problems = tuple((f"bad{n}", "createdAt: missing") for n in range(unreadable))
        return Page(rows=tuple(shown), malformed=problems, listed=len(shown) + unreadable)


class Boxes:
    """Mailboxes that know what was put before."""

    def __init__(self, *, open_before: int = 0, running: int = 0) -> None:
        self.known: set[str] = set()
        self.open_before, self.running = open_before, running

    def put(self, entries: Sequence[Entry], *, term: int = 0) -> Put:
        new = [entry for entry in entries if entry.delivery not in self.known]
        self.known |= {entry.delivery for entry in new}
        return Put(added=len(new), to_ring=tuple(entry.conversation for entry in new))

    def stats(self) -> Stats:
        return Stats(
            at=datetime(2026, 1, 1, tzinfo=UTC),
            open=self.open_before + len(self.known),
            claims=self.running,
            resting=0,
            dead=0,
            paid=0,
            marking=0,
            waiting=(),
            oldest=(),
        )


def poll(backend: Listing, boxes: Boxes, *, list_limit: int = 50) -> Polled:
    return poll_once(
        backend=backend, mailboxes=boxes, bell=FakeBell(), tally=FakeTally(), list_limit=list_limit
    )


def test_rows_in_work_never_hide_new_ones() -> None:
    backend, boxes = Listing(rows=3), Boxes(open_before=70)

    poll(backend, boxes)

    assert backend.limits == [120]


def test_no_more_is_asked_for_than_the_backend_lists() -> None:
    backend = Listing()

    poll(backend, Boxes(open_before=900))

    assert backend.limits == [MOST_ROWS]


def test_rows_that_cannot_be_read_are_made_up_for_in_the_next_look() -> None:
    """Fifty of them at the head of a list of fifty would hide everything else for ever."""
    backend, boxes = Listing(rows=1, malformed=50), Boxes()

    first = poll(backend, boxes)
    second = poll(backend, boxes, list_limit=50 + first.hidden)

    assert (first.added, first.hidden) == (0, 50)
    assert second.added == 1


def test_a_full_page_with_news_asks_for_another_look_at_once() -> None:
    assert poll(Listing(rows=60), Boxes()).is_full
    assert not poll(Listing(rows=10), Boxes()).is_full


def test_a_row_that_only_rests_is_no_work() -> None:
    backend, boxes = Listing(rows=1), Boxes()
    assert poll(backend, boxes).added == 1

    again = poll(backend, boxes)

    assert (again.added, again.running, again.hidden) == (0, 0, 0)
