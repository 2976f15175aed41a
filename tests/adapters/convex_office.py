"""An account of the sandbox with the backend's adapter on it, and answers made by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dispatcher.adapters.convex import ConvexBackend
from dispatcher.domain.ids import AccountId, AgentId, NotificationId, TaskId
from dispatcher.sandbox.backend.server import SandboxBackend
from tests.adapters.raw_server import answer

ACCOUNT = AccountId("j57dxw5hfxg351ff8cvfdrz3vka3r13s")
TOKEN = f"mc_service_{ACCOUNT}_{'5e' * 32}"
NOWHERE = NotificationId("kd76etwbq16ee9kxtmgdxjj8274f30wv")
SOME_AGENT = AgentId("jh785zg35fck6ytxzecv51rqsy353zjx")
SOME_TASK = TaskId("jn7652t9v5pwvtbt8c6x9xcqe1c9k838")
Adapt = Callable[..., ConvexBackend]


@dataclass
class Office:
    """An account of the sandbox with one mention that waits, and the adapter on it."""

    backend: SandboxBackend
    adapt: Adapt
    account: str = field(init=False)
    token: str = field(init=False)

    def __post_init__(self) -> None:
        demo = self.backend.seed_demo()
        self.world = self.backend.world
        self.account, self.token = str(demo["accountId"]), str(demo["serviceToken"])
        self.task = TaskId(str(demo["taskId"]))
        agents = demo["agents"]
        self.engineer, self.lead = AgentId(agents["engineer"]), AgentId(agents["squad-lead"])
        self.convex = self.adapt(self.backend.url, self.account, self.token)

    def say(self, text: str = "@engineer please check the build.") -> NotificationId:
        self.world.post_message(self.account, self.task, text)
        return NotificationId(self.rows("notifications")[-1]["_id"])

    def rows(self, table: str) -> list[dict[str, Any]]:
        return self.world.rows(self.account, table)

    def row(self, notification: str) -> dict[str, Any]:
        return next(row for row in self.rows("notifications") if row["_id"] == notification)

    def reply(self, content: str, key: NotificationId | None = None) -> str:
        return self.convex.post_message(
            agent=self.engineer, task=self.task, content=content, key=key
        )

    def contents(self) -> list[str]:
        return [row["content"] for row in self.rows("messages")]


def success(value: object) -> bytes:
    return answer(200, {"status": "success", "value": value})


def row(**changes: Any) -> dict[str, Any]:
    """Return a listed row as the wire has it; a change to None takes the member away."""
    facts = {
        "_id": NOWHERE,
        "_creationTime": 1767225600123.4568,
        "type": "mention",
        "recipientType": "agent",
        "recipientId": SOME_AGENT,
        "taskId": SOME_TASK,
        "messageId": "jx7cm3fjs5da2h61t3zjzwy8z5kzv3aw",
        "title": "Alice mentioned you",
        "body": 'You were mentioned in task "Fix build"',
        "createdAt": 1767225600120.0,
    } | changes
    return {name: value for name, value in facts.items() if value is not None}
