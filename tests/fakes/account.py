"""A backend with many rows and the store's books beside it: what the leader's flows need."""

from dataclasses import replace
from typing import Any

from dispatcher.domain.delivery import Entry, entry_of
from dispatcher.domain.ids import MessageId, NotificationId
from dispatcher.domain.notification import Context, Kind
from tests.fakes.backend import FakeBackend
from tests.fakes.books import FakeBooks
from tests.fakes.desk import FakeBell, FakeTally
from tests.fakes.diary import Diary
from tests.fakes.mailboxes import FakeMailboxes
from tests.samples import context, message, notification

NEWER = MessageId("jx72kgdjh7kn48cnpdhe8ktmw1a70ebe")


class Account:
    """Rows of one account, as the leader sees them."""

    def __init__(self, count: int, *, kind: Kind = Kind.MENTION) -> None:
        self.diary = Diary()
        self.contexts = [
            context(
                notification=notification(
                    notification_id=NotificationId(f"n{number}"),
                    kind=kind,
                    created_at_ms=1000 + number,
                    creation_time_ms=1000.0 + number,
                )
            )
            for number in range(count)
        ]
        self.entries = [entry_of(one.notification) for one in self.contexts]
        self.backend = FakeBackend(self.diary, *self.contexts)
        self.books = FakeBooks(self.diary)
        self.mailboxes = FakeMailboxes(self.diary, entry_of(notification()))
        self.bell = FakeBell()
        self.tally = FakeTally()

    @property
    def ports(self) -> dict[str, Any]:
        """The ports that all flows of the leader take."""
        return {
            "backend": self.backend,
            "mailboxes": self.mailboxes,
            "books": self.books,
            "bell": self.bell,
        }

    @property
    def marked(self) -> list[str]:
        """The rows that are marked."""
        return [row for row in self.backend.rows if self.backend.is_delivered(row)]

    @property
    def carried(self) -> list[Entry]:
        """What was put although its row is marked."""
        return [one for one in self.mailboxes.puts if one.is_carried]

    def let_newer_message_come(self, row: str) -> None:
        """Let a newer message replace the one of a row; a marked row cannot change any more."""
        found: Context = self.backend.rows[NotificationId(row)]
        if found.notification.is_delivered:
            return
        newer = replace(found.notification, message=NEWER, created_at_ms=9000)
        said = message(message_id=NEWER)
        self.backend.change(NotificationId(row), notification=newer, message=said)
