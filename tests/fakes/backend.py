"""A backend in memory: rows, posts without doubles, marks that stay."""

from dataclasses import dataclass, replace

from dispatcher.domain.errors import RowGone
from dispatcher.domain.ids import AgentId, MessageId, NotificationId, TaskId
from dispatcher.domain.notification import Context, Message, Notification, Page
from tests.fakes.diary import Diary


@dataclass(frozen=True, kw_only=True)
class Post:
    """One message that an agent posted."""

    agent: AgentId
    task: TaskId
    content: str
    key: NotificationId | None
    message: MessageId
    wakes_agents: bool = True


class FakeBackend:
    """See ``dispatcher.ports.Backend``."""

    def __init__(self, diary: Diary, *contexts: Context) -> None:
        self._diary = diary
        self.rows = {one.notification.notification_id: one for one in contexts}
        self.posts: list[Post] = []
        self.started: list[TaskId] = []

    def change(self, row: NotificationId, **changes: object) -> None:
        """Change the context of a row, as people and other agents do."""
        self.rows[row] = replace(self.rows[row], **changes)

    def delete(self, row: NotificationId) -> None:
        del self.rows[row]

    def is_delivered(self, row: NotificationId) -> bool:
        return self.rows[row].notification.is_delivered

    def list_undelivered(self, *, limit: int) -> Page:
        self._diary.note("list_undelivered")
        rows: list[Notification] = [
            one.notification for one in self.rows.values() if not one.notification.is_delivered
        ]
        rows.sort(key=lambda row: (row.created_at_ms, row.creation_time_ms))
        return Page(rows=tuple(rows[:limit]), malformed=(), listed=len(rows[:limit]))

    def fetch_context(self, notification: NotificationId) -> Context | None:
        self._diary.note("fetch_context")
        return self.rows.get(notification)

    def mark_begun(self, notification: NotificationId) -> None:
        self._diary.note("mark_begun")

    def mark_ended(self, notification: NotificationId) -> None:
        self._diary.note("mark_ended")

    def mark_delivered(self, notification: NotificationId) -> None:
        self._diary.note("mark_delivered")
        if notification not in self.rows:
            raise RowGone("the notification does not exist")
        row = self.rows[notification].notification
        self.change(notification, notification=replace(row, is_delivered=True))

    def post_message(
        self,
        *,
        agent: AgentId,
        task: TaskId,
        content: str,
        key: NotificationId | None,
        wakes_agents: bool = True,
    ) -> MessageId:
        self._diary.note("post_message")
        for post in self.posts:
            if key is not None and post.key == key:
                return post.message
        message = MessageId(f"posted-{len(self.posts) + 1}")
        self.posts.append(
            Post(
                agent=agent,
                task=task,
                content=content,
                key=key,
                message=message,
                wakes_agents=wakes_agents,
            )
        )
        shown = Message(
            message_id=message,
            author_type="agent",
            author_id=agent,
            author_name=None,
            content=content if len(content) <= 2000 else f"{content[:2000]}…",
            created_at_ms=0,
        )
        for row, context in self.rows.items():
            if context.notification.task == task:
                self.change(row, thread=(*context.thread, shown))
        return message

    def start_work(self, *, agent: AgentId, task: TaskId) -> None:
        self._diary.note("start_work")
        self.started.append(task)

    def probe(self) -> AgentId | None:
        self._diary.note("probe")
        return None
