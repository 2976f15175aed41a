"""Restarts and upgrades: followed once, passed on to all, and never without end."""

from datetime import timedelta

import pytest

from dispatcher.domain.errors import BackendUnavailable, StoreUnavailable
from dispatcher.domain.upgrade import Step, Upgrade, Versions, decide
from dispatcher.runtime.restarts import RestartRequests, RestartWatch

OLD, NEW = Versions(openclaw="1", runtime="1"), Versions(openclaw="2", runtime="2")
EVERY = timedelta(seconds=30)


def upgrade(*, target: Versions = NEW, strategy: str = "immediate", at: int = 7) -> Upgrade:
    return Upgrade(target=target, initiated_ms=at, strategy=strategy)


@pytest.mark.parametrize(
    ("pending", "tried_ms", "step"),
    [
        (None, None, Step.NOTHING),
        (None, 7, Step.NOTHING),
        (upgrade(), None, Step.LEAVE),
        (upgrade(), 6, Step.LEAVE),
        (upgrade(), 7, Step.GIVE_UP),
        (upgrade(target=OLD), None, Step.NOTHING),
        (upgrade(target=OLD), 7, Step.NOTHING),
        (upgrade(target=Versions(openclaw="1", runtime="2")), None, Step.LEAVE),
        (upgrade(strategy="rolling"), None, Step.NOTHING),
        (upgrade(strategy="canary"), 7, Step.NOTHING),
    ],
)
def test_item_170_an_upgrade_is_followed_once(
    pending: Upgrade | None, tried_ms: int | None, step: Step
) -> None:
    assert decide(pending, running=OLD, tried_ms=tried_ms) is step


class Office:
    """The backend with its wishes, the call to all processes, and a lead."""

    def __init__(self, *, mode: str = "exit") -> None:
        self.requested = False
        self.upgrade: Upgrade | None = None
        self.failed: list[str] = []
        self.calls: list[str] = []
        self.tried_ms: int | None = None
        self.leads: int | None = 1
        self.backend_failure: Exception | None = None
        self.store_failures = 0
        self.is_accepted = True
        self.requests = RestartRequests(
            self, self, running=lambda: OLD, every=EVERY, mode=mode,
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

    def call(self, reason: str) -> None:
        if self.store_failures:
            self.store_failures -= 1
            raise StoreUnavailable("away")
        self.calls.append(reason)

    def last_call(self) -> str:
        return self.calls[-1] if self.calls else ""

    def note_tried(self, initiated_ms: int) -> None:
        self.tried_ms = initiated_ms

    def tried(self) -> int | None:
        return self.tried_ms


def test_item_169_a_request_calls_all_processes_once() -> None:
    office = Office()
    office.requested = True

    office.requests.round()
    office.requests.round()

    assert office.calls == ["a restart was requested"]


def test_a_request_that_was_taken_is_not_lost_while_redis_is_away() -> None:
    """The backend has forgotten it."""
    office = Office()
    office.requested, office.store_failures = True, 2

    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            office.requests.round()
    office.requests.round()

    assert office.calls == ["a restart was requested"]


def test_item_170_an_upgrade_that_changed_nothing_is_recorded_as_failed() -> None:
    office = Office()
    office.upgrade = upgrade()

    office.requests.round()
    assert len(office.calls) == 1
    assert office.tried_ms == 7
    office.requests.round()

    assert len(office.calls) == 1
    (error,) = office.failed
    assert "still run runtime 1 and OpenClaw 1" in error
    assert office.upgrade is None


@pytest.mark.parametrize("mode", ["", "none", "manual"])
def test_another_mode_leaves_requests_where_they_are(mode: str) -> None:
    """They are not taken and forgotten."""
    office = Office(mode=mode)
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
