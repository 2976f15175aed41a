"""Facts in the shape of the domain, for tests: every field has a sensible value."""

from typing import Any

from dispatcher.domain.ids import AgentId, MessageId, NotificationId, SessionKey, TaskId
from dispatcher.domain.notification import Agent, Context, Flags, Kind, Message, Notification, Task

ENGINEER = AgentId("jh785zg35fck6ytxzecv51rqsy353zjx")
LEAD = AgentId("jh7e6hbbr7td4w7mn5wk6xc68qyw5d4q")
WRITER = AgentId("jh7wr1ter5fck6ytxzecv51rqsy353zj")
TASK = TaskId("jn7652t9v5pwvtbt8c6x9xcqe1c9k838")
MESSAGE = MessageId("jx7cm3fjs5da2h61t3zjzwy8z5kzv3aw")
ROW = NotificationId("kd76etwbq16ee9kxtmgdxjj8274f30wv")


def notification(**changes: Any) -> Notification:
    facts: dict[str, Any] = {
        "notification_id": ROW,
        "kind": Kind.MENTION,
        "recipient": ENGINEER,
        "recipient_is_agent": True,
        "task": TASK,
        "message": MESSAGE,
        "title": "Alice mentioned you",
        "body": 'You were mentioned in task "Fix build"',
        "created_at_ms": 1767225600120,
        "creation_time_ms": 1767225600123.4568,
    }
    facts.update(changes)
    facts.setdefault("kind_name", facts["kind"].value)
    return Notification(**facts)


def task(**changes: Any) -> Task:
    facts: dict[str, Any] = {
        "task_id": TASK,
        "title": "Fix build",
        "status": "in_progress",
        "description": "The build is red.",
        "labels": (),
        "assigned_agents": (ENGINEER,),
    }
    return Task(**(facts | changes))


def message(**changes: Any) -> Message:
    facts: dict[str, Any] = {
        "message_id": MESSAGE,
        "author_type": "user",
        "author_id": "user_2abc",
        "author_name": "Alice",
        "content": "@engineer please check the build.",
        "created_at_ms": 1767225600120,
    }
    return Message(**(facts | changes))


def context(**changes: Any) -> Context:
    said = changes.get("message", message())
    facts: dict[str, Any] = {
        "notification": notification(),
        "agent": Agent(agent_id=ENGINEER, name="Engineer", slug="engineer", role="Developer"),
        "task": task(),
        "message": said,
        "thread": (said,) if said else (),
        "source_kind": None,
        "orchestrator": LEAD,
        "flags": Flags(),
        "session_key": SessionKey(f"task:{TASK}:agent:engineer:acc:v1"),
        "crew": (
            Agent(agent_id=ENGINEER, name="Engineer", slug="engineer", role="Developer"),
            Agent(agent_id=LEAD, name="Squad Lead", slug="squad-lead", role="Lead"),
            Agent(agent_id=WRITER, name="Writer", slug="writer", role="Writer"),
        ),
    }
    return Context(**(facts | changes))
