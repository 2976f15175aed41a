"""Books in memory: what the store knows of rows, and the notes of marks without a claim."""

from collections.abc import Sequence

from dispatcher.domain.delivery import Entry
from dispatcher.domain.errors import LeadLost
from dispatcher.domain.ids import NotificationId
from dispatcher.ports import Audit, Holding
from tests.fakes.diary import Diary


class FakeBooks:
    """See ``dispatcher.ports.Books``.

    Attributes:
        holdings: By row; what is not named is unknown.
        righted: How many mailboxes the next audit sets right.
        refused: Rows that are in work, or of which a newer message is known.
        waiting: What only waits for paused or resting agents, the oldest first.
        notes: Begun and not ended.
        is_led_by_another: Another runtime leads.
    """

    def __init__(self, diary: Diary) -> None:
        self._diary = diary
        self.holdings: dict[NotificationId, Holding] = {}
        self.righted = 0
        self.refused: set[NotificationId] = set()
        self.waiting: list[Entry] = []
        self.notes: dict[NotificationId, Entry] = {}
        self.is_led_by_another = False

    def audit(self, entries: Sequence[Entry], *, term: int = 0) -> Audit:
        self._diary.note("audit")
        if self.is_led_by_another:
            raise LeadLost("another runtime leads")
        found = (self.holdings.get(one.notification, Holding.UNKNOWN) for one in entries)
        return Audit(spoiled=0, righted=self.righted, holdings=tuple(found))

    def begin_mark(self, entry: Entry) -> bool:
        self._diary.note("begin_mark")
        if entry.notification in self.refused:
            return False
        self.notes[entry.notification] = entry
        return True

    def end_mark(self, notification: NotificationId) -> None:
        self._diary.note("end_mark")
        self.notes.pop(notification, None)

    def begun_marks(self) -> tuple[Entry, ...]:
        return tuple(self.notes.values())

    def stalled(self, *, most: int) -> tuple[Entry, ...]:
        return tuple(self.waiting[:most])
