"""Wake an agent: look at its tasks, ask it, post what it did, remind others, say that it lives.

Tried once: a failure is a missed heartbeat, and the next one comes by itself.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from dispatcher.domain.delivery import Outcome, Resting, Settled, Spent
from dispatcher.domain.errors import (
    AskCancelled,
    BackendError,
    BackendUnavailable,
    CredentialsRejected,
    LeaseLost,
    StoreError,
)
from dispatcher.domain.fence import one_line
from dispatcher.domain.heartbeat import (
    FOLLOW_UPS,
    TITLE_LIMIT,
    Beat,
    TrackedTask,
    fingerprint,
    is_stale,
    judge_beat,
    last_word_ms,
    task_named,
    tracked,
)
from dispatcher.domain.heartbeat_prompt import ENTRIES, TASKS, build_heartbeat
from dispatcher.domain.ids import SessionKey, TaskId
from dispatcher.domain.journal import Blind, Stage, load
from dispatcher.domain.notification import Message
from dispatcher.domain.reply import Reply
from dispatcher.domain.retry import Cause
from dispatcher.domain.rights import Rights
from dispatcher.domain.roster import Member, Roster
from dispatcher.domain.text import as_posted
from dispatcher.flows.desk import Attempt, Waking
from dispatcher.flows.rounds import Turn, converse

_NOTHING: Final = Settled(outcome=f"heartbeat_{Beat.NOTHING.value}")
_ARRIVES_WITHIN: Final = timedelta(seconds=60)
_THREAD_LIMIT: Final = 50

Found = TypeVar("Found")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What a heartbeat is about.

    Attributes:
        tasks: What the agent could act on; the first one is its focus.
        thread: Of the focus.
        is_whole: All of that could be read.
    """

    member: Member
    roster: Roster
    session_key: SessionKey
    tasks: tuple[TrackedTask, ...]
    thread: tuple[Message, ...]
    is_whole: bool

    @property
    def rights(self) -> Rights:
        return Rights(
            agent=self.member.agent_id,
            task=self.tasks[0].task_id if self.tasks else None,
            is_orchestrator=self.member.agent_id == self.roster.orchestrator,
            may_mark_done=False,
            flags=self.member.flags,
        )


def beat(attempt: Attempt) -> Outcome:
    """Run one heartbeat; whatever goes wrong, it is over.

    Raises:
        LeaseLost, StoreError: As for any attempt.
    """
    waking, agent, seen = attempt.desk.waking, attempt.claim.entry.agent, ""
    if waking is None:
        return Settled(outcome="missed")
    try:
        scene = _look(attempt, waking)
        if scene is None:
            return Settled(outcome="gone")
        # What could not be read may be new.
        seen = fingerprint(scene.tasks, scene.thread) if scene.is_whole else ""
        is_idle = seen != "" and seen == waking.heartbeats.seen(agent)
        outcome = _run(attempt, waking, scene, is_idle=is_idle)
    except (LeaseLost, StoreError):
        raise
    except AskCancelled:
        return Resting(delay=timedelta(0), cause=Cause.DRAINING, spends=Spent.NOTHING)
    except Exception as error:  # noqa: BLE001 - a heartbeat is never tried again
        attempt.hold.check()
        _log.warning("the heartbeat is missed: %s", error, extra=attempt.fields("heartbeat"))
        seen, outcome = "", Settled(outcome="missed")
    if outcome == _NOTHING:
        # Whoever said nothing at all has not looked.
        seen = ""
    if not isinstance(outcome, Resting):
        waking.heartbeats.end(agent, seen=seen)
    return outcome


def _look(attempt: Attempt, waking: Waking) -> _Scene | None:
    """Gather what the agent could act on; what cannot be read counts as nothing."""
    roster, agent = waking.roster.read(), attempt.claim.entry.agent
    member = roster.find(agent) if roster else None
    if roster is None or member is None or member.session_key is None or not member.agent.slug:
        return None
    leads, whole = agent == roster.orchestrator, True

    def look(read: Callable[[], tuple[Found, ...]]) -> tuple[Found, ...]:
        nonlocal whole
        try:
            return read()
        except BackendError as error:
            whole = False
            _log.info(
                "a heartbeat goes on without it: %s", error, extra=attempt.fields("heartbeat")
            )
            return ()

    mine = look(lambda: waking.tasks.assigned_tasks(agent))
    tasks = tracked(mine, look(waking.tasks.tracked_tasks) if leads else (), leads=leads)
    focus = tasks[0].task_id if tasks else None
    thread: tuple[Message, ...] = ()
    if focus is not None:
        thread = look(lambda: waking.tasks.newest_messages(agent, focus, limit=ENTRIES))
    return _Scene(
        member=member, roster=roster, session_key=member.session_key, tasks=tasks, thread=thread,
        is_whole=whole,
    )  # fmt: skip


