"""Convex: rows, contexts, threads."""

from typing import Protocol

from dispatcher.domain.ids import (
    AgentId,
    MessageId,
    NotificationId,
    TaskId,
)
from dispatcher.domain.notification import Context, Page


class Backend(Protocol):
    """Convex. Every method may raise any ``BackendError``; none of them tries again."""

    def list_undelivered(self, *, limit: int) -> Page:
        """List the oldest undelivered rows of the account's agents, 1 to 500 of them."""
        ...

    def fetch_context(self, notification: NotificationId) -> Context | None:
        """Fetch a row with everything around it, as it is now; None when it does not exist."""
        ...

    def mark_begun(self, notification: NotificationId) -> None:
        """Say that an attempt began, so that people see the agent typing. Repeatable."""
        ...

    def mark_ended(self, notification: NotificationId) -> None:
        """Say that an attempt ended without delivery, so that typing stops. Repeatable."""
        ...

    def mark_delivered(self, notification: NotificationId) -> None:
        """Mark a row delivered, for good: it is never listed again. Repeatable.

        Raises:
            RowGone: The row was deleted with its task or agent. Treat it as marked.
        """
        ...

    def post_message(
        self,
        *,
        agent: AgentId,
        task: TaskId,
        content: str,
        key: NotificationId | None,
        wakes_agents: bool = True,
    ) -> MessageId:
        """Post an agent's message into a thread.

        Args:
            agent: The author.
            task: The thread.
            content: At most 100 000 UTF-16 units.
            key: A second post with the same key is not made; the id of the first is returned,
                whatever its content. Without a key every call posts.
            wakes_agents: False when no agent is to be notified of it.
        """
        ...

    def start_work(self, *, agent: AgentId, task: TaskId) -> None:
        """Move a task from ``assigned`` to ``in_progress``, unless its status changed meanwhile."""
        ...

    def probe(self) -> AgentId | None:
        """Check the credentials with a call that writes nothing; return the orchestrator."""
        ...
