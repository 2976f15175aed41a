"""What the stand-in keeps: notifications, who answered them and when, and what was called."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from dispatcher.domain.ids import encode_document_id

_ROWS, _AGENTS, _TASKS, _MESSAGES, _PEOPLE = range(1, 6)
_LISTED_AT_MOST: Final = 500
_THREAD: Final = 5
_WORDS: Final = "The build is red since yesterday, and I cannot see why from the log alone. "

ACCOUNT: Final = encode_document_id(6, hashlib.sha256(b"account").digest()[:16])
SERVICE_TOKEN: Final = f"mc_service_{ACCOUNT}_{'0' * 64}"

_SAME_FOR_ALL: Final[dict[str, Any]] = {
    "markNotificationRead": {"success": True},
    "markNotificationDeliveryEnded": {"success": True},
    "updateTaskStatusFromAgent": {"success": True},
    "updateAgentHeartbeat": {"success": True},
    "updateRuntimeStatus": {"success": True},
    "checkAndClearRestartRequested": {"restartRequested": False},
    "getOrchestratorAgentId": {"orchestratorAgentId": None},
    "getPendingUpgrade": None,
}


@cache
def _id(table: int, number: int) -> str:
    return encode_document_id(table, hashlib.sha256(f"{table}:{number}".encode()).digest()[:16])


@dataclass(slots=True)
class Row:
    """One notification and what became of it; times are Unix milliseconds."""

    number: int
    conversation: int
    created_ms: float
    id: str
    agent: int
    message: str
    replied_ms: float | None = None
    delivered_ms: float | None = None
    replies: int = 0

    def as_told(self) -> list[float | int | None]:
        """Write it for the ledger, see ``Rows.ledger``."""
        return [
            self.conversation,
            self.created_ms,
            self.replied_ms,
            self.delivered_ms,
            self.replies,
        ]


@dataclass(slots=True)
class Rows:
    """All notifications, and the actions of the backend that touch them.

    Attributes:
        agents: How many share the conversations.
        calls: How often each action was called.
        listed_ms: When the list was asked for last.
    """

    agents: int
    calls: Counter[str] = field(default_factory=Counter)
    listed_ms: float = 0.0
    _all: list[Row] = field(default_factory=list)
    _by_id: dict[str, Row] = field(default_factory=dict)
    _waiting: dict[str, Row] = field(default_factory=dict)
    _replied: int = 0

    def add(self, conversations: Sequence[int], now_ms: float) -> list[dict[str, Any]]:
        """Make a mention for each conversation named; return the rows as the backend tells them."""
        made = []
        for conversation in conversations:
            number = len(self._all)
            row = Row(
                number, conversation, now_ms, _id(_ROWS, number), conversation % self.agents,
                _id(_MESSAGES, number),
            )  # fmt: skip
            self._all.append(row)
            self._by_id[row.id] = self._waiting[row.id] = row
            made.append(self._told(row))
        return made

    def progress(self) -> dict[str, int]:
        """Count what there is, what has a reply, and what is delivered."""
        delivered = len(self._all) - len(self._waiting)
        return {"created": len(self._all), "replied": self._replied, "delivered": delivered}

    def ledger(self) -> list[list[float | int | None]]:
        """Tell all rows: conversation, created, replied, delivered, number of replies."""
        return [row.as_told() for row in self._all]

    def answer(self, action: str, args: dict[str, Any], now_ms: float) -> Any:  # noqa: ANN401 - JSON
        """Answer one call of the backend.

        Raises:
            LookupError: No such action, or no such row.
        """
        self.calls[action] += 1
        match action:
            case "listUndeliveredNotifications":
                self.listed_ms = now_ms
                return self._undelivered(int(args["limit"]))
            case "getNotificationForDelivery":
                return self._context(self._by_id[args["notificationId"]])
            case "markNotificationDelivered":
                return self._deliver(args["notificationId"], now_ms)
            case "createMessageFromAgent":
                return self._reply(args, now_ms)
            case "listAgents" | "listAgentsForRuntime":
                return [self._agent(number) for number in range(self.agents)]
            case _:
                return _SAME_FOR_ALL[action]

    def _undelivered(self, limit: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for row in self._waiting.values():
            if len(found) >= min(limit, _LISTED_AT_MOST):
                break
            found.append(self._told(row))
        return found

    def _deliver(self, name: str, now_ms: float) -> dict[str, bool]:
        row = self._by_id[name]
        row.delivered_ms = row.delivered_ms or now_ms
        self._waiting.pop(name, None)
        return {"success": True}

    def _reply(self, args: dict[str, Any], now_ms: float) -> dict[str, str]:
        row = self._by_id[args["sourceNotificationId"]]
        row.replies += 1
        self._replied += row.replied_ms is None
        row.replied_ms = row.replied_ms or now_ms
        return {"messageId": _id(_MESSAGES, -1 - row.number)}

    def _told(self, row: Row) -> dict[str, Any]:
        told: dict[str, Any] = {
            "_id": row.id,
            "_creationTime": row.created_ms + row.number / 1e6,
            "accountId": ACCOUNT,
            "type": "mention",
            "title": "Alex mentioned you",
            "body": _WORDS,
            "recipientId": _id(_AGENTS, row.agent),
            "recipientType": "agent",
            "taskId": _id(_TASKS, row.conversation),
            "messageId": row.message,
            "createdAt": row.created_ms,
        }
        if row.delivered_ms is not None:
            told["deliveredAt"] = row.delivered_ms
        return told

    def _context(self, row: Row) -> dict[str, Any]:
        crew = [self._agent(number) for number in range(min(self.agents, 10))]
        thread = [
            {
                "messageId": row.message if at == _THREAD - 1 else f"{row.message}{at}",
                "authorType": "user",
                "authorId": _id(_PEOPLE, 0),
                "authorName": "Alex",
                "content": 3 * _WORDS,
                "createdAt": row.created_ms - (_THREAD - 1 - at),
            }
            for at in range(_THREAD)
        ]
        return {
            "notification": self._told(row),
            "agent": self._agent(row.agent),
            "task": {
                "_id": _id(_TASKS, row.conversation),
                "title": f"Task {row.conversation}",
                "status": "in_progress",
                "description": 4 * _WORDS,
                "labels": [],
                "assignedAgentIds": [_id(_AGENTS, row.agent)],
            },
            "message": {**thread[-1], "_id": row.message},
            "thread": thread,
            "orchestratorAgentId": None,
            "mentionableAgents": [{**one, "id": one["_id"]} for one in crew],
            "effectiveBehaviorFlags": {},
            "deliverySessionKey": f"agent:a{row.agent}:task:{row.conversation}:v1",
        }

    def _agent(self, number: int) -> dict[str, Any]:
        name = f"a{number}"
        return {"_id": _id(_AGENTS, number), "name": name, "slug": name, "role": "Engineer"}
