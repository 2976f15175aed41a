"""How entries, claims and outcomes are written in Redis, and read back."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from dispatcher.domain.delivery import (
    NO_BLAME,
    Blame,
    Claim,
    Dead,
    Entry,
    Outcome,
    Resting,
    Settled,
    Sign,
    Spent,
    State,
    line_class,
)
from dispatcher.domain.ids import (
    NOTHING,
    AgentId,
    ConversationId,
    DeliveryId,
    MessageId,
    NotificationId,
    TaskId,
)
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Kind
from dispatcher.domain.reply import Reply
from dispatcher.domain.retry import GATEWAY_BLAME
from dispatcher.domain.story import Record
from dispatcher.domain.world import AgentRest, Circuit, CircuitState

Facts = Mapping[str, str]


def milliseconds(duration: timedelta) -> int:
    """Write a duration."""
    return round(duration / timedelta(milliseconds=1))


def instant(ms: Any) -> datetime:  # noqa: ANN401 - Redis answers numbers in many types
    """Read a time."""
    return datetime.fromtimestamp(float(ms) / 1000, UTC)


def pairs(flat: Iterable[bytes]) -> dict[str, str]:
    """Read a flat list of names and values."""
    texts = [part.decode() for part in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def conversations(names: Iterable[bytes]) -> tuple[ConversationId, ...]:
    """Read names of conversations."""
    return tuple(ConversationId(name.decode()) for name in names)


def creation_text(entry: Entry) -> str:
    """Write a creation time so that text order is time order."""
    return f"{entry.creation_time_ms:018.4f}"


def entry_form(entry: Entry) -> dict[str, Any]:
    """Write an entry for the script that puts it."""
    return {
        "d": entry.delivery,
        "n": entry.notification,
        "m": entry.message or NOTHING,
        "a": entry.agent,
        "t": entry.task or NOTHING,
        "c": entry.conversation,
        "k": entry.kind.value,
        "l": line_class(entry.kind).value,
        "at": str(entry.created_at_ms),
        "cr": creation_text(entry),
        "x": int(entry.is_carried),
    }


def entry_of_form(form: Mapping[str, Any]) -> Entry:
    """Read an entry that was written by ``entry_form``."""
    return entry_of_facts(
        {
            "notification": form["n"],
            "message": form["m"],
            "agent": form["a"],
            "task": form["t"],
            "kind": form["k"],
            "created_at": form["at"],
            "creation_time": form["cr"],
            "carried": str(form["x"]),
        }
    )


def entry_of_facts(facts: Facts) -> Entry:
    """Read the entry out of a delivery's facts."""
    message, task = facts["message"], facts["task"]
    return Entry(
        notification=NotificationId(facts["notification"]),
        message=None if message == NOTHING else MessageId(message),
        agent=AgentId(facts["agent"]),
        task=None if task == NOTHING else TaskId(task),
        kind=Kind(facts["kind"]),
        created_at_ms=int(facts["created_at"]),
        creation_time_ms=float(facts["creation_time"]),
        is_carried=facts["carried"] == "1",
    )


def record_of_facts(delivery: DeliveryId, facts: Facts, *, at: datetime, **seen: Any) -> Record:  # noqa: ANN401
    """Read what a delivery's facts say of it; ``seen`` is what else the look has found."""
    return Record(
        delivery=delivery,
        at=at,
        entry=entry_of_facts(facts),
        state=State(facts["state"]),
        cause=facts.get("cause", ""),
        attempts=int(facts.get("attempts", 0)),
        strikes=int(facts.get("strikes", 0)),
        put_at=instant(facts["put_at"]),
        due=instant(facts["due"]) if "due" in facts else None,
        **seen,
    )


def read_claim(answer: Sequence[bytes], *, token: str) -> Claim:
    """Read what the claiming script answered after its first word."""
    conversation, delivery, now, key_user, seen, *flat = answer
    facts = pairs(flat)
    return Claim(
        conversation=ConversationId(conversation.decode()),
        token=token,
        delivery=DeliveryId(delivery.decode()),
        entry=entry_of_facts(facts),
        attempts=int(facts.get("attempts", 0)),
        waits=int(facts.get("waits", 0)),
        unanswered=int(facts.get("unanswered", 0)),
        looks=int(facts.get("looks", 0)),
        strikes=int(facts.get("strikes", 0)),
        put_at=instant(facts["put_at"]),
        claimed_at=instant(now),
        seen_ms=int(seen),
        row_key_user=DeliveryId(key_user.decode()) if key_user else None,
        journal_text=facts.get("journal", ""),
    )


def growth_of(blame: Blame) -> tuple[int, int]:
    """Write how long somebody is left alone at first, and at most."""
    return milliseconds(blame.first), milliseconds(blame.longest)


def settle_form(outcome: Outcome, *, tombstone: timedelta, dead_limit: int) -> tuple[Any, ...]:
    """Write an outcome as the arguments of the settling script."""
    kind, word = "settled", ""
    delay, counter, sign, blame = timedelta(0), Spent.NOTHING, Sign.NONE, NO_BLAME
    match outcome:
        case Settled():
            word = outcome.outcome
        case Resting():
            kind, word, delay, counter = "resting", outcome.cause, outcome.delay, outcome.spends
            sign, blame = outcome.sign, outcome.blame
        case Dead():
            kind, word, sign = "dead", outcome.cause, outcome.sign
    return (
        kind, word, milliseconds(delay), counter.value, milliseconds(tombstone), blame.party.value,
        milliseconds(blame.wish), *growth_of(blame), sign.value, dead_limit,
        *growth_of(GATEWAY_BLAME),
    )  # fmt: skip


def detail_of(journal: Journal) -> str:
    """Say more of a step, for people; never a session key and never what anybody said."""
    match journal.stage:
        case Stage.ASKED:
            return str(journal.asks)
        case Stage.TOOLS:
            return f"round {journal.rounds}: {len(journal.results)} of {journal.calls_begun}"
        case Stage.DYING:
            return journal.cause or ""
        case _:
            return journal.outcome or ""


def cost_of(journal: Journal) -> tuple[int, int]:
    """Tell what the answer in a journal cost: tokens in and out."""
    if journal.reply is None:
        return 0, 0
    return journal.reply.usage.input_tokens, journal.reply.usage.output_tokens


def answer_of(reply: Reply) -> str:
    """Say of an answer what it cost, for people; never what was said."""
    used, calls = reply.usage, len(reply.tool_calls)
    tokens = f"{used.input_tokens} tokens in, {used.output_tokens} out"
    return f"{calls} tool calls, {tokens}" if calls else tokens


def read_circuit(facts: dict[str, str]) -> Circuit | None:
    """Read the circuit; None when it is closed."""
    if "state" not in facts:
        return None
    return Circuit(
        state=CircuitState(facts["state"]),
        cause=facts["cause"],
        since=instant(facts["since"]),
        failures=int(facts["failures"]),
        probe_at=instant(facts["probe_at"]),
    )


def read_rest(facts: Sequence[Any]) -> AgentRest:
    """Read one agent's rest."""
    agent, until, cause, since = (part.decode() for part in facts)
    return AgentRest(agent=AgentId(agent), cause=cause, since=instant(since), until=instant(until))
