"""Collects the evidence: the ledgers of the sandbox and the gateway, and what the store keeps."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from dispatcher.lab.proof.evidence import Ask, Contention, Evidence, Message, Row
from dispatcher.lab.proof.player import Player
from dispatcher.lab.proof.stage import Stage
from dispatcher.lab.proof.words import mark_of
from dispatcher.ports import Clock
from dispatcher.sandbox.gateway.ledger import overlaps
from dispatcher.sandbox.gateway.script import text_to_respond_to

_ROW: Final = re.compile(r"^Notification ID: (\S+)$", re.MULTILINE)
_Raw = Mapping[str, Any]


def gather(stage: Stage, player: Player, clock: Clock) -> Evidence:
    """Collect everything while the stack still runs."""
    account = stage.stack.sandbox["accountId"]
    ledger = stage.call("backend", f"/human/ledger?account={account}")
    asks = stage.call("gateway", "/sandbox/ledger")
    struck = player.striker.count() + Counter(stage.call("backend", "/human/faults"))
    return Evidence(
        began_ms=player.began_ms,
        said=tuple(player.said),
        assigned=tuple(player.assigned),
        rows=read_rows(ledger["notifications"]),
        messages=read_messages(ledger["messages"]),
        asks=read_asks(asks, zero_ms=_zero_of_gateway(stage, clock), agents=stage.agents),
        contentions=tuple(
            Contention(seq=one["seq"], behind=tuple(one["behind"]))
            for one in stage.call("gateway", "/sandbox/contended")
        ),
        overlaps=tuple(overlaps(asks)),
        titles=_titles(stage),
        stories=stage.store.stories(),
        strikes=player.striker.strikes,
        gaps=tuple(player.striker.gaps),
        dead=stage.store.dead(),
        open=stage.store.open(),
        faults=dict(struck + count_slips(asks)),
        ended_by_themselves=tuple(player.striker.ended_by_themselves),
    )


def read_rows(notifications: Iterable[_Raw]) -> tuple[Row, ...]:
    """Read the notifications for agents."""
    return tuple(
        Row(
            row=one["_id"],
            agent=one["recipientId"],
            task=one.get("taskId", ""),
            kind=one["type"],
            message=one.get("messageId"),
            created_ms=one["createdAt"],
            delivered_ms=one.get("deliveredAt"),
        )
        for one in notifications
        if one["recipientType"] == "agent"
    )


def read_messages(messages: Iterable[_Raw]) -> tuple[Message, ...]:
    """Read the threads."""
    return tuple(
        Message(
            message=one["_id"],
            task=one["taskId"],
            author=one["authorId"],
            is_by_agent=one["authorType"] == "agent",
            mark=mark_of(one["content"]),
            created_ms=one["createdAt"],
            source=one.get("sourceNotificationId"),
        )
        for one in messages
    )


def read_asks(
    asks: Sequence[_Raw], *, zero_ms: float, agents: Mapping[str, str]
) -> tuple[Ask, ...]:
    """Read the gateway's ledger; ``zero_ms`` is when its clock stood at zero."""
    numbers: defaultdict[str, int] = defaultdict(int)
    found = []
    for one in asks:
        text, session = one["input_text"], one["session_key"] or ""
        named = _ROW.findall(text)
        # Tool results name no notification: they go on with the last prompt of their session.
        numbers[session] = 0 if named else max(one["round"], 1)
        found.append(
            Ask(
                seq=one["seq"],
                agent=agents.get(one["agent"] or "", one["agent"] or ""),
                session=session,
                row=named[-1] if named else None,
                mark=mark_of(text_to_respond_to(text)) if named else None,
                number=numbers[session],
                received_ms=zero_ms + one["received_at"] * 1000,
                ended_ms=None if one["ended_at"] is None else zero_ms + one["ended_at"] * 1000,
                outcome=one["outcome"],
                fault=one.get("fault"),
                text=text,
            )
        )
    return tuple(found)


def count_slips(asks: Iterable[_Raw]) -> Counter[str]:
    """Count the faults that the gateway played, by name."""
    return Counter(f"gateway_{one['fault']}" for one in asks if one.get("fault"))


def _zero_of_gateway(stage: Stage, clock: Clock) -> float:
    before_ms = clock.now().timestamp() * 1000
    now_s: float = stage.call("gateway", "/sandbox/clock")["now_s"]
    after_ms = clock.now().timestamp() * 1000
    return (before_ms + after_ms) / 2 - now_s * 1000


def _titles(stage: Stage) -> dict[str, int]:
    tables = [stage.stack.human("rows", table=table) for table in ("tasks", "documents")]
    return dict(Counter(str(row.get("title")) for rows in tables for row in rows))
