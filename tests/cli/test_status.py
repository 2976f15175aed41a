"""`dispatcher status`: one screen, an exit code, and what to do about what is wrong."""

from dispatcher.domain.standing import Level, Problem
from dispatcher.lab.redis_server import free_port
from tests.cli.conftest import Shell
from tests.house import House


def test_all_is_well(house: House, shell: Shell) -> None:
    house.live()
    house.answer(house.run())

    text = shell.text("status")

    assert "healthy" in text
    assert "1 alive; host:1 leads (term 1)" in text
    assert "1 alive with 32 threads for 2 turns at once" in text
    assert "1 answered" in text
    assert "100 tokens in, 7 out" in text
    seen = shell.json("status")
    assert seen["status"] == "healthy"
    assert seen["lastHour"]["answered"] == 1
    assert 3_000 < seen["lastHour"]["waitMs"]["p50"] <= 7_500


def test_whatever_is_wrong_comes_with_what_to_do(house: House, shell: Shell) -> None:
    house.live(Problem(text="Convex is away.", remedy="Wait.", level=Level.DOWN, runbook="poll"))

    text = shell.text("status", code=1)

    assert "degraded" in text
    assert "• Convex is away." in text
    assert "  Wait." in text
    assert shell.json("status", code=1)["problems"][0]["runbook"] == "poll"


def test_a_note_alone_is_no_failure(house: House, shell: Shell) -> None:
    house.live()
    house.controls.pause("all")

    seen = shell.json("status")

    assert seen["status"] == "healthy"
    assert "An operator paused everything" in seen["problems"][0]["text"]


def test_without_processes_it_says_which_to_start(shell: Shell) -> None:
    text = shell.text("status", code=1)

    assert "No runtime lives" in text
    assert "dispatcher run" in text
    assert "dispatcher worker" in text


def test_a_redis_that_is_away_is_one_sentence(shell: Shell) -> None:
    shell.settings["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"

    for verb in (("status",), ("mailboxes",), ("status", "--json"), ("explain", "x")):
        result = shell.run(*verb)
        assert result.exit_code == 69
        assert "REDIS_URL" in result.stderr
        assert "Traceback" not in result.output


def test_watching_into_a_pipe_is_refused(shell: Shell) -> None:
    result = shell.run("status", "--watch")

    assert result.exit_code == 1
    assert "needs a terminal" in result.stderr
    assert shell.run("status", "--watch", "--json").exit_code == 2


def test_escape_sequences_do_not_reach_the_terminal(house: House, shell: Shell) -> None:
    house.live(Problem(text="\x1b]0;owned\x07\x1b[31mred SERVICE_TOKEN=abc", level=Level.NOTE))

    text = shell.text("status")

    assert "\x1b" not in text
    assert "owned" not in text
    assert "abc" not in text
    assert "red" in text


def test_many_are_shown_as_few_and_a_number(house: House, shell: Shell) -> None:
    house.fill(waiting=2_000, dead=200)

    text = shell.text("status", code=1)

    assert text.count("\n") < 60
    assert "… and 1990 more: dispatcher mailboxes --waiting" in text