def _run(attempt: Attempt, waking: Waking, scene: _Scene, *, is_idle: bool) -> Outcome:
    attempt.journal = load(attempt.claim.journal_text)
    journal = attempt.journal
    if waking.skips_idle and is_idle and journal.stage is Stage.NEW:
        # That nothing has changed is just what a lead reminds others of.
        _remind(attempt, waking, scene)
        waking.tasks.report_heartbeat(scene.member.agent_id, task=None)
        return Settled(outcome="idle")
    is_answered = journal.reply is not None and journal.needs_no_agent
    reply = journal.reply if is_answered and journal.reply else _ask(attempt, scene)
    return _conclude(attempt, waking, scene, reply)


def _ask(attempt: Attempt, scene: _Scene) -> Reply:
    desk, rights = attempt.desk, scene.rights
    reach = desk.reach(rights, scene.session_key)
    reply = converse(
        attempt,
        Turn(
            slug=scene.member.agent.slug,
            rights=rights,
            crew=tuple(one.agent for one in scene.roster.members),
            instructions=lambda _: "",
            first=lambda journal: journal.evolve(
                session_key=journal.session_key or scene.session_key
            ),
            text=lambda: build_heartbeat(
                scene.tasks, scene.thread, desk.render,
                rights=rights, reach=reach, now=desk.clock.now(),
            ),
        ),
    )  # fmt: skip
    attempt.keep_answer()
    return reply


def _conclude(attempt: Attempt, waking: Waking, scene: _Scene, reply: Reply) -> Outcome:
    said, task = judge_beat(reply.text), None
    if said is Beat.AMBIGUOUS:
        _log.warning(
            "an answer holds HEARTBEAT_OK among other words; it counts as nothing to do",
            extra=attempt.fields("heartbeat"),
        )
    if said is Beat.ACTION:
        task = attempt.journal.task or task_named(reply.text, scene.tasks[:TASKS])
        if task is None:
            _log.warning("an update names no task", extra=attempt.fields("heartbeat"))
        elif attempt.journal.blind is Blind.SENT:
            # It may still be under way: look for it when it must have arrived.
            attempt.write(attempt.journal.evolve(blind=Blind.WAITED))
            return Resting(
                delay=_ARRIVES_WITHIN, cause=Cause.BACKEND_UNAVAILABLE, spends=Spent.NOTHING
            )
        else:
            _post(attempt, waking, task, reply.text.strip())
    _remind(attempt, waking, scene)
    attempt.hold.check()
    waking.tasks.report_heartbeat(scene.member.agent_id, task=task)
    return Settled(outcome=f"heartbeat_{said.value}")


def _post(attempt: Attempt, waking: Waking, task: TaskId, text: str) -> None:
    """Post an update; it has no row whose id could be its key, so a repeated one is looked for."""
    agent, journal = attempt.claim.entry.agent, attempt.journal
    if journal.message is not None:
        return
    if journal.blind is Blind.WAITED:
        thread = waking.tasks.newest_messages(agent, task, limit=_THREAD_LIMIT)
        if any(one.author_id == agent and one.content == as_posted(text) for one in thread):
            return
    attempt.write(journal.evolve(stage=Stage.POSTING, blind=Blind.SENT, task=task))
    attempt.hold.check()
    message = attempt.desk.backend.post_message(agent=agent, task=task, content=text, key=None)
    attempt.write(attempt.journal.evolve(message=message, blind=None))


def _remind(attempt: Attempt, waking: Waking, scene: _Scene) -> None:
    """A lead asks assignees who have been silent for long; the backend passes over whoever was asked."""
    if not (scene.rights.is_orchestrator and scene.member.flags.can_mention_agents):
        return
    budget = FOLLOW_UPS - attempt.journal.requests
    for task in scene.tasks:
        if budget <= 0:
            return
        attempt.hold.check()
        try:
            budget -= _remind_of(attempt, waking, scene, task)
        except (BackendUnavailable, CredentialsRejected) as error:
            # The others would have to wait for the same.
            _log.info("no reminders: %s", error, extra=attempt.fields("heartbeat"))
            return
        except BackendError as error:
            _log.info("no reminder: %s", error, extra=attempt.fields("heartbeat"))


def _remind_of(attempt: Attempt, waking: Waking, scene: _Scene, task: TrackedTask) -> bool:
    slugs = [
        member.agent.slug
        for member in scene.roster.members
        if member.agent_id in task.assignees and member.agent_id != scene.member.agent_id
    ]
    if not slugs:
        return False
    agent, now_ms = scene.member.agent_id, round(attempt.desk.clock.now().timestamp() * 1000)
    thread = waking.tasks.newest_messages(agent, task.task_id, limit=_THREAD_LIMIT)
    if not is_stale(task, thread, now_ms=now_ms):
        return False
    minutes = max(1, (now_ms - last_word_ms(task, thread)) // 60_000)
    message = (
        f"No assignee has written for about {minutes} minutes on "
        f'"{one_line(task.title, TITLE_LIMIT)}". Please post your progress, or what blocks you, in '
        "the thread."
    )
    attempt.hold.check()
    made = attempt.desk.actions.request_responses(
        agent=agent, task=task.task_id, slugs=slugs, message=message
    )
    return bool(made)
