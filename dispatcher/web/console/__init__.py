"""The operator's console: pages to look at, forms to steer with, one door for both."""

from typing import Final

from flask import Flask, request
from jinja2 import Environment
from markupsafe import Markup, escape

from dispatcher.domain.redact import redact
from dispatcher.domain.standing import Level, Where
from dispatcher.domain.story import next_step, sentence, short_reason, whereabouts
from dispatcher.domain.text import age, printable
from dispatcher.web.console.door import Door
from dispatcher.web.console.pages import Pages
from dispatcher.web.console.side import ConsoleSide
from dispatcher.web.console.steering import Steering
from dispatcher.web.sandbox import add_sandbox_pages

__all__ = ["ConsoleSide", "Door", "add_console"]

_FOR_PROGRAMS: Final = frozenset({"/livez", "/readyz", "/health", "/version", "/metrics", "/wake"})
"""What programs ask for, under whatever name they know us."""

MOST: Final = 100
"""So many rows a page has at most; it says how many more there are."""


def add_console(app: Flask, side: ConsoleSide) -> Door:
    """Add the console's routes and what its templates need; return who may steer."""
    door = Door(app, token=side.token, clock=side.clock, hosts=side.hosts)
    # Whatever a template prints was said by somebody else: no escape sequences, no secrets.
    app.jinja_options = {**app.jinja_options, "finalize": _harmless}
    _teach(app.jinja_env)

    @app.before_request
    def check_host() -> None:
        if request.path not in _FOR_PROGRAMS and not request.path.startswith("/agent/"):
            door.check_host()

    @app.context_processor
    def common() -> dict[str, object]:
        return {
            "version": side.version,
            "account": side.account,
            "has_threads": side.sandbox is not None,
            "door": door.view(),
            "Level": Level,
            "Where": Where,
        }

    Pages(side, most=MOST).add_to(app)
    Steering(side, door).add_to(app)
    if side.sandbox is not None:
        add_sandbox_pages(app, sandbox_url=side.sandbox[0], account=side.sandbox[1])
    return door


def _harmless(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return redact(printable(value))
    return value


def _teach(jinja: Environment) -> None:
    jinja.filters |= {
        "age": age,
        "sentence": sentence,
        "whereabouts": whereabouts,
        "reason": short_reason,
        "next_step": next_step,
        "short": _short,
        "code": _code,
        "grouped": lambda number: f"{number:,}".replace(",", "\u202f"),
    }
    jinja.trim_blocks = jinja.lstrip_blocks = True


def _short(name: str | None) -> str:
    """Show the end of a long id, by which people tell ids apart."""
    text = name or "none"
    return text if len(text) <= 10 else f"…{text[-6:]}"


def _code(text: str) -> Markup:
    """Set what stands between backticks as code."""
    parts = redact(printable(text)).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )
