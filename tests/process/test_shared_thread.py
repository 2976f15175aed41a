"""Two agents in one thread: the answer of one must not swallow the question to the other."""

import pytest

from tests.process.facts import asks, replies
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]


def await_quiet(stack) -> None:
    """Wait until the agents have told each other all that they have to say."""
    seen: list[int] = []

    def is_quiet() -> bool:
        ledger = stack.ledger()
        rows = [row for row in ledger["notifications"] if row["recipientType"] == "agent"]
        seen.append(len(ledger["messages"]))
        is_delivered = bool(rows) and all("deliveredAt" in row for row in rows)
        return is_delivered and len(seen) > 30 and len(set(seen[-30:])) == 1

    until(is_quiet, seconds=20)


def test_a_question_to_two_agents_is_answered_by_the_one_that_was_busy_too(start_stack) -> None:
    """The other one's answer takes the place of the question in the busy one's row."""
    stack = start_stack()
    agents = [stack.sandbox["agents"][slug] for slug in ("engineer", "writer")]
    task = stack.human("create_task", title="Shared")
    stack.human("assign", task=task, agents=agents)
    await_quiet(stack)
    stack.human("post_message", task=task, content="@writer first [[delay:3]]")
    until(lambda: [ask for ask in asks(stack, "writer") if ask["outcome"] == "running"])

    stack.human("post_message", task=task, content="a question to both of you, please")

    until(lambda: any("a question to both" in one["content"] for one in replies(stack)))
    until(lambda: any("a question to both" in one["content"] for one in replies(stack, "writer")))
    until(
        lambda: stack.ledger()["notifications"],
        lambda rows: all("deliveredAt" in row for row in rows if row["recipientType"] == "agent"),
    )
    for slug in ("engineer", "writer"):
        answers = [one for one in replies(stack, slug) if "a question to both" in one["content"]]
        assert len(answers) == 1
