"""The tables of the backend: their numbers in ids, and the fields that lists are read by."""

from typing import Final, NamedTuple


class Table(NamedTuple):
    """One kind of document.

    Attributes:
        number: Table number within document ids.
        indexes: Fields of each index, in order; ``_creationTime`` always breaks ties.
    """

    number: int
    indexes: tuple[tuple[str, ...], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Return every indexed field once."""
        return tuple(dict.fromkeys(name for index in self.indexes for name in index))


TABLES: Final[dict[str, Table]] = {
    "accounts": Table(10001, (("slug",), ("runtimeStatus",))),
    "memberships": Table(10002, (("accountId", "userId"),)),
    "agents": Table(10004, (("accountId", "slug"),)),
    "tasks": Table(10005, (("accountId", "status"),)),
    "subscriptions": Table(10006, (("taskId", "subscriberId"), ("subscriberId",))),
    "messages": Table(
        10007,
        (("taskId", "createdAt"), ("sourceNotificationId",), ("accountId",)),
    ),
    "documents": Table(10008, (("accountId", "type"), ("taskId",))),
    "activities": Table(10009, (("targetId",), ("accountId",))),
    "skills": Table(10010, (("accountId",),)),
    "notifications": Table(
        10011,
        (
            ("accountId", "recipientType", "deliveredAt", "createdAt"),
            ("taskId", "recipientId", "type", "deliveredAt"),
            ("recipientId",),
        ),
    ),
    "sessions": Table(10012, (("taskId",), ("agentId", "sessionType"))),
    "uploads": Table(10013, (("taskId", "storageId"),)),
    "runtimes": Table(10014, (("accountId",),)),
    "_storage": Table(10015),
}

NAMES: Final = {table.number: name for name, table in TABLES.items()}
"""The table of each number; unknown numbers belong to no table."""
