"""A site that serves agents, with the tokens of a few of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from dispatcher.adapters.turn_tokens import Pass, TurnTokens
from dispatcher.domain.ids import SessionKey, TaskId
from dispatcher.domain.notification import Agent, Flags
from dispatcher.domain.rights import Rights
from dispatcher.web.agents import HEADER, AgentSide
from dispatcher.web.limits import Budget
from tests.fakes.actions import FakeActions
from tests.fakes.clock import ManualClock
from tests.fakes.desk import FakeTally
from tests.fakes.diary import Diary
from tests.samples import ENGINEER, LEAD, TASK, WRITER
from tests.web.sample_site import Site

ALL = Flags(
    can_create_tasks=True, can_modify_task_status=True, can_create_documents=True,
    can_mention_agents=True, can_review_tasks=True, can_mark_done=True,
)  # fmt: skip
LIFE = timedelta(minutes=11)
CREW = (
    Agent(agent_id=ENGINEER, name="Engineer", slug="engineer", role="Developer"),
    Agent(agent_id=LEAD, name="Squad Lead", slug="squad-lead", role="Lead"),
    Agent(agent_id=WRITER, name="Writer", slug="writer", role="Writer"),
)


class Crew:
    """See ``Directory``."""

    def agents(self) -> tuple[Agent, ...]:
        return CREW


def rights(
    *, lead: bool = False, done: bool = False, flags: Flags = ALL, task: TaskId | None = TASK
) -> Rights:
    agent = LEAD if lead else ENGINEER
    return Rights(agent=agent, task=task, is_orchestrator=lead, may_mark_done=done, flags=flags)


@dataclass
class AgentSite:
    """The app, what its agents did, and the clock by which their tokens expire."""

    clock: ManualClock = field(default_factory=ManualClock)
    actions: FakeActions = field(default_factory=lambda: FakeActions(Diary()))
    tally: FakeTally = field(default_factory=FakeTally)
    calls: int = 1_000

    def __post_init__(self) -> None:
        self.tokens = TurnTokens(SecretStr("k" * 32), life=LIFE, clock=self.clock)
        self.serve(self.tokens.read)

    def serve(self, read_pass: Callable[[str], Pass]) -> None:
        """Serve agents whom this recognises."""
        self.side = AgentSide(
            read_pass=read_pass,
            actions=self.actions,
            directory=Crew(),
            tally=self.tally,
            clock=self.clock,
            budget=Budget(self.clock, calls=self.calls),
        )
        self.places = self.side.places
        self.client: FlaskClient = Site().client(agents=self.side)

    def token(self, who: Rights | None = None, session: str = "task:t:agent:e:acc:v1") -> str:
        return self.tokens.mint(who or rights(), SessionKey(session))

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        token: str | None = "",
        address: str = "127.0.0.1",
        **more: Any,
    ) -> TestResponse:
        """Call an endpoint; ``token`` None sends no header, "" the token of the engineer."""
        headers = {} if token is None else {HEADER: token or self.token()}
        raw = {"data": body} if isinstance(body, bytes) else {"json": {} if body is None else body}
        return self.client.post(
            f"/agent/{path}",
            headers=headers | more.pop("headers", {}),
            environ_base={"REMOTE_ADDR": address},
            **raw,
            **more,
        )

    @property
    def did_nothing(self) -> bool:
        actions = self.actions
        return not (actions.calls or actions.created or actions.written or actions.statuses)
