"""The delivery policy: who hears of what, row by row."""

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.adapters.wire_context import read_context
from dispatcher.domain.ids import AgentId, MessageId, TaskId
from dispatcher.domain.notification import ORCHESTRATOR_CHAT_LABEL, Agent, Context, Flags, Kind
from dispatcher.domain.policy import (
    Decision,
    Reason,
    Verdict,
    decide,
    is_one_of_several_assignees,
    may_mark_done,
    requires_reply,
)
from tests.samples import ENGINEER, LEAD, TASK, context, message, notification, task

OTHER = AgentId("jh7000000000000000000000000other")
STATUSES = ("inbox", "assigned", "in_progress", "review", "done", "blocked", "archived")
OPEN_STATUSES = ("inbox", "assigned", "in_progress", "review")
PEOPLE_WAIT = (Kind.MENTION, Kind.ASSIGNMENT, Kind.RESPONSE_REQUEST)
NOT_THREAD = (None, Kind.ASSIGNMENT, Kind.MENTION, Kind.RESPONSE_REQUEST, Kind.STATUS_CHANGE)
REVIEWER = Flags(can_review_tasks=True)
CHAT = (ORCHESTRATOR_CHAT_LABEL,)
UPDATE = Kind.THREAD_UPDATE
CHANGE = Kind.STATUS_CHANGE
NOBODY: tuple[AgentId, ...] = ()


def facts(
    kind: Kind,
    *,
    author: AgentId | str | None = "user",
    status: str | None = "in_progress",
    to: AgentId = ENGINEER,
    to_agent: bool = True,
    assigned: tuple[AgentId, ...] = (ENGINEER,),
    labels: tuple[str, ...] = (),
    **others: Any,
) -> Context:
    """Build a context from the columns of the decision table.

    ``author`` is ``"user"``, an agent's id, or None for a message that is missing.
    """
    by_user = author == "user"
    said = None
    if author is not None:
        said = message(
            author_type="user" if by_user else "agent",
            author_id="user_2abc" if by_user else author,
        )
    card = task(status=status, assigned_agents=assigned, labels=labels) if status else None
    return context(
        notification=notification(
            kind=kind,
            recipient=to,
            recipient_is_agent=to_agent,
            task=TASK if status else None,
            message=said.message_id if said else None,
        ),
        agent=Agent(agent_id=to, name="Agent", slug="agent", role="Any"),
        task=card,
        message=said,
        **others,
    )


class Row(NamedTuple):
    """A row of the decision table: its ID, what makes this case of it, and what we decide."""

    row: str
    case: str
    given: Context
    reason: Reason

    @property
    def decision(self) -> Decision:
        is_delivered = self.reason is Reason.DELIVERABLE
        return Decision(Verdict.DELIVER if is_delivered else Verdict.SKIP, self.reason)


YES = Reason.DELIVERABLE
CLOSED = Reason.TASK_CLOSED
CHAT_ONLY = Reason.CHAT_OF_ORCHESTRATOR
REVIEW = Reason.NOT_FOR_REVIEW
OWN = Reason.OWN_MESSAGE
LOOP = Reason.LOOP_GUARD
OUT = Reason.NOT_INVOLVED

