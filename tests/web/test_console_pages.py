"""The console's pages: everything at a glance, and for each delivery where it is and why."""

import re
from datetime import timedelta

import pytest
import redis
from flask.testing import FlaskClient

from dispatcher.domain.standing import Level, Problem
from dispatcher.lab.redis_server import free_port
from tests.house import AGENTS, House, five_states, furnish
from tests.web.sample_site import Site, sign_in


def words(text: str) -> str:
    """The page as one reads it."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_the_overview_shows_the_numbers_and_the_running_turns(house: House, client) -> None:
    """For a person who has just opened it."""
    house.live()
    house.run("engineer")
    house.answer(house.run("writer"))

    text = words(client.get("/").text)

    assert "Healthy" in text
    assert "Running 1 of 2" in text
    assert re.search(r"engineer mention claimed by worker host:2", text)
    assert "1 alive, 32 threads" in text
    assert "Throughput: 1 answered, 0 failed attempts in all" in client.get("/").text


def test_problems_come_with_what_to_do(house: House, client: FlaskClient) -> None:
    house.live(Problem(text="Convex <is> away.", remedy="Call `them`.", level=Level.DOWN))

    text = client.get("/").text

    assert "Convex &lt;is&gt; away." in text
    assert "Call <code>them</code>." in text
    assert "Needs attention" in text


def test_nobody_at_home_is_said(client: FlaskClient) -> None:
    """A console of a runtime that has lost its lead, and no workers."""
    text = words(client.get("/").text)

    assert "No runtime lives" in text
    assert "No worker has given a sign of life" in text


def test_each_of_the_five_states_is_explained(house: House, client: FlaskClient) -> None:
    five = five_states(house)

    def told(delivery: str) -> str:
        return words(client.get(f"/deliveries/{delivery}").text)

    assert "rests: ask_failed" in told(five.resting)
    assert "It is tried again at" in told(five.resting)
    assert "As many turns run as may run at once" in told(five.waiting)
    assert "Its conversation has one turn at a time" in told(five.behind)
    assert "It is a dead letter: ask_refused" in told(five.dead)
    assert "An operator paused its agent" in told(five.paused)

    waiting = words(client.get("/conversations?where=waiting").text)
    assert "all slots taken" in waiting
    assert "paused" in waiting
    assert "ask_failed" in words(client.get("/conversations?where=resting").text)
    behind = words(client.get(f"/conversations/{five.conversations['behind']}").text)
    assert "behind another" in behind
    assert "runs" in behind
    assert "Behind another 1" in words(client.get("/").text)


def test_agents_show_load_pause_rest_and_heartbeats(house: House, client: FlaskClient) -> None:
    five_states(house)
    steps = house.store.steps
    house.client.hset(f"{steps.prefix}heartbeat_every", AGENTS["engineer"], 900_000)
    house.client.zadd(f"{steps.prefix}heartbeats", {AGENTS["engineer"]: 1})
    steps.run("end_heartbeat", AGENTS["engineer"], 0, "")

    text = words(client.get("/agents").text)

    assert re.search(r"Engineer engineer busy 1 of 2 0 0 \d+ 0 s ago in 15 min", text), text
    assert re.search(r"Writer writer paused", text)
    assert "squad-lead · lead" in text


def test_dead_letters_are_grouped_by_cause_and_agent(house: House, client: FlaskClient) -> None:
    for _ in range(3):
        house.die("engineer")
    house.die("writer")

    text = words(client.get("/dead-letters").text)
    assert re.search(r"3 ask_refused engineer", text)
    assert re.search(r"1 ask_refused writer", text)

    one = words(client.get(f"/dead-letters?cause=ask_refused&agent={AGENTS['writer']}").text)
    assert "engineer" not in one


def test_a_search_finds_whatever_an_id_means(house: House, client: FlaskClient) -> None:
    first = house.put(task="t-shared")
    house.put(task="t-shared")
    url = f"/deliveries/{first.delivery}"

    assert client.get("/search", query_string={"q": first.notification}).location == url
    assert client.get("/search", query_string={"q": first.message}).location == url
    assert client.get("/search", query_string={"q": first.delivery}).location == url
    both = words(client.get("/search", query_string={"q": first.conversation}).text)
    assert "2 deliveries belong to" in both
    of_task = client.get("/search?q=t-shared").text
    assert "2 deliveries belong to" in words(of_task)
    assert first.delivery in of_task
    assert client.get("/search?q=writer").location == "/agents#writer"
    assert "Nothing is known here" in words(client.get("/search?q=nonsense").text)
    assert client.get("/search?q=").location == "/"


def test_a_settled_delivery_keeps_its_story(house: House, client: FlaskClient) -> None:
    claim = house.run()
    house.answer(claim)

    text = words(client.get(f"/deliveries/{claim.delivery}").text)

    assert "It is over: settled: answered." in text
    assert "the agent answered, and the answer is stored (100 tokens in, 7 out)" in text


@pytest.mark.parametrize("path", ["/deliveries/nothing", "/conversations/no:thing",
                                  "/conversations?where=nowhere"])  # fmt: skip
def test_what_does_not_exist_is_a_page_of_its_own(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Accept": "text/html"})

    assert answer.status_code == 404
    assert "Not found" in words(answer.text)


def test_the_last_answer_is_shown_to_operators_only(house: House, client: FlaskClient) -> None:
    """Whoever reaches the port may look, but need not read what agents say."""
    dead = house.die(answer="the secret plan")

    assert "secret plan" not in client.get(f"/deliveries/{dead}").text
    sign_in(client)
    assert "the secret plan" in client.get(f"/deliveries/{dead}").text


def test_convex_is_asked_by_operators_only(house: House, client: FlaskClient) -> None:
    """It costs a call, and a page that asks by itself would ask again and again."""
    entry = house.put()
    page = f"/deliveries/{entry.delivery}"

    assert "Ask Convex" not in client.get(page).text
    assert client.post("/steer/ask", data={"delivery": entry.delivery}).status_code == 401
    form = {"delivery": entry.delivery, "form_token": sign_in(client), "back": page}
    assert "Ask Convex" in client.get(page).text
    answer = client.post("/steer/ask", data=form, follow_redirects=True)
    assert "Convex does not know a notification of this id." in answer.text


def test_foreign_text_is_neither_run_nor_obeyed(redis_client: redis.Redis) -> None:
    """Names come from people, causes and workers from elsewhere."""
    evil = "<script>alert(1)</script>\x1b[31m\u202eSERVICE_TOKEN=mc_service_abc"
    house = furnish(redis_client, lead_name=evil)
    house.run("squad-lead")

    for path in ("/", "/agents", "/conversations?where=running"):
        text = Site(house).client().get(path).text
        assert "<script>alert" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "mc_service_abc" not in text
    assert "&lt;script&gt;alert(1)" in Site(house).client().get("/agents").text


def test_an_unreachable_redis_is_a_page_that_says_so(house: House) -> None:
    away = furnish_away(house)

    answer = Site(away).client().get("/", headers={"Accept": "text/html"})

    assert answer.status_code == 503
    assert "Redis cannot be reached" in words(answer.text)
    assert "REDIS_URL" in answer.text
    assert Site(away).client().get("/agents").json == {
        "error": "Redis: ConnectionError. Is REDIS_URL right, and does it run?"
    }


def furnish_away(house: House) -> House:
    """The same house on a Redis that is gone."""
    from dispatcher.adapters.redis.controls import RedisControls
    from dispatcher.adapters.redis.mailboxes import RedisMailboxes
    from dispatcher.adapters.redis.pulses import RedisPulses
    from dispatcher.adapters.redis.records import RedisRecords
    from dispatcher.adapters.redis.roster import RedisRoster
    from dispatcher.adapters.redis.survey import RedisSurvey
    from tests.house import ACCOUNT

    gone = redis.Redis(port=free_port(), retry=None)
    store = RedisMailboxes(gone, account=ACCOUNT, lease=timedelta(seconds=30), worker="-")
    return House(
        client=gone, store=store, controls=RedisControls(gone, store.steps),
        records=RedisRecords(gone, store.steps), survey=RedisSurvey(store.steps),
        roster=RedisRoster(gone, store.steps), pulses=RedisPulses(gone, store.steps),
    )  # fmt: skip


def test_however_much_waits_every_page_stays_bounded(house: House, client: FlaskClient) -> None:
    """Thousands in line are no reason for a page of megabytes."""
    house.fill(waiting=3_000, dead=300)
    paths = ("/", "/conversations?where=waiting", "/agents", "/dead-letters", "/search?q=nothing")

    for path in paths:
        text = client.get(path).text
        assert text.count("<tr>") <= 110, path
        assert len(text) < 300_000, path
    assert "2\u202f900 more" in client.get("/conversations?where=waiting").text
    assert "… and 200 more" in words(client.get("/dead-letters").text)
