"""Looks into the mailbox store from outside, without using the program's own code for it."""

from dataclasses import dataclass
from typing import Any, Final

import redis

from dispatcher.lab.proof.evidence import DeadLetter, Step

_TIMEOUT_S: Final = 2.0
_BATCH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A claim: which process holds which delivery."""

    delivery: str
    token: str
    pid: int


class StoreLook:
    """Reads the keys of one account; every look may raise ``redis.RedisError``."""

    def __init__(self, url: str, account: str) -> None:
        self._client: Any = redis.Redis.from_url(
            url, decode_responses=True, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
        )
        self._prefix = f"mission-control:{{{account}}}:"

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def held(self) -> tuple[Held, ...]:
        """Return all claims."""
        conversations = self._client.zrange(f"{self._prefix}claims", 0, -1)
        with self._client.pipeline(transaction=False) as pipe:
            for conversation in conversations:
                key = f"{self._prefix}mailbox:{conversation}"
                pipe.hmget(key, "delivery", "token", "worker")
            found = pipe.execute()
        return tuple(
            Held(delivery=delivery, token=token, pid=int(worker.rpartition(":")[2]))
            for delivery, token, worker in found
            if delivery and token and worker
        )

    def open(self) -> frozenset[str]:
        """Return the deliveries that are not settled."""
        return frozenset(self._client.zrange(f"{self._prefix}open", 0, -1))

    def dead(self) -> tuple[DeadLetter, ...]:
        """Return the dead letters."""
        return tuple(
            DeadLetter(
                delivery=delivery,
                cause=self._client.hget(f"{self._prefix}delivery:{delivery}", "cause") or "unknown",
            )
            for delivery in self._client.zrange(f"{self._prefix}dead", 0, -1)
        )

    def stories(self) -> dict[str, tuple[Step, ...]] | None:
        """Return the story of every delivery; None when the store keeps none."""
        start = f"{self._prefix}story:"
        keys = list(self._client.scan_iter(match=f"{_escaped(start)}*", count=_BATCH))
        if not keys:
            return None
        with self._client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.lrange(key, 0, -1)
            found = pipe.execute()
        return {
            key.removeprefix(start): tuple(map(read_step, lines))
            for key, lines in zip(keys, found, strict=True)
        }

    def forget_all(self) -> None:
        """Make Redis forget everything."""
        self._client.flushall()


def read_step(line: str) -> Step:
    """Read one entry of a story: ``"{ms}|{word}|{detail}"``."""
    at_ms, word, detail = (*line.split("|", 2), "", "")[:3]
    return Step(at_ms=float(at_ms), word=word, detail=detail)


def _escaped(pattern: str) -> str:
    return "".join(f"\\{each}" if each in "[]*?\\" else each for each in pattern)