TABLE = [
    *(Row("P01", f"{kind}-{status}", facts(kind, status=status, to=LEAD, labels=CHAT), YES)
      for kind in Kind for status in STATUSES),
    *(Row("P02", f"{kind}-{status}", facts(kind, status=status, labels=CHAT), CHAT_ONLY)
      for kind in Kind for status in STATUSES),
    *(Row("P03", kind.value, facts(kind, labels=CHAT, orchestrator=None), CHAT_ONLY)
      for kind in Kind),
    Row("P04", "person-update", facts(UPDATE, labels=CHAT, to_agent=False), YES),
    Row("P04", "person-done", facts(UPDATE, labels=CHAT, to_agent=False, status="done"), CLOSED),
    Row("P04", "person-change", facts(CHANGE, labels=CHAT, to_agent=False, status="done"), YES),
    *(Row("P05", status, facts(Kind.ASSIGNMENT, status=status), YES) for status in STATUSES),
    *(Row("P06", status, facts(Kind.MENTION, status=status), YES) for status in STATUSES),
    *(Row("P07", status, facts(Kind.MENTION, author=OTHER, status=status), YES)
      for status in STATUSES),
    Row("P07", "by-itself", facts(Kind.MENTION, author=ENGINEER), OWN),
    *(Row("P08", status, facts(Kind.RESPONSE_REQUEST, author=None, status=status), YES)
      for status in STATUSES),
    Row("P09", "assignee", facts(UPDATE, status="done"), CLOSED),
    Row("P09", "orchestrator", facts(UPDATE, status="done", to=LEAD), CLOSED),
    Row("P10", "assignee", facts(UPDATE, status="blocked"), CLOSED),
    Row("P10", "orchestrator", facts(UPDATE, status="blocked", to=LEAD), CLOSED),
    *(Row("P11", status, facts(UPDATE, status=status), YES) for status in OPEN_STATUSES),
    *(Row("P11", f"{status}-outsider", facts(UPDATE, status=status, assigned=NOBODY), YES)
      for status in OPEN_STATUSES),
    Row("P11", "archived", facts(UPDATE, status="archived"), CLOSED),
    Row("P12", "", facts(UPDATE, status=None), YES),
    *(Row("P13", status, facts(UPDATE, author=None, status=status), YES)
      for status in OPEN_STATUSES),
    Row("P13", "archived", facts(UPDATE, author=None, status="archived"), CLOSED),
    Row("P14", "other", facts(UPDATE, author=OTHER, status="done"), CLOSED),
    Row("P14", "orchestrator", facts(UPDATE, author=LEAD, status="done"), CLOSED),
    Row("P15", "", facts(UPDATE, author=OTHER, status="blocked"), CLOSED),
    Row("P16", "", facts(UPDATE, author=LEAD, status="blocked"), CLOSED),
    Row("P17", "", facts(UPDATE, author=OTHER, to=LEAD, source_kind=UPDATE), YES),
    *(Row("P18", str(source), facts(UPDATE, author=OTHER, to=LEAD, source_kind=source), YES)
      for source in NOT_THREAD),
    *(Row("P19", str(source), facts(UPDATE, author=LEAD, to=LEAD, source_kind=source), OWN)
      for source in (UPDATE, *NOT_THREAD)),
    *(Row("P20", str(source),
          facts(UPDATE, author=LEAD, to=LEAD, assigned=(LEAD,), source_kind=source), OWN)
      for source in (UPDATE, *NOT_THREAD)),
    *(Row("P21", f"{author[-5:]}-{source}", facts(UPDATE, author=author, source_kind=source), YES)
      for author in (OTHER, LEAD) for source in NOT_THREAD),
    Row("P21", "itself", facts(UPDATE, author=ENGINEER), OWN),
    Row("P22", "", facts(UPDATE, author=OTHER, source_kind=UPDATE), LOOP),
    Row("P23", "", facts(UPDATE, author=LEAD, source_kind=UPDATE), YES),
    Row("P24", "", facts(UPDATE, author=LEAD, status="review", assigned=NOBODY, flags=REVIEWER,
                         source_kind=UPDATE), YES),
    *(Row("P25", status, facts(UPDATE, author=LEAD, status=status, assigned=NOBODY, flags=REVIEWER,
                               source_kind=UPDATE), OUT)
      for status in ("inbox", "assigned", "in_progress")),
    *(Row("P26", f"{author[-5:]}-{source}",
          facts(UPDATE, author=author, status="review", assigned=NOBODY, flags=REVIEWER,
                source_kind=source), YES)
      for author in (OTHER, LEAD) for source in NOT_THREAD),
    Row("P26", "itself", facts(UPDATE, author=ENGINEER, status="review", assigned=NOBODY,
                               flags=REVIEWER), OWN),
    Row("P27", "", facts(UPDATE, author=OTHER, status="review", assigned=NOBODY, flags=REVIEWER,
                         source_kind=UPDATE), LOOP),
    *(Row("P28", str(source), facts(UPDATE, author=OTHER, assigned=NOBODY, source_kind=source), OUT)
      for source in (UPDATE, *NOT_THREAD)),
    Row("P29", "", facts(UPDATE, author=OTHER, assigned=NOBODY, flags=REVIEWER), OUT),
    Row("P30", "P21", facts(UPDATE, author=OTHER, orchestrator=None), YES),
    Row("P30", "P22", facts(UPDATE, author=LEAD, source_kind=UPDATE, orchestrator=None), LOOP),
    Row("P30", "P26", facts(UPDATE, author=OTHER, status="review", assigned=NOBODY, flags=REVIEWER,
                            orchestrator=None), YES),
    Row("P30", "P27", facts(UPDATE, author=LEAD, status="review", assigned=NOBODY, flags=REVIEWER,
                            source_kind=UPDATE, orchestrator=None), LOOP),
    Row("P30", "P28", facts(UPDATE, author=OTHER, assigned=NOBODY, orchestrator=None), OUT),
    Row("P30", "P29", facts(UPDATE, author=OTHER, assigned=NOBODY, flags=REVIEWER,
                            orchestrator=None), OUT),
    Row("P31", "", facts(UPDATE, author=OTHER, status=None), OUT),
    Row("P32", "", facts(UPDATE, author=OTHER, status=None, to=LEAD), YES),
    Row("P33", "assignee", facts(CHANGE, status="done"), CLOSED),
    Row("P33", "orchestrator", facts(CHANGE, status="done", to=LEAD), CLOSED),
    Row("P34", "assignee", facts(CHANGE, status="blocked"), CLOSED),
    Row("P34", "orchestrator", facts(CHANGE, status="blocked", to=LEAD), CLOSED),
    Row("P35", "", facts(CHANGE, status="review", to=LEAD), YES),
    Row("P36", "", facts(CHANGE, status="review", assigned=NOBODY, flags=REVIEWER), YES),
    Row("P37", "outsider", facts(CHANGE, status="review", assigned=NOBODY), REVIEW),
    Row("P37", "assignee", facts(CHANGE, status="review"), REVIEW),
    *(Row("P38", status, facts(CHANGE, status=status, assigned=NOBODY), YES)
      for status in ("inbox", "assigned", "in_progress")),
    Row("P38", "archived", facts(CHANGE, status="archived"), CLOSED),
    Row("P39", "", facts(CHANGE, status=None), YES),
    *(Row("P40", status, facts(CHANGE, status=status, to_agent=False), YES) for status in STATUSES),
    *(Row("P41", status, facts(Kind.OTHER, status=status), YES) for status in STATUSES),
]  # fmt: skip


