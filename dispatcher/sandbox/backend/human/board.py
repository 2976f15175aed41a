"""The board: what people do with tasks, threads and documents."""

from collections.abc import Sequence

from dispatcher.domain.text import utf16_units, without_lone_surrogates
from dispatcher.sandbox.backend.access import CHAT_LABEL, orchestrator_of, settings_of
from dispatcher.sandbox.backend.assignees import (
    check_agents,
    check_users,
    newcomers,
    synchronise,
    unique,
)
from dispatcher.sandbox.backend.audit import Target, log
from dispatcher.sandbox.backend.errors import refuse_person
from dispatcher.sandbox.backend.fanout import subscribe, tell_assigned, tell_status
from dispatcher.sandbox.backend.human.accounts import change_settings
from dispatcher.sandbox.backend.human.acting import Acting, found, person
from dispatcher.sandbox.backend.posting import MAX_CONTENT, TOO_LONG, Draft, mentions_in, post
from dispatcher.sandbox.backend.sessions import close_task_sessions
from dispatcher.sandbox.backend.statuses import has_assignee, move
from dispatcher.sandbox.backend.store import Doc
from dispatcher.sandbox.backend.task_status import log_status
from dispatcher.sandbox.backend.tasks import insert_task

PAUSE_REASON = "Paused by user (/stop)"


class Board(Acting):
    """Operations on tasks and what hangs on them; ``by`` is a user id, or the oldest member."""

    def create_task(
        self,
        account: str,
        title: str,
        *,
        description: str | None = None,
        by: str | None = None,
        priority: float = 3,
        labels: Sequence[str] = (),
    ) -> str:
        """Put a task into the inbox; returns its id."""
        with self._telling() as tx:
            draft = _new_task(account, title, labels)
            more = {"description": description, "priority": priority}
            task = insert_task(tx, person(tx, account, by), {**draft, **more})
        return str(task["_id"])

    def open_orchestrator_chat(self, account: str, *, by: str | None = None) -> str:
        """Return the task that is the chat with the squad lead, made at the first time."""
        with self._acting() as tx:
            actor = person(tx, account, by)
            known = settings_of(tx, account).get("orchestratorChatTaskId")
            if known is not None:
                return str(known)
            draft = _new_task(account, "Orchestrator Chat", (CHAT_LABEL,))
            task = insert_task(tx, actor, draft)
            subscribe(tx, task, "user", actor.id)
            change_settings(tx, account, {"orchestratorChatTaskId": task["_id"]})
        return str(task["_id"])

    def post_message(self, account: str, task: str, content: str, *, by: str | None = None) -> str:
        """Write into a thread; returns the message id."""
        text = _checked(content)
        with self._telling() as tx:
            thread = found(tx, "tasks", account, task)
            return post(tx, Draft(task=thread, author=person(tx, account, by), content=text))

    def edit_message(self, account: str, message: str, content: str) -> None:
        """Change a message; its mentions are resolved anew, and nobody is told."""
        text = _checked(content)
        with self._acting() as tx:
            author = found(tx, "messages", account, message)["authorId"]
            mentions = mentions_in(tx, account, text, author)
            changes = {"content": text, "mentions": mentions, "editedAt": tx.now}
            tx.patch("messages", message, changes)

    def assign(
        self,
        account: str,
        task: str,
        *,
        agents: Sequence[str] | None = None,
        users: Sequence[str] | None = None,
        by: str | None = None,
    ) -> None:
        """Replace the assignees of a task; a list that is None stays as it is."""
        with self._telling() as tx:
            actor, before = person(tx, account, by), found(tx, "tasks", account, task)
            changes: Doc = {"updatedAt": tx.now}
            if agents is not None:
                check_agents(tx, account, agents)
                changes["assignedAgentIds"] = unique(agents)
            if users is not None:
                check_users(tx, account, users)
                changes["assignedUserIds"] = unique(users)
            changes["status"] = _status_with_assignees({**before, **changes})
            after = tx.patch("tasks", task, changes)
            synchronise(tx, before, after, orchestrator_of(tx, account))
            new = newcomers(before, after)
            tell_assigned(tx, after, actor, new, settings_of(tx, account))
            fields = {"changedFields": ["assignedAgentIds", "assignedUserIds"]}
            log(tx, account, actor, "task_updated", Target.task(after), fields)

    def change_status(
        self,
        account: str,
        task: str,
        status: str,
        *,
        by: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Move a task one legal step; all assignees are told."""
        with self._telling() as tx:
            actor, before = person(tx, account, by), found(tx, "tasks", account, task)
            after = move(tx, before, status, reason)
            tell_status(tx, after, actor, settings_of(tx, account))
            log_status(tx, actor, before, after)
        if status == "archived":
            close_task_sessions(self._store, task)

    def pause(self, account: str, task: str, *, by: str | None = None) -> None:
        """Stop the work on a task: it is blocked, and its agents are idle."""
        with self._telling() as tx:
            actor, before = person(tx, account, by), found(tx, "tasks", account, task)
            if before["status"] == "blocked":
                return
            if before["status"] not in {"assigned", "in_progress", "review"}:
                refuse_person(f"a task that is {before['status']} cannot be paused")
            after = move(tx, before, "blocked", PAUSE_REASON)
            for agent in after["assignedAgentIds"]:
                tx.patch("agents", agent, {"status": "idle", "currentTaskId": None})
            tell_status(tx, after, actor, settings_of(tx, account))
            log_status(tx, actor, before, after)

    def reopen(self, account: str, task: str, *, by: str | None = None) -> None:
        """Take a task that is done back to review; nobody is told."""
        with self._acting() as tx:
            actor, before = person(tx, account, by), found(tx, "tasks", account, task)
            if before["status"] != "done":
                refuse_person(f"a task that is {before['status']} cannot be reopened")
            after = tx.patch("tasks", task, {"status": "review", "updatedAt": tx.now})
            log_status(tx, actor, before, after)

    def delete_task(self, account: str, task: str) -> None:
        """Remove a task with its thread; session rows stay."""
        with self._acting() as tx:
            found(tx, "tasks", account, task)
            for table in ("messages", "subscriptions", "notifications"):
                for row in tx.find(table, taskId=task):
                    tx.delete(table, row["_id"])
            for row in tx.find("activities", targetId=task):
                tx.delete("activities", row["_id"])
            tx.delete("tasks", task)

    def soft_delete_document(self, account: str, document: str) -> None:
        """Mark a document as deleted."""
        with self._acting() as tx:
            found(tx, "documents", account, document)
            tx.patch("documents", document, {"deletedAt": tx.now})


def _new_task(account: str, title: str, labels: Sequence[str]) -> Doc:
    nobody: Doc = {"assignedUserIds": [], "assignedAgentIds": []}
    facts = {"accountId": account, "title": title, "status": "inbox", "priority": 3}
    return {**facts, **nobody, "labels": list(labels)}


def _checked(content: str) -> str:
    text = without_lone_surrogates(content)
    if utf16_units(text) > MAX_CONTENT:
        refuse_person(TOO_LONG)
    return text


def _status_with_assignees(task: Doc) -> str:
    status: str = task["status"]
    if status == "inbox" and has_assignee(task):
        return "assigned"
    if status == "assigned" and not has_assignee(task):
        return "inbox"
    return status
