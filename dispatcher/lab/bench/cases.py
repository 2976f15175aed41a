"""What the benchmark runs: the cases of each scenario, and the budgets they are held to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_CAPS: Final = {
    "DELIVERY_MAX_CONCURRENT_SESSIONS": "100",
    "DELIVERY_MAX_CONCURRENT_PER_AGENT": "100",
}
_BUSY: Final = _CAPS | {"WORKER_THREADS": "64"}
"""Two cores are kept busy by two processes; 128 threads in all."""

ALWAYS: Final = {"HEARTBEATS": "false"}
"""What every case has set: agents that wake by themselves are work that nobody asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run of the program on a fresh stack.

    Attributes:
        notifications: How many are created,
        seconds: spread over so long, at random within equal parts; 0 creates all at once.
        conversations: They share the notifications,
        agents: and the agents share them.
        run_s: How long an agent takes.
        workers: Worker processes.
        settings: What differs from the defaults.
        fails_every: Every so many runs one fails; 0 for none.
        hanging: Conversations whose runs never end; one notification each beside the others.
        stored: So many deliveries are put straight into the store before anything runs; none of
            them is put while it is measured, so cases compare only with such that store as well.
        skips: The measuring begins after so many replies,
        ends: and ends after so many; 0 for all.
    """

    name: str
    notifications: int = 0
    conversations: int = 1
    run_s: float = 1.0
    seconds: float = 0.0
    agents: int = 10
    workers: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    fails_every: int = 0
    hanging: int = 0
    stored: int = 0
    skips: int = 0
    ends: int = 0

    @property
    def limit_s(self) -> float:
        """Return how long the agents alone need for all that is created at once."""
        return -(-self.notifications // self.conversations) * self.run_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A number that a measurement must not pass.

    Attributes:
        fact: Its name in the measurement.
        limit: The most; the least when ``is_least``.
        case: Which case it is about; the empty text means all of them.
        scales: A slower machine gets more.
    """

    fact: str
    limit: float
    case: str = ""
    is_least: bool = False
    scales: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A fact of one case, compared with that of another one: at most so many times as much."""

    fact: str
    small: str
    large: str
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Cases that belong together.

    Attributes:
        text: What it shows, in one line.
    """

    name: str
    text: str
    cases: tuple[Case, ...]
    budgets: tuple[Budget | Growth, ...] = ()


_RUNTIME_MEMORY: Final = Budget(fact="rss_runtime_mib", limit=90)
_WORKER_MEMORY: Final = Budget(fact="rss_worker_mib", limit=120)


def _trickle(name: str, *, hanging: int = 0) -> Case:
    return Case(name=name, notifications=45, seconds=45.0, conversations=30, hanging=hanging)


def _scale(workers: int, turns: int) -> Case:
    caps = dict.fromkeys(_CAPS, str(turns))
    return Case(
        name=f"{workers} x {turns}",
        notifications=8 * turns,
        conversations=turns,
        workers=workers,
        settings=caps | {"WORKER_THREADS": str(max(8, 128 // workers))},
    )


def _backlog(stored: int) -> Case:
    return Case(
        name=f"{stored} stored",
        conversations=300,
        agents=50,
        run_s=0.0,
        stored=stored,
        skips=1_000,
        ends=3_000,
        workers=2,
        settings=_BUSY,
    )


SCENARIOS: Final = {
    one.name: one
    for one in (
        Scenario(
            name="burst",
            text="400 notifications at once in 100 conversations, runs of 1 s",
            cases=(
                Case(
                    name="burst",
                    notifications=400,
                    conversations=100,
                    workers=2,
                    # Whether the next poll is half a second away is chance, and not measured here.
                    settings=_CAPS | {"WORKER_THREADS": "64", "DELIVERY_FAST_INTERVAL": "200"},
                ),
            ),
            budgets=(
                Budget(fact="makespan_ratio", limit=1.3),
                _RUNTIME_MEMORY,
                _WORKER_MEMORY,
            ),
        ),
        Scenario(
            name="overhead",
            text="1,000 notifications at once in 200 conversations, runs of 0 s",
            cases=(
                Case(
                    name="overhead",
                    notifications=1_000,
                    conversations=200,
                    run_s=0.0,
                    workers=2,
                    settings=_BUSY,
                ),
            ),
            budgets=(
                Budget(fact="cpu_ms", limit=5.0, scales=True),
                Budget(fact="per_s", limit=150, is_least=True, scales=True),
                _RUNTIME_MEMORY,
            ),
        ),
        Scenario(
            name="trickle",
            text="one notification a second, runs of 1 s, settings at their defaults",
            cases=(_trickle("trickle"),),
            budgets=(
                Budget(fact="added_p50_s", limit=0.7),
                Budget(fact="added_p99_s", limit=1.5),
                Budget(fact="convex_calls", limit=6.0),
            ),
        ),
        Scenario(
            name="hang",
            text="the same with and without one conversation that hangs",
            cases=(
                _trickle("healthy"),
                _trickle("hanging", hanging=1),
            ),
            budgets=(Growth(fact="wait_p95_s", small="healthy", large="hanging", limit=1.1),),
        ),
        Scenario(
            name="flaky",
            text="two notifications a second, every 10th run fails",
            cases=(
                Case(name="flaky", notifications=80, seconds=40, conversations=40, fails_every=10),
            ),
        ),
        Scenario(
            name="backlog",
            text="2,000 deliveries out of 3,500 and out of 20,000 more; 500 of them are listed",
            cases=(_backlog(3_500), _backlog(23_500)),
            budgets=(Growth(fact="cpu_ms", small="3500 stored", large="23500 stored", limit=1.2),),
        ),
        Scenario(
            name="scale",
            text="1, 2, 4 and 8 worker processes, 10 to 100 running turns of 1 s",
            cases=tuple(
                _scale(*one) for one in ((1, 10), (1, 100), (2, 50), (2, 100), (4, 100), (8, 100))
            ),
            budgets=(
                Growth(fact="cpu_ms", small="1 x 10", large="8 x 100", limit=1.2),
                Growth(fact="cpu_ms", small="1 x 100", large="8 x 100", limit=1.2),
            ),
        ),
        Scenario(
            name="idle",
            text="nothing happens, settings at their defaults",
            cases=(
                # The slow rhythm, which begins by itself two minutes after the last work.
                Case(name="idle", seconds=50, settings={"DELIVERY_FAST_INTERVAL": "15000"}),
            ),
            budgets=(
                Budget(fact="core_percent", limit=1.0, scales=True),
                Budget(fact="lists_per_interval", limit=1.0),
                _RUNTIME_MEMORY,
            ),
        ),
    )
}

SHORT: Final = ("burst", "overhead", "trickle", "hang", "idle")
