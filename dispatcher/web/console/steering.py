"""The forms that change something: each is checked at the door first."""

from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Flask, abort, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from dispatcher.domain.dead_letter import Sieve
from dispatcher.domain.diagnosis import named
from dispatcher.domain.errors import JournalUnreadable
from dispatcher.domain.ids import AgentId, DeliveryId
from dispatcher.domain.world import ALL
from dispatcher.flows.explain import explain
from dispatcher.flows.overview import names_of
from dispatcher.web.console.door import Door
from dispatcher.web.console.side import ConsoleSide

_LISTED = 20
Answer = Response | str | tuple[Response | str, int]


class Steering:
    """The forms and what they do."""

    def __init__(self, side: ConsoleSide, door: Door) -> None:
        self._side = side
        self._door = door

    def add_to(self, app: Flask) -> None:
        """Add the routes."""
        app.add_url_rule("/sign-in", "sign_in_page", self.sign_in_page)
        for rule, view in (
            ("/sign-in", self.sign_in),
            ("/sign-out", self.sign_out),
            ("/steer/ask", self.ask),
            ("/steer/pause", self.pause),
            ("/steer/resume", self.resume),
            ("/steer/revive", self.revive),
            ("/steer/discard", self.discard),
        ):
            app.add_url_rule(rule, view.__name__, view, methods=["POST"])

    def sign_in_page(self) -> str:
        """Ask for the console token."""
        return render_template("sign_in.html", page="", is_wrong=False)

    def sign_in(self) -> Answer:
        """Open a session for whoever knows the console token."""
        if self._door.sign_in(request.form.get("token", "")):
            return redirect(_local(request.form.get("back", "")))
        return render_template("sign_in.html", page="", is_wrong=True), 401

    def sign_out(self) -> Answer:
        """End the session."""
        self._door.sign_out()
        return redirect(url_for("overview"))

    def ask(self) -> Answer:
        """Ask Convex about a delivery's row; it costs a call, so only an operator may."""
        self._door.check()
        side = self._side
        found = explain(
            request.form.get("delivery", "")[:300],
            records=side.records, mailboxes=side.mailboxes, backend=side.backend,
        )  # fmt: skip
        return _done(found.backend or "Convex cannot be asked about this one.")

    def pause(self) -> Answer:
        """Stop asking everything, an agent or a conversation."""
        self._door.check()
        what = _what(request.form.get("what", ""))
        done = self._side.controls.pause(what)
        text = self._named(what)
        return _done(f"Paused {text}." if done else f"It was paused before: {text}.")

    def resume(self) -> Answer:
        """Go on with what was paused."""
        self._door.check()
        what = _what(request.form.get("what", ""))
        done = self._side.controls.resume(what)
        text = self._named(what)
        return _done(f"Resumed {text}." if done else f"It was not paused: {text}.")

    def _named(self, what: str) -> str:
        return named(what, names_of(self._side.roster.read()))

    def revive(self) -> Answer:
        """Try dead letters again."""
        self._door.check()
        act = self._side.controls.revive
        return _on_dead_letters(self._side, act, verb="revive", is_asked=False)

    def discard(self) -> Answer:
        """Forget dead letters, once the operator is sure."""
        self._door.check()
        act = self._side.controls.discard
        return _on_dead_letters(self._side, act, verb="discard", is_asked=True)


def _on_dead_letters(
    side: ConsoleSide, act: Callable[[DeliveryId], bool], *, verb: str, is_asked: bool
) -> Answer:
    """Act on the dead letters that the form names, or only say which they are."""
    wanted = _wanted(side)
    is_dry = request.form.get("dry") == "yes"
    if is_dry or (is_asked and request.form.get("sure") != "yes"):
        return render_template(
            "confirm.html", page="dead", verb=verb, is_dry=is_dry, wanted=wanted[:_LISTED],
            total=len(wanted), form=request.form,
        )  # fmt: skip
    done, kept = 0, 0
    for delivery in wanted:
        try:
            done += act(delivery)
        except JournalUnreadable:
            kept += 1
    text = f"{done} dead letter{'' if done == 1 else 's'} {verb}{'d' if verb[-1] == 'e' else 'ed'}."
    if kept:
        text += f" {kept} were written by a newer version and can only start over (command line)."
    return _done(text)


def _wanted(side: ConsoleSide) -> list[DeliveryId]:
    if delivery := request.form.get("delivery"):
        return [DeliveryId(delivery)]
    cause, agent = request.form.get("cause"), request.form.get("agent")
    if not cause or not agent:
        abort(400, "Name a delivery, or a cause and an agent.")
    sieve = Sieve(cause=cause, agent=AgentId(agent))
    now = side.clock.now()
    return [
        one.delivery for one in side.controls.dead_letters() if sieve.lets_through(one, now=now)
    ]


def _what(text: str) -> str:
    kind, _, rest = text.partition(":")
    if text != ALL and (kind not in {"agent", "conversation"} or not rest or len(text) > 200):
        abort(400, "Everything, an agent or a conversation can be paused; nothing else.")
    return text


def _done(text: str) -> Response:
    """Go back to the page that the form stood on, and say there what was done."""
    if "Authorization" in request.headers:
        return jsonify(done=text)
    flash(text)
    return redirect(_local(request.form.get("back", "")))


def _local(path: str) -> str:
    """Return a path of this site; whatever else was given becomes the first page."""
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/"
    is_ours = not parts.scheme and not parts.netloc and path.startswith("/") and "\\" not in path
    return path if is_ours and not path.startswith("//") else "/"
