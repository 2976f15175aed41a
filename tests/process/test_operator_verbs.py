"""The verbs of an operator against a running stack: explain, dead letters, pause."""

import json
import os
import subprocess
import sys

import pytest

from tests.process.facts import asks, await_all_delivered, replies, rows_for_agents
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]


def run(stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dispatcher", *arguments],
        env={"PATH": os.environ["PATH"]} | stack.settings,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def mention(stack, text: str) -> None:
    stack.human("post_message", task=stack.sandbox["taskId"], content=text)


@pytest.fixture(scope="module")
def stack(request, tmp_path_factory):
    from dispatcher.lab.stack import Stack
    from tests.process.facts import QUICK

    settings = QUICK | {"DELIVERY_MAX_ATTEMPTS": "2"}
    stack = Stack(tmp_path_factory.mktemp("verbs"), settings=settings, workers=1,
                  sandbox_arguments=("--delay", "0.1"))  # fmt: skip
    stack.start()
    stack.human("set_orchestrator", agent=None)
    yield stack
    stack.stop()


def test_a_dead_letter_is_explained_revived_and_answered(stack) -> None:
    mention(stack, "@engineer [[error:500]] [[times:2]]")
    await_all_delivered(stack, 1)
    [row] = rows_for_agents(stack)
    until(lambda: run(stack, "dead-letters", "list").stdout)

    listed = run(stack, "dead-letters", "list", "--json")
    letter = json.loads(listed.stdout)
    explained = run(stack, "explain", row["_id"])
    assert "is a dead letter: ask_failed" in explained.stdout
    assert "the agent is asked" in explained.stdout
    assert "marked delivered" in explained.stdout
    assert stack.settings["SERVICE_TOKEN"] not in explained.stdout

    revived = run(stack, "dead-letters", "revive", letter["delivery"])
    assert revived.returncode == 0, revived.stderr
    # The notice of its death stands before the answer.
    until(lambda: len(replies(stack)) == 2)
    assert len(asks(stack)) == 3
    story = until(
        lambda: json.loads(run(stack, "explain", "--json", row["_id"]).stdout),
        lambda found: found["deliveries"][0]["state"] == "over",
    )
    assert [event["step"] for event in story["deliveries"][0]["events"]][-1] == "settled"


def test_what_is_paused_waits_says_so_and_goes_on(stack) -> None:
    assert run(stack, "pause", "--all").returncode == 0
    before = len(replies(stack, "writer"))
    mention(stack, "@writer are you there?")
    row = until(lambda: rows_for_agents(stack, "writer"))[-1]

    waiting = until(
        lambda: run(stack, "explain", row["_id"]).stdout, lambda text: "dispatcher resume" in text
    )
    assert "waits in its mailbox" in waiting
    assert "paused" in str(stack.health()["problems"])
    assert len(replies(stack, "writer")) == before

    assert "Resumed" in run(stack, "resume", "--all").stdout
    until(lambda: len(replies(stack, "writer")) == before + 1)


def test_an_unknown_id_is_no_traceback(stack) -> None:
    found = run(stack, "explain", "nothing-of-this-name")

    assert found.returncode == 1
    assert "Nothing is known here" in found.stdout
    assert found.stderr == ""


def test_without_a_target_pause_says_what_to_say(stack) -> None:
    found = run(stack, "pause")

    assert found.returncode == 2
    assert "--agent" in found.stderr


def test_a_redis_that_is_away_is_one_sentence(stack) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "dispatcher", "dead-letters", "list"],
        env={"PATH": os.environ["PATH"]} | stack.settings | {"REDIS_URL": "redis://127.0.0.1:1/0"},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip

    assert found.returncode == 69
    assert "REDIS_URL" in found.stderr
    assert "Traceback" not in found.stderr
