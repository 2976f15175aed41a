"""Debian's Chromium, driven by Playwright, looking at a whole running stack."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from dispatcher.lab.stack import Stack
from tests.needs import need
from tests.process.facts import QUICK

SHOTS = Path(os.environ.get("SCREENSHOTS", ".cache/screenshots"))
TOKEN = "the-token-of-the-console"
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = need("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = QUICK | {"DELIVERY_MAX_ATTEMPTS": "1", "CONSOLE_TOKEN": TOKEN}
    stack = Stack(tmp_path_factory.mktemp("browser"), settings=settings, workers=1,
                  sandbox_arguments=("--delay", "2"))  # fmt: skip
    stack.start()
    stack.human("set_orchestrator", agent=None)
    yield stack
    stack.stop()


class Screen:
    """A page with what its console said; a test ends with none of it being an error."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console", lambda said: self.errors.append(said.text) if said.type == "error" else None
        )

    def go(self, path: str) -> None:
        self.page.goto(self.url + path)

    def sign_in(self) -> None:
        self.go("/sign-in")
        self.page.fill("#token", TOKEN)
        self.page.click("main button")
        self.page.wait_for_url(self.url + "/")

    def keep(self, name: str) -> None:
        """Keep a picture of the whole page, and see that nothing sticks out at its side."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        width = self.page.viewport_size["width"]
        self.page.screenshot(path=str(SHOTS / f"{name}-{width}.png"), full_page=True)
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.fixture
def screen(browser: Browser, stack: Stack) -> Iterator[Screen]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    screen = Screen(context.new_page(), stack.url)
    yield screen
    context.close()
    assert not screen.errors
