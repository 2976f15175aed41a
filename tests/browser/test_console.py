"""An operator at the console: watches a delivery pass, finds a dead letter, and sets it right."""

import re

import pytest
from playwright.sync_api import Browser, expect

from dispatcher.lab.stack import Stack
from tests.browser.conftest import Screen
from tests.process.facts import replies
from tests.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

PAGES = {
    "overview": "/",
    "overview-day": "/?span=day",
    "running": "/conversations?where=running",
    "waiting": "/conversations?where=waiting",
    "resting": "/conversations?where=resting",
    "agents": "/agents",
    "dead-letters": "/dead-letters",
    "threads": "/threads",
    "search": "/search?q=nothing-of-this-name",
    "sign-in": "/sign-in",
}


def say(stack: Stack, text: str) -> None:
    stack.human("post_message", task=stack.sandbox["taskId"], content=text)


def test_a_delivery_is_seen_to_pass_without_a_reload(screen: Screen, stack: Stack) -> None:
    screen.go("/")
    page = screen.page
    expect(page.get_by_text("Nobody runs.")).to_be_visible()

    say(stack, "@engineer hello")

    row = page.locator("#running tbody tr")
    expect(row).to_contain_text("engineer", timeout=10_000)
    expect(row).to_contain_text("the agent is asked")
    screen.keep("overview-running")
    expect(page.get_by_text("Nobody runs.")).to_be_visible(timeout=15_000)
    until(lambda: replies(stack))


def test_a_dead_letter_is_found_revived_and_answered(screen: Screen, stack: Stack) -> None:
    say(stack, "@writer [[error:500]] [[times:1]]")
    screen.sign_in()
    page = screen.page
    expect(page.locator("#state dd a.bad")).to_have_text("1", timeout=20_000)
    before = len(replies(stack, "writer"))

    page.get_by_role("link", name="Dead letters").first.click()
    expect(page.locator("main")).to_contain_text("ask_failed")
    page.locator("main table a code").last.click()
    expect(page.get_by_role("heading", name="Time line")).to_be_visible()
    expect(page.locator("#now")).to_contain_text("It is a dead letter: ask_failed")
    screen.keep("delivery-dead")
    page.get_by_role("button", name="Revive").click()

    expect(page.locator(".done")).to_have_text("1 dead letter revived.")
    until(lambda: len(replies(stack, "writer")) > before, seconds=20)
    expect(page.locator("#events")).to_contain_text("settled: answered", timeout=15_000)
    expect(page.locator("#events")).to_contain_text("taken back by an operator")
    screen.keep("delivery-answered")


def test_an_agent_is_paused_its_mail_explained_and_let_go_on(screen: Screen, stack: Stack) -> None:
    screen.sign_in()
    page = screen.page
    screen.go("/agents")
    page.locator("#writer").get_by_role("button", name="Pause").click()
    expect(page.locator("#writer")).to_contain_text("paused")
    screen.keep("agents-paused")
    before = len(replies(stack, "writer"))
    say(stack, "@writer are you there?")

    screen.go("/conversations?where=waiting")
    expect(page.locator("#places")).to_contain_text("An operator paused its agent", timeout=15_000)
    screen.keep("waiting-paused")
    page.locator("#places a[href^='/conversations/']").first.click()
    expect(page.locator("main")).to_contain_text("Conversation of writer")
    screen.keep("conversation")
    screen.go("/agents")
    page.locator("#writer").get_by_role("button", name="Resume").click()

    until(lambda: len(replies(stack, "writer")) > before, seconds=20)


def test_discarding_is_asked_about(screen: Screen, stack: Stack) -> None:
    say(stack, "@squad-lead [[error:500]] [[times:1]]")
    screen.sign_in()
    page = screen.page
    until(lambda: stack.health()["store"]["dead"], seconds=20)
    screen.go("/dead-letters")
    page.get_by_role("button", name="Discard all").first.click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Discard 1 dead letter?")
    screen.keep("confirm")
    page.get_by_role("button", name="Discard 1").click()

    expect(page.locator(".done")).to_have_text("1 dead letter discarded.")
    assert stack.health()["store"]["dead"] == 0


def test_a_message_is_written_and_answered_in_the_sandbox(screen: Screen, stack: Stack) -> None:
    screen.go("/threads")
    page = screen.page
    thread = page.locator("article").first
    before = thread.locator("li.agent").count()

    thread.get_by_label("Message as Alex").fill("@engineer what time is it?")
    thread.get_by_role("button", name="Send").click()

    expect(thread.locator(".typing")).to_contain_text("is typing", timeout=10_000)
    screen.keep("threads-typing")
    until(lambda: thread.locator("li.agent").count() > before, seconds=20)


def test_keys_lead_to_every_page(screen: Screen) -> None:
    """The first tab skips to the content, a slash searches, links follow in order."""
    screen.go("/")
    page = screen.page
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("writer")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/agents#writer$"))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_fits_and_is_labelled(
    browser: Browser, stack: Stack, width: int, scheme: str
) -> None:
    """Pictures of all pages are kept; nothing sticks out, every field and picture has a name."""
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    screen = Screen(context.new_page(), stack.url)
    screen.sign_in()
    for name, path in PAGES.items():
        screen.go(path)
        screen.page.wait_for_timeout(200)
        screen.keep(name)
        assert screen.page.get_by_role("heading", level=1).count() == 1, name
        unnamed = screen.page.evaluate(
            """() => [...document.querySelectorAll('input:not([type=hidden]), textarea, svg')]
            .filter(e => !(e.labels && e.labels.length) && !e.getAttribute('aria-label')
                         && e.getAttribute('aria-hidden') !== 'true')
            .map(e => e.outerHTML.slice(0, 80))"""
        )
        assert not unnamed, name
        assert screen.page.evaluate("document.documentElement.lang") == "en"
    context.close()
    assert not screen.errors