def thread_of(*authors: str) -> Context:
    """Build a thread update about the first message of a thread."""
    thread = tuple(
        message(message_id=MessageId(f"m{at}"), author_type=author, author_id=OTHER)
        for at, author in enumerate(authors)
    )
    row = notification(kind=UPDATE, message=thread[0].message_id)
    return context(notification=row, message=thread[0], thread=thread)


def stale_but(**changes: Any) -> Context:
    """Build an update that would be stale, with one fact of its notification changed."""
    found = thread_of("user", "user")
    return replace(found, notification=replace(found.notification, **changes))


STALE = [
    ("T1", thread_of("user", "agent", "user"), Reason.STALE_THREAD_UPDATE),
    ("T2", thread_of("user", "agent"), YES),
    ("T3", stale_but(message=None), YES),
    ("T4", stale_but(kind=Kind.MENTION), YES),
    ("T5", stale_but(recipient_is_agent=False), YES),
    ("T6", thread_of("agent", "user"), YES),
    ("T7", stale_but(message=MessageId("older than the window")), YES),
]


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=f"{row.row}-{row.case}".removesuffix("-")) for row in TABLE]
)
def test_item_31_the_decision_table_holds(row: Row) -> None:
    assert decide(row.given) == row.decision


def test_item_31_no_row_of_the_decision_table_is_left_out() -> None:
    assert {row.row for row in TABLE} == {f"P{number:02}" for number in range(1, 42)}


