"""One heartbeat from waking to reporting: tried once, posted once, and others reminded."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dispatcher.domain import errors
from dispatcher.domain.delivery import Dead, Outcome, Resting, Settled
from dispatcher.domain.heartbeat import TrackedTask, entry_of_heartbeat, fingerprint
from dispatcher.domain.ids import AgentId, TaskId
from dispatcher.domain.journal import Blind, Journal, Stage
from dispatcher.domain.notification import Flags, Message
from dispatcher.domain.reply import Reply
from dispatcher.domain.roster import Roster
from dispatcher.domain.text import as_posted
from dispatcher.flows.desk import Waking
from tests.fakes.desk import Office
from tests.fakes.mailboxes import FakeMailboxes
from tests.fakes.tools import call, calling
from tests.samples import ENGINEER, LEAD, TASK, WRITER, context, message
from tests.unit.test_heartbeat import task
from tests.unit.test_quarantine_flow import FakeQuarantine
from tests.unit.test_sync import A, B, C

FLAGS = Flags(can_create_tasks=True, can_mention_agents=True)


class BeatOffice(Office):
    """The office of one heartbeat, with the tasks and threads that it looks at."""

    def __init__(self, *, agent: AgentId = ENGINEER, skips_idle: bool = False) -> None:
        super().__init__(context())
        entry = entry_of_heartbeat(agent, self.clock.now())
        self.conversation = entry.conversation
        self.mailboxes = FakeMailboxes(self.diary, entry)
        self.holds._mailboxes = self.mailboxes
        self.roster: Roster | None = Roster(
            members=tuple(replace(one, flags=FLAGS) for one in (A, B, C)),
            orchestrator=LEAD,
            heard_at=self.clock.now(),
        )
        self.mine: tuple[TrackedTask, ...] = (task(str(TASK), "in_progress"),)
        self.all: tuple[TrackedTask, ...] = ()
        self.threads: dict[str, tuple[Message, ...]] = {}
        self.reported: list[tuple[AgentId, TaskId | None]] = []
        self.ended: list[str] = []
        self.known = ""
        self.failing: set[str] = set()
        self.desk = replace(
            self.desk,
            mailboxes=self.mailboxes,
            waking=Waking(roster=self, tasks=self, heartbeats=self, skips_idle=skips_idle),  # type: ignore[arg-type]
        )

    # Roster, tasks and plan

    def read(self) -> Roster | None:
        return self.roster

    def assigned_tasks(self, agent: AgentId) -> tuple[TrackedTask, ...]:
        return self._found("assigned_tasks", self.mine)

    def tracked_tasks(self) -> tuple[TrackedTask, ...]:
        return self._found("tracked_tasks", self.all)

    def newest_messages(self, agent: AgentId, task: TaskId, *, limit: int) -> tuple[Message, ...]:
        return self._found("newest_messages", self.threads.get(str(task), ()))

    def report_heartbeat(self, agent: AgentId, *, task: TaskId | None) -> None:
        self._found("report_heartbeat", ())
        self.reported.append((agent, task))

    def end(self, agent: AgentId, *, seen: str) -> None:
        self.ended.append(seen)

    def seen(self, agent: AgentId) -> str:
        return self.known

    def _found(self, name: str, found: Any) -> Any:
        self.diary.note(name)
        if name in self.failing:
            raise errors.BackendUnavailable("away")
        return found

    def wake(self) -> Outcome | None:
        return self.attempt()

    def said(self) -> list[tuple[TaskId, str]]:
        return [(post.task, post.content) for post in self.backend.posts]


def test_an_agent_is_asked_in_its_system_session_and_its_update_is_posted() -> None:
    office = BeatOffice()
    office.gateway.will_say("I fixed it.")

    assert office.wake() == Settled(outcome="heartbeat_action")

    (ask,) = office.gateway.asks
    assert ask.session_key == A.session_key
    assert ask.instructions == ""
    assert f"Focus Task ID: {TASK}" in ask.text
    assert office.said() == [(TASK, "I fixed it.")]
    assert office.backend.posts[0].wakes_agents
    assert office.reported == [(ENGINEER, TASK)]
    assert office.ended == [fingerprint(office.mine, ())]
    for absent in ("mark_begun", "mark_delivered", "mark_ended", "fetch_context", "start_work"):
        assert absent not in office.diary.calls


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("HEARTBEAT_OK", "heartbeat_ok"),
        ("Checked.\nHEARTBEAT_OK", "heartbeat_ambiguous"),
        ("NO_REPLY", "heartbeat_ok"),
        ("", "heartbeat_nothing"),
    ],
)
def test_item_150_nothing_to_do_is_posted_nowhere_and_the_agent_lives(
    text: str, outcome: str
) -> None:
    office = BeatOffice()
    office.gateway.will_say(text)

    assert office.wake() == Settled(outcome=outcome)

    assert office.said() == []
    assert office.reported == [(ENGINEER, None)]


def test_item_147_an_update_without_any_task_is_posted_nowhere() -> None:
    office = BeatOffice()
    office.mine = ()
    office.gateway.will_say("I tidied up. Task ID: nowhere")

    assert office.wake() == Settled(outcome="heartbeat_action")

    assert office.said() == []
    assert office.reported == [(ENGINEER, None)]


def test_tools_run_with_the_focus_as_their_task_and_never_close_it() -> None:
    office = BeatOffice()
    office.mine = (task(str(TASK), "in_progress"),)
    office.gateway.will_say(
        calling(call("task_status", status="review"), call("task_status", "c2", status="done")),
        "Moved on.",
    )

    assert office.wake() == Settled(outcome="heartbeat_action")

    assert office.actions.statuses == ["review"]
    told = [result.text for result in office.gateway.asks[1].results]
    assert "Not allowed to mark tasks as done" in told[1]


def test_item_152_done_is_not_even_offered() -> None:
    office = BeatOffice()
    office.gateway.will_say("HEARTBEAT_OK")
    office.wake()

    (tool,) = [one for one in office.gateway.asks[0].tools if one.name == "task_status"]
    assert "done" not in tool.properties["status"]["enum"]


@pytest.mark.parametrize(
    "error",
    [
        errors.GatewayUnavailable("away"), errors.AskTimedOut("late"), errors.AskFailed("500"),
        errors.AgentUnavailable("unknown"), ValueError("a defect"), errors.AskRefused("400"),
    ],
)  # fmt: skip
def test_a_heartbeat_that_fails_is_missed_and_never_tried_again(error: Exception) -> None:
    office = BeatOffice()
    office.diary.prepare("ask", error)

    assert office.wake() == Settled(outcome="missed")

    assert office.reported == []
    assert office.ended == [""]
    assert office.said() == []


def test_a_worker_that_drains_leaves_the_heartbeat_to_another_one() -> None:
    office = BeatOffice()
    office.diary.prepare("ask", errors.AskCancelled("drain"))

    outcome = office.wake()

    assert isinstance(outcome, Resting)
    assert office.ended == []


def test_a_lost_claim_stops_without_a_word() -> None:
    office = BeatOffice()
    office.diary.on("ask", office.lose_claim) if hasattr(
        office.diary, "on"
    ) else office.lose_claim()
    office.gateway.will_say("Done.")

    assert office.wake() is None
    assert office.said() == []
    assert office.reported == []


@pytest.mark.parametrize("gone", ["nobody", "left", "keyless", "slugless"])
def test_an_agent_that_left_is_not_asked(gone: str) -> None:
    office = BeatOffice()
    assert office.roster is not None
    me, *others = office.roster.members
    changes: dict[str, Roster | None] = {
        "nobody": None,
        "left": replace(office.roster, members=tuple(others)),
        "keyless": replace(office.roster, members=(replace(me, session_key=None),)),
        "slugless": replace(
            office.roster, members=(replace(me, agent=replace(me.agent, slug="")),)
        ),
    }
    office.roster = changes[gone]

    assert office.wake() == Settled(outcome="gone")
    assert office.gateway.asks == []


@pytest.mark.parametrize("failing", ["assigned_tasks", "newest_messages", "tracked_tasks"])
def test_what_cannot_be_read_counts_as_nothing(failing: str) -> None:
    office = BeatOffice(agent=LEAD)
    office.failing = {failing}
    office.gateway.will_say("HEARTBEAT_OK")

    assert office.wake() == Settled(outcome="heartbeat_ok")


def test_an_agent_with_nothing_new_is_not_asked_and_still_lives() -> None:
    office = BeatOffice(skips_idle=True)
    office.known = fingerprint(office.mine, ())

    assert office.wake() == Settled(outcome="idle")

    assert office.gateway.asks == []
    assert office.reported == [(ENGINEER, None)]
    assert office.ended == [office.known]


@pytest.mark.parametrize("failing", ["assigned_tasks", "newest_messages"])
def test_an_agent_whose_work_cannot_be_read_is_asked_and_looked_at_again(failing: str) -> None:
    office = BeatOffice(skips_idle=True)
    office.known = (
        fingerprint((), ()) if failing == "assigned_tasks" else fingerprint(office.mine, ())
    )
    office.failing = {failing}
    office.gateway.will_say("HEARTBEAT_OK")

    assert office.wake() == Settled(outcome="heartbeat_ok")

    assert office.ended == [""]


@pytest.mark.parametrize("text", ["", "No response from agent."])
def test_whoever_said_nothing_at_all_has_not_looked(text: str) -> None:
    office = BeatOffice(skips_idle=True)
    office.gateway.will_say(text)

    assert office.wake() == Settled(outcome="heartbeat_nothing")

    assert office.ended == [""]


def test_an_agent_with_something_new_is_asked() -> None:
    office = BeatOffice(skips_idle=True)
    office.known = fingerprint(office.mine, ())
    office.threads = {str(TASK): (message(),)}
    office.gateway.will_say("HEARTBEAT_OK")

    assert office.wake() == Settled(outcome="heartbeat_ok")


# Going on where an earlier worker stopped


def test_a_stored_answer_is_not_bought_again() -> None:
    office = BeatOffice()
    office.left_behind(
        Journal(stage=Stage.ANSWERED, session_key=A.session_key, asks=1, reply=Reply(text="Done."))
    )

    assert office.wake() == Settled(outcome="heartbeat_action")
    assert office.gateway.asks == []
    assert office.said() == [(TASK, "Done.")]


def test_a_post_that_may_be_under_way_is_looked_for_later_and_not_repeated() -> None:
    office = BeatOffice()
    sent = Journal(
        stage=Stage.POSTING, session_key=A.session_key, asks=1, reply=Reply(text="Done."),
        blind=Blind.SENT,
    )  # fmt: skip
    office.left_behind(sent)

    rest = office.wake()
    assert isinstance(rest, Resting)
    assert rest.delay == timedelta(seconds=60)
    assert office.said() == []

    office.threads = {str(TASK): (message(author_id=ENGINEER, content="Done."),)}
    assert office.wake() == Settled(outcome="heartbeat_action")
    assert office.said() == []


@pytest.mark.parametrize(
    ("text", "found"), [("Done.", "Done."), (" half \ud83d", "half \ufffd"), ("x" * 100_001, None)]
)
def test_an_update_is_looked_for_where_it_was_posted_whatever_is_first_by_now(
    text: str, found: str | None
) -> None:
    """Its own post has made another task the first one."""
    office = BeatOffice()
    office.left_behind(
        Journal(
            stage=Stage.POSTING, session_key=A.session_key, asks=1, reply=Reply(text=text),
            blind=Blind.WAITED, task=TASK,
        )
    )  # fmt: skip
    office.mine = (task("another", "in_progress"),)
    posted = as_posted(text) if found is None else found
    office.threads = {str(TASK): (message(author_id=ENGINEER, content=posted),)}

    assert office.wake() == Settled(outcome="heartbeat_action")
    assert office.said() == []
    assert office.reported == [(ENGINEER, TASK)]


def test_where_an_update_goes_is_known_before_it_is_posted() -> None:
    office = BeatOffice()
    office.gateway.will_say("Done.")

    office.wake()

    assert [one.task for one in office.mailboxes.journals if one.blind is Blind.SENT] == [TASK]


def test_a_post_that_never_arrived_is_made_after_the_look() -> None:
    office = BeatOffice()
    office.left_behind(
        Journal(
            stage=Stage.POSTING, session_key=A.session_key, asks=1, reply=Reply(text="Done."),
            blind=Blind.WAITED,
        )
    )  # fmt: skip

    assert office.wake() == Settled(outcome="heartbeat_action")
    assert office.said() == [(TASK, "Done.")]


def test_a_heartbeat_that_kills_its_workers_is_missed_and_marks_nothing() -> None:
    office = BeatOffice()
    office.mailboxes.prepare(strikes=10)
    office.desk = replace(office.desk, quarantine=FakeQuarantine(survives=False))

    outcome = office.wake()

    assert outcome == Settled(outcome="missed")
    assert not isinstance(outcome, Dead)
    assert "mark_delivered" not in office.diary.calls


# Reminders of the lead


def lead_office(
    *tasks: TrackedTask, says: tuple[Reply | str, ...] = ("HEARTBEAT_OK",)
) -> BeatOffice:
    office = BeatOffice(agent=LEAD)
    office.mine, office.all = (), tasks
    office.gateway.will_say(*says)
    return office


def reminders(office: BeatOffice) -> list[tuple[str, list[str]]]:
    return [
        (str(one[1]), one[2]) for one in office.actions.calls if one[0] == "request_responses"
    ]  # fmt: skip


def test_item_149_the_lead_reminds_at_most_three_times_whoever_is_silent() -> None:
    office = lead_office(*[task(f"t{n}", updated=n, assignees=(ENGINEER, LEAD)) for n in range(6)])

    assert office.wake() == Settled(outcome="heartbeat_ok")

    assert reminders(office) == [("t0", ["engineer"]), ("t1", ["engineer"]), ("t2", ["engineer"])]
    (_, _, _, text), *_ = [c for c in office.actions.calls if c[0] == "request_responses"]
    assert '"T0"' in text
    assert "minutes" in text


def test_a_lead_that_is_not_asked_reminds_all_the_same() -> None:
    """That nothing has changed is just what it reminds others of."""
    office = lead_office(task("t", updated=1, assignees=(ENGINEER,)), says=())
    office.desk = replace(office.desk, waking=replace(office.desk.waking, skips_idle=True))
    office.known = fingerprint(office.all, ())

    assert office.wake() == Settled(outcome="idle")

    assert office.gateway.asks == []
    assert reminders(office) == [("t", ["engineer"])]


def test_a_backend_that_is_away_ends_the_reminders() -> None:
    """Each of the others would wait for its time-out, and hold a slot meanwhile."""
    office = lead_office(*[task(f"t{n}", updated=n, assignees=(ENGINEER,)) for n in range(9)])
    office.failing = {"newest_messages"}

    assert office.wake() == Settled(outcome="heartbeat_ok")

    # Once for the focus, once for the first reminder.
    assert office.diary.calls.count("newest_messages") == 2
    assert reminders(office) == []


def test_a_task_that_was_not_shown_is_not_posted_to() -> None:
    """Somebody may have written its id into a thread."""
    office = lead_office(
        *[task(f"t{n}", updated=n) for n in range(30)], says=("Done. Task ID: t29",)
    )

    office.wake()

    assert [where for where, _ in office.said()] == ["t0"]


def test_old_tasks_without_assignees_do_not_use_up_the_reminders() -> None:
    office = lead_office(
        *[task(f"empty{n}", updated=n, assignees=()) for n in range(5)],
        task("own", updated=6, assignees=(LEAD,)),
        task("t", updated=7, assignees=(WRITER,)),
    )

    office.wake()

    assert reminders(office) == [("t", ["writer"])]


def test_item_149_requests_that_the_lead_made_itself_count() -> None:
    request = call("response_request", recipientSlugs=["writer"], message="Please")
    refused = call("response_request", "c2", recipientSlugs=[], message="Please")
    office = lead_office(
        *[task(f"t{n}", updated=n) for n in range(6)],
        says=(calling(request, refused), calling(request), "HEARTBEAT_OK"),
    )

    office.wake()

    assert reminders(office) == [
        ("t0", ["writer"]), ("t0", ["writer"]), ("t0", ["engineer"]),
    ]  # fmt: skip


def test_only_a_lead_with_the_right_reminds() -> None:
    office = lead_office(task("t"))
    assert office.roster is not None
    weak = tuple(
        replace(one, flags=replace(FLAGS, can_mention_agents=False))
        for one in office.roster.members
    )
    office.roster = replace(office.roster, members=weak)
    office.wake()
    assert reminders(office) == []

    other = BeatOffice()
    other.all = (task("t"),)
    other.gateway.will_say("HEARTBEAT_OK")
    other.wake()
    assert reminders(other) == []


def test_a_reminder_that_fails_does_not_keep_the_others() -> None:
    office = lead_office(*[task(f"t{n}", updated=n) for n in range(2)])
    office.actions.failures = [errors.BackendRefused("no"), None]

    assert office.wake() == Settled(outcome="heartbeat_ok")
    assert reminders(office) == [("t1", ["engineer"])]
