"""Restarts and upgrades: followed once, passed on to all, and never without end."""

from datetime import timedelta

import pytest

from dispatcher.domain.errors import BackendUnavailable, StoreUnavailable
from dispatcher.domain.upgrade import Step, Tried, Upgrade, Versions, decide
from dispatcher.runtime.restarts import PATIENCE, RestartRequests, RestartWatch
from tests.fakes.clock import ManualClock

OLD, NEW = Versions(openclaw="1", runtime="1"), Versions(openclaw="2", runtime="2")
EVERY = timedelta(seconds=30)


def upgrade(*, target: Versions = NEW, strategy: str = "immediate", at: int = 7) -> Upgrade:
    return Upgrade(target=target, initiated_ms=at, strategy=strategy)


@pytest.mark.parametrize(
    ("pending", "tried", "step"),
    [
        (None, None, Step.NOTHING),
        (None, Tried(initiated_ms=7, call="ours"), Step.NOTHING),
        (upgrade(), None, Step.LEAVE),
        (upgrade(), Tried(initiated_ms=6, call="ours"), Step.LEAVE),
        (upgrade(), Tried(initiated_ms=7, call="ours"), Step.GIVE_UP),
        (upgrade(), Tried(initiated_ms=7, call="of others"), Step.NOTHING),
        (upgrade(target=OLD), None, Step.NOTHING),
        (upgrade(target=OLD), Tried(initiated_ms=7, call="ours"), Step.NOTHING),
        (upgrade(target=Versions(openclaw="1", runtime="2")), None, Step.LEAVE),
        (upgrade(strategy="rolling"), None, Step.NOTHING),
        (upgrade(strategy="canary"), Tried(initiated_ms=7, call="ours"), Step.NOTHING),
    ],
)
def test_item_170_an_upgrade_is_followed_once(
    pending: Upgrade | None, tried: Tried | None, step: Step
) -> None:
    found = decide(pending, running=OLD, tried=tried, began_under="ours", is_old=True)

    assert found is step


def test_a_young_process_does_not_judge_an_upgrade() -> None:
    """The gateway may still be on its way."""
    tried = Tried(initiated_ms=7, call="ours")

    found = decide(upgrade(), running=OLD, tried=tried, began_under="ours", is_old=False)

    assert found is Step.NOTHING


class Office:
    """The backend with its wishes, the call to all processes, and a lead."""

    def __init__(self, *, every: timedelta | None = EVERY) -> None:
        self.clock = ManualClock()
        self.requested = False
        self.upgrade: Upgrade | None = None
        self.failed: list[str] = []
        self.calls: list[str] = []
        self.refused: list[str] = []
        self.last_tried: Tried | None = None
        self.running: Versions | None = OLD
        self.leads: int | None = 1
        self.backend_failure: Exception | None = None
        self.store_failures = 0
        self.is_accepted = True
        self.every = every
        self.start()

    def start(self) -> None:
        """Begin a process, as its supervisor does."""
        self.requests = RestartRequests(
            self, self, running=lambda: self.running, clock=self.clock, every=self.every,
            may_ask=lambda: self.leads is not None and self.is_accepted,
        )  # fmt: skip

    def take_restart_request(self) -> bool:
        if self.backend_failure:
            raise self.backend_failure
        found, self.requested = self.requested, False
        return found

    def pending_upgrade(self) -> Upgrade | None:
        return self.upgrade

    def upgrade_failed(self, *, running: Versions, target: Versions, error: str) -> None:
        self.failed.append(error)
        self.upgrade = None

    def call(self, text: str, *, initiated_ms: int | None) -> None:
        if self.store_failures:
            self.store_failures -= 1
            self.refused.append(text)
            raise StoreUnavailable("away")
        self.calls.append(text)
        if initiated_ms is not None:
            self.last_tried = Tried(initiated_ms=initiated_ms, call=text)

    def last_call(self) -> str:
        return self.calls[-1] if self.calls else ""

    def tried(self) -> Tried | None:
        return self.last_tried

    def reasons(self) -> list[str]:
        return [call.partition(" ")[2] for call in self.calls]


def test_item_169_a_request_calls_all_processes_once() -> None:
    office = Office()
    office.requested = True

    office.requests.round()
    office.requests.round()

    assert office.reasons() == ["a restart was requested"]


def test_a_request_that_was_taken_is_not_lost_while_redis_is_away() -> None:
    """The backend has forgotten it; and nobody leads while Redis is away."""
    office = Office()
    office.requested, office.store_failures = True, 2

    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            office.requests.round()
        office.leads = None
    office.requests.round()

    assert office.reasons() == ["a restart was requested"]
    # A call of which only the answer was lost is not another call when it is repeated.
    assert {*office.refused, *office.calls} == {office.calls[0]}


def test_item_170_an_upgrade_that_changed_nothing_is_recorded_as_failed() -> None:
    office = Office()
    office.upgrade = upgrade()

    office.requests.round()
    office.requests.round()
    assert len(office.calls) == 1
    assert office.failed == []
    office.start()
    office.requests.round()
    assert office.failed == []
    office.clock.advance(PATIENCE)
    office.requests.round()

    assert len(office.calls) == 1
    (error,) = office.failed
    assert "still run runtime 1 and OpenClaw 1" in error
    assert office.upgrade is None


def test_an_upgrade_waits_until_the_versions_are_known() -> None:
    """A gateway that has not answered yet may be the new one."""
    office = Office()
    office.upgrade, office.running = upgrade(), None

    office.requests.round()
    assert office.calls == []
    office.running = OLD
    office.requests.round()

    assert len(office.calls) == 1


def test_another_upgrade_mode_leaves_requests_where_they_are() -> None:
    """They are not taken and forgotten."""
    office = Office(every=None)
    office.requested, office.upgrade = True, upgrade()

    office.requests.round()

    assert office.requested
    assert office.calls == []


def test_only_the_leader_asks_and_only_a_backend_that_accepts_us() -> None:
    for change in ({"leads": None}, {"is_accepted": False}):
        office = Office()
        office.requested = True
        vars(office).update(change)

        office.requests.round()

        assert office.requested


def test_a_backend_that_is_away_is_asked_again_later() -> None:
    office = Office()
    office.backend_failure = BackendUnavailable("away")

    assert office.requests.round() == EVERY


def test_a_process_ends_for_calls_made_since_it_began() -> None:
    office, ended = Office(), []
    office.calls = ["a an old one"]
    watch = RestartWatch(office, lambda: ended.append("end"))

    watch.round()
    watch.round()
    assert ended == []
    office.calls.append("b a new one")
    watch.round()
    watch.round()
    office.calls.append("c a newer one")
    watch.round()

    # Once: another signal would cut off what is being finished.
    assert ended == ["end"]


def test_a_call_that_runs_out_ends_nobody() -> None:
    office, ended = Office(), []
    office.calls = ["a an old one"]
    watch = RestartWatch(office, lambda: ended.append("end"))
    watch.round()

    office.calls = []
    watch.round()
    office.calls = ["c a new one"]
    watch.round()

    assert ended == ["end"]


def test_a_redis_that_is_away_does_not_stop_the_watching() -> None:
    office = Office()
    watch = RestartWatch(office, lambda: None)
    office.last_call = lambda: (_ for _ in ()).throw(StoreUnavailable("away"))  # type: ignore[method-assign]

    watch.look()
