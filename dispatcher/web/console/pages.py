"""The pages to look at; none of them changes anything."""

from collections.abc import Mapping

from flask import Flask, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from dispatcher.domain.dead_letter import DeadLetter, Sieve, grouped
from dispatcher.domain.errors import JournalUnreadable
from dispatcher.domain.ids import AgentId, ConversationId, DeliveryId
from dispatcher.domain.journal import load
from dispatcher.domain.standing import Where
from dispatcher.domain.world import paused_agent, paused_conversation
from dispatcher.flows.overview import look_around, names_of
from dispatcher.web.console.charts import charts, shares
from dispatcher.web.console.side import ConsoleSide


class Pages:
    """The pages; each reads the store anew.

    Args:
        side: What they look at.
        most: So many rows a page has at most.
    """

    def __init__(self, side: ConsoleSide, *, most: int) -> None:
        self._side = side
        self._most = most

    def add_to(self, app: Flask) -> None:
        """Add the routes."""
        for rule, view in (
            ("/", self.overview),
            ("/conversations", self.conversations),
            ("/conversations/<name>", self.conversation),
            ("/deliveries/<name>", self.delivery),
            ("/agents", self.agents),
            ("/dead-letters", self.dead_letters),
            ("/search", self.search),
        ):
            app.add_url_rule(rule, view.__name__, view)

    def overview(self) -> str:
        """Show everything at a glance."""
        seen = look_around(
            survey=self._side.survey, mailboxes=self._side.mailboxes, roster=self._side.roster, limits=self._side.limits,
            most=self._most,
        )  # fmt: skip
        span = "day" if request.args.get("span") == "day" else "hour"
        activity = self._side.survey.last_day() if span == "day" else seen.hour
        return render_template(
            "overview.html", page="overview", seen=seen, span=span, charts=charts(activity),
            shares=shares(activity, dict(seen.names)), total=activity.total(),
        )  # fmt: skip

    def conversations(self) -> str:
        """List the conversations that run, wait or rest."""
        where = _where(request.args.get("where", Where.WAITING.value))
        return render_template(
            "conversations.html", page="conversations", where=where,
            places=self._side.survey.places(where, most=self._most), stats=self._side.mailboxes.stats(),
            world=self._side.mailboxes.world(), names=_names(self._side),
        )  # fmt: skip

    def conversation(self, name: str) -> str:
        """Show the deliveries of one conversation."""
        records = self._side.records.find(name, most=self._most)
        world = self._side.mailboxes.world()
        what = paused_conversation(ConversationId(name))
        if ":" not in name or (not records and what not in dict(world.paused)):
            abort(404, f"No mail of a conversation {name} is known here.")
        return render_template(
            "conversation.html", page="conversations", name=name, records=records, world=world,
            what=what, is_paused=what in dict(world.paused), names=_names(self._side),
        )  # fmt: skip

    def delivery(self, name: str) -> str:
        """Tell the story of one delivery."""
        records = [one for one in self._side.records.find(name) if one.delivery == name]
        if not records:
            abort(404, f"No delivery {name} is known here.")
        letter = self._side.controls.dead_letter(DeliveryId(name))
        return render_template(
            "delivery.html", page="", record=records[0], world=self._side.mailboxes.world(),
            names=_names(self._side), letter=letter, answer=_answer_of(letter),
        )  # fmt: skip

    def agents(self) -> str:
        """Show the crew and what each of them does."""
        roster = self._side.roster.read()
        members = roster.members if roster else ()
        loads = self._side.survey.loads([one.agent_id for one in members]) if members else ()
        standing = self._side.survey.standing()
        total = self._side.survey.last_day().total()
        return render_template(
            "agents.html", page="agents", crew=list(zip(members, loads, strict=True)),
            lead=roster.orchestrator if roster else None, standing=standing, total=total,
            what=paused_agent,
        )  # fmt: skip

    def dead_letters(self) -> str:
        """Show what was given up, grouped by why."""
        sieve = Sieve(
            cause=request.args.get("cause") or None,
            agent=AgentId(request.args["agent"]) if request.args.get("agent") else None,
        )
        now = self._side.survey.standing().at
        letters = [
            one for one in self._side.controls.dead_letters() if sieve.lets_through(one, now=now)
        ]
        return render_template(
            "dead_letters.html", page="dead", sieve=sieve, groups=grouped(letters),
            letters=letters[:self._most], total=len(letters), names=_names(self._side), now=now,
        )  # fmt: skip

    def search(self) -> Response | str:
        """Find whatever an id means."""
        name = request.args.get("q", "").strip()[:300]
        if not name:
            return redirect(url_for("overview"))
        crew = _names(self._side)
        if any(name in {slug, agent} for agent, slug in crew.items()):
            return redirect(url_for("agents", _anchor=name))
        records = self._side.records.find(name, most=self._most, agents=list(crew))
        if len(records) == 1:
            return redirect(url_for("delivery", name=records[0].delivery))
        return render_template(
            "search.html", page="", name=name, records=records[:self._most], names=crew,
            total=len(records),
        )  # fmt: skip


def _where(name: str) -> Where:
    try:
        return Where(name)
    except ValueError:
        abort(404, "Conversations run, wait or rest; there is nothing else.")


def _names(side: ConsoleSide) -> Mapping[AgentId, str]:
    return names_of(side.roster.read())


def _answer_of(letter: DeadLetter | None) -> str | None:
    if letter is None:
        return None
    try:
        journal = load(letter.journal_text)
    except JournalUnreadable:
        return None
    return journal.reply.text if journal.reply else None
