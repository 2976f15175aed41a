"""Reads from outside what processes and Redis have used so far."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]  # it has no types
import redis

_MIB = 1024 * 1024


class Group:
    """A process and all that it has started; remembers the most memory that it saw."""

    def __init__(self, pids: tuple[int, ...], *, is_alone: bool = False) -> None:
        self._is_alone = is_alone
        self._roots = [psutil.Process(pid) for pid in pids]
        self.most_rss_mib = 0.0

    def _processes(self) -> list[psutil.Process]:
        found = []
        for root in self._roots:
            with suppress(psutil.NoSuchProcess):
                found += [root, *([] if self._is_alone else root.children(recursive=True))]
        return found

    def cpu_s(self) -> float:
        """Return the seconds of CPU used so far."""
        used = 0.0
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used += times.user + times.system
        return used

    def look_at_memory(self) -> None:
        """Note how much memory the largest process holds."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                rss_mib = process.memory_info().rss / _MIB
                self.most_rss_mib = max(self.most_rss_mib, rss_mib)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What had been used at one moment.

    Attributes:
        at_s: By the clock of the measuring process.
        cpu_s: Seconds of CPU by group.
        busy_s: The same of the whole machine, others included.
        commands: Commands that Redis has run, those inside scripts included.
        scripts: Scripts among them.
        calls: Calls of the backend by action.
        delivered: Notifications that are marked; each counts once, however often it was marked.
    """

    at_s: float
    cpu_s: Mapping[str, float]
    busy_s: float
    commands: int
    scripts: int
    calls: Mapping[str, int]
    delivered: int


def busy_s() -> float:
    """Return how long the machine's cores have been busy."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


def redis_counts(client: redis.Redis) -> tuple[int, int]:
    """Return how many commands Redis has run, and how many scripts."""
    stats = client.info("commandstats")
    commands = sum(int(one["calls"]) for one in stats.values())
    return commands, int(stats.get("cmdstat_evalsha", {"calls": 0})["calls"])