def test_p04_an_absent_recipient_type_counts_as_agent() -> None:
    """Else the private chat of the orchestrator would leak to every assignee."""
    found = read_context({
        "notification": {"_id": "n", "type": "mention", "recipientId": ENGINEER, "createdAt": 1.0,
                         "taskId": "t"},
        "agent": {"_id": ENGINEER},
        "task": {"_id": "t", "labels": [ORCHESTRATOR_CHAT_LABEL]},
        "orchestratorAgentId": LEAD,
        "deliverySessionKey": "task:t:agent:a:acc:v1",
    })  # fmt: skip

    assert found is not None
    assert decide(found) == Decision(Verdict.SKIP, Reason.CHAT_OF_ORCHESTRATOR)


@pytest.mark.parametrize(
    ("given_facts", "reason"), [pytest.param(found, why, id=name) for name, found, why in STALE]
)
def test_item_37_only_an_overtaken_message_of_a_person_is_stale(
    given_facts: Context, reason: Reason
) -> None:
    assert decide(given_facts).reason is reason


def test_item_33_a_notification_of_a_missing_agent_is_skipped() -> None:
    assert decide(context(agent=None)) == Decision(Verdict.SKIP, Reason.MISSING_AGENT)


def test_item_34_a_notification_of_a_missing_task_is_skipped() -> None:
    assert decide(context(task=None)) == Decision(Verdict.SKIP, Reason.MISSING_TASK)


def test_item_35_a_missing_session_key_is_looked_for_again() -> None:
    found = decide(context(session_key=None))

    assert found == Decision(Verdict.RETRY, Reason.MISSING_SESSION_KEY)


def test_item_35_what_is_skipped_anyway_needs_no_session_key() -> None:
    found = decide(replace(facts(UPDATE, status="done"), session_key=None))

    assert found.verdict is Verdict.SKIP


def test_a_missing_agent_is_told_before_a_missing_task() -> None:
    assert decide(context(agent=None, task=None)).reason is Reason.MISSING_AGENT


@pytest.mark.parametrize("status", ["done", "blocked"])
@pytest.mark.parametrize("to", [ENGINEER, LEAD])
def test_item_38_people_do_not_wake_agents_on_closed_tasks(status: str, to: AgentId) -> None:
    assert decide(facts(UPDATE, status=status, to=to)).reason is CLOSED


@pytest.mark.parametrize("kind", PEOPLE_WAIT)
def test_item_39_who_is_called_is_called_on_a_done_task_too(kind: Kind) -> None:
    assert decide(facts(kind, status="done")).verdict is Verdict.DELIVER


@pytest.mark.parametrize("kind", Kind)
def test_item_40_the_chat_belongs_to_the_orchestrator_alone(kind: Kind) -> None:
    for status in ("in_progress", "done"):
        mine = facts(kind, status=status, labels=CHAT, to=LEAD)
        theirs = facts(kind, status=status, labels=CHAT)
        assert decide(mine).verdict is Verdict.DELIVER
        assert decide(theirs).verdict is Verdict.SKIP


def test_item_41_two_assignees_cannot_answer_each_other_for_ever() -> None:
    def answer_to_an_answer(to: AgentId) -> Context:
        both = (ENGINEER, OTHER)
        return facts(UPDATE, author=OTHER, to=to, assigned=both, source_kind=UPDATE)

    assert decide(answer_to_an_answer(LEAD)).verdict is Verdict.DELIVER
    assert decide(answer_to_an_answer(ENGINEER)).reason is LOOP


@pytest.mark.parametrize(
    ("to", "flags", "verdict"),
    [
        (LEAD, Flags(), Verdict.DELIVER),
        (ENGINEER, REVIEWER, Verdict.DELIVER),
        (ENGINEER, Flags(), Verdict.SKIP),
    ],
)
def test_item_42_a_review_is_announced_to_those_who_review(
    to: AgentId, flags: Flags, verdict: Verdict
) -> None:
    assert decide(facts(CHANGE, status="review", to=to, flags=flags)).verdict is verdict


@pytest.mark.parametrize("kind", [CHANGE, UPDATE])
def test_item_43_a_role_called_qa_is_no_right_to_review(kind: Kind) -> None:
    qa = Agent(agent_id=ENGINEER, name="QA", slug="qa", role="QA")
    found = facts(kind, author=OTHER, status="review", assigned=NOBODY)

    assert decide(replace(found, agent=qa)).verdict is Verdict.SKIP


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("has_right", [True, False])
def test_item_44_done_needs_review_and_the_right(status: str, has_right: bool) -> None:
    found = facts(Kind.MENTION, status=status, flags=Flags(can_mark_done=has_right))

    assert may_mark_done(found) is (status == "review" and has_right)


