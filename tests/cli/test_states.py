"""Each of the five states that people ask about, as `explain`, `status` and `mailboxes` tell it."""

from typing import Any

from tests.cli.conftest import Shell
from tests.house import House, five_states


def test_explain_says_where_each_is_and_what_happens_next(house: House, shell: Shell) -> None:
    five = five_states(house)

    def told(delivery: str) -> str:
        found: dict[str, Any] = shell.json("explain", delivery)["deliveries"][0]
        assert found["delivery"] == delivery
        return f"{found['state']}, {found['why']}. {found['now']} {found['next']}"

    assert "resting, rests: ask_failed. It rests" in told(five.resting)
    assert "It is tried again at" in told(five.resting)
    assert "queued, all slots taken. It waits in its mailbox, one of 1. As many" in told(
        five.waiting
    )
    assert "queued, behind another. It waits in its mailbox, one of 2. Its" in told(five.behind)
    assert "dead, dead. It is a dead letter: ask_refused, after 1 attempt." in told(five.dead)
    assert "An operator paused its agent: it goes on with" in told(five.paused)
    plain = shell.text("explain", five.behind)
    assert "Its conversation has one turn at a time" in plain
    assert "Convex could not be asked" in plain


def test_status_tells_of_each(house: House, shell: Shell) -> None:
    five = five_states(house)
    house.live()

    seen = shell.json("status")

    assert {one["delivery"]: one["why"] for one in seen["resting"]["mailboxes"]} == {
        five.resting: "rests: ask_failed"
    }
    assert {one["delivery"]: one["why"] for one in seen["waiting"]["mailboxes"]} == {
        five.waiting: "all slots taken",
        five.paused: "paused",
    }
    assert [one["inMailbox"] for one in seen["running"]["mailboxes"]] == [2, 1]
    assert (seen["behind"], seen["deadLetters"]) == (1, 1)
    texts = [problem["text"] for problem in seen["problems"]]
    assert any("paused agent writer" in text for text in texts)
    assert any("1 delivery was given up" in text for text in texts)
    text = shell.text("status")
    for words in ("Running: 2 of 2", "Waiting: 2 conversations", "Resting: 1", "all slots taken",
                  "Behind them, in the same conversations: 1"):  # fmt: skip
        assert words in text


def test_mailboxes_lists_what_is_wanted(house: House, shell: Shell) -> None:
    five = five_states(house)

    assert set(shell.json("mailboxes")) == {"running", "waiting", "resting"}
    waiting = shell.json("mailboxes", "--waiting")["waiting"]
    assert {one["delivery"] for one in waiting["mailboxes"]} == {five.waiting, five.paused}
    text = shell.text("mailboxes", "--resting")
    assert five.resting in text
    assert "Waiting" not in text


def test_a_list_that_is_cut_says_so(house: House, shell: Shell) -> None:
    for _ in range(5):
        house.put()

    assert "… and 3 more" in shell.text("mailboxes", "--waiting", "--limit", "2")
    assert shell.json("mailboxes", "--limit", "2")["waiting"]["total"] == 5
    assert "… and" not in shell.text("mailboxes", "--waiting")


def test_a_task_is_explained_by_all_its_deliveries(house: House, shell: Shell) -> None:
    five = five_states(house)

    found = shell.json("explain", "t-shared")["deliveries"]

    assert len(found) == 2
    assert five.behind in {one["delivery"] for one in found}