def test_item_44_without_a_task_nothing_can_be_done() -> None:
    assert not may_mark_done(facts(Kind.MENTION, status=None, flags=Flags(can_mark_done=True)))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(facts(Kind.MENTION, assigned=(ENGINEER, OTHER)), True, id="one-of-two"),
        pytest.param(facts(Kind.MENTION), False, id="the-only-one"),
        pytest.param(facts(Kind.MENTION, assigned=NOBODY), False, id="nobody"),
        pytest.param(facts(Kind.MENTION, assigned=(LEAD, OTHER)), False, id="outsider"),
        pytest.param(facts(Kind.MENTION, status=None), False, id="no-task"),
        pytest.param(
            replace(facts(Kind.MENTION, assigned=(ENGINEER, OTHER)), agent=None),
            False,
            id="no-agent",
        ),
    ],
)
def test_item_45_only_one_of_several_assignees_shares_the_task(
    found: Context, expected: bool
) -> None:
    assert is_one_of_several_assignees(found) is expected


@pytest.mark.parametrize("author", ["user", OTHER, None])
@pytest.mark.parametrize("kind", Kind)
def test_an_answer_is_owed_to_people_and_to_who_calls(kind: Kind, author: str | None) -> None:
    is_update_of_a_person = kind is UPDATE and author != OTHER

    owed = requires_reply(facts(kind, author=author))

    assert owed is (kind in PEOPLE_WAIT or is_update_of_a_person)


agents = st.sampled_from([ENGINEER, LEAD, OTHER])
statuses = st.sampled_from([*STATUSES, "a new status", ""])
authors = st.sampled_from(["user", "agent", "system", ""])
messages = st.builds(
    message,
    message_id=st.sampled_from([MessageId("m1"), MessageId("m2"), MessageId("m3")]),
    author_type=authors,
    author_id=agents,
)
contexts = st.builds(
    Context,
    notification=st.builds(
        notification,
        kind=st.sampled_from(Kind),
        recipient=agents,
        recipient_is_agent=st.booleans(),
        task=st.none() | st.just(TaskId("t")),
        message=st.none() | st.sampled_from([MessageId("m1"), MessageId("m2")]),
    ),
    agent=st.none() | st.builds(Agent, agent_id=agents, name=authors, slug=authors, role=authors),
    task=st.none()
    | st.builds(
        task,
        status=statuses,
        labels=st.sampled_from([(), CHAT, ("bug",)]),
        assigned_agents=st.lists(agents, max_size=3).map(tuple),
    ),
    message=st.none() | messages,
    thread=st.lists(messages, max_size=4).map(tuple),
    source_kind=st.none() | st.sampled_from(Kind),
    orchestrator=st.none() | agents,
    flags=st.builds(Flags, can_review_tasks=st.booleans(), can_mark_done=st.booleans()),
    session_key=st.none() | st.just("task:t:agent:a:acc:v1"),
)


@settings(max_examples=150)
@given(found=contexts)
def test_every_combination_of_facts_has_a_decision(found: Context) -> None:
    decision = decide(found)

    assert (decision.verdict is Verdict.DELIVER) == (decision.reason is Reason.DELIVERABLE)
    if decision.verdict is Verdict.RETRY:
        assert found.session_key is None
    requires_reply(found)
    may_mark_done(found)
    is_one_of_several_assignees(found)


@settings(max_examples=100)
@given(found=contexts)
def test_nobody_is_woken_by_an_own_message(found: Context) -> None:
    """Outside its private chat even the orchestrator does not hear its own words."""
    said = found.message
    is_own = (
        said is not None
        and said.author_type == "agent"
        and said.author_id == found.notification.recipient
    )
    is_chat = found.task is not None and found.task.is_orchestrator_chat

    if is_own and not is_chat:
        assert decide(found).verdict is Verdict.SKIP
