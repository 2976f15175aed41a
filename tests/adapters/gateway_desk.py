"""A desk that asks through the gateway's adapter, and answers made by hand."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from dispatcher.adapters.answers import read_answer
from dispatcher.adapters.clock import MachineClock
from dispatcher.adapters.gateway import OpenClawGateway
from dispatcher.domain.delivery import Claim
from dispatcher.domain.ids import SessionKey
from dispatcher.domain.reply import Reply
from dispatcher.ports import Ask
from tests.adapters.raw_server import Line, Play, Request, answer
from tests.samples import TASK
from workers.renewer import HeldClaim

SESSION_KEY = SessionKey(f"task:{TASK}:agent:engineer:acc:v1")
READY = answer(200, {"ready": True, "failing": []})
STARTED = answer(200, {"ok": True, "status": "started", "version": "2026.9.6"})


class Desk:
    """Asks a gateway as a worker thread does, with a real hold on a claim."""

    def __init__(self, gateway: OpenClawGateway, claim: Claim) -> None:
        self.gateway = gateway
        self.hold = HeldClaim(
            claim,
            clock=MachineClock(),
            good_for=timedelta(hours=1),
            since=MachineClock().monotonic(),
        )

    def ask(self, text: str = "@engineer hello", **changes: Any) -> Reply:
        facts = {"agent": "engineer", "session_key": SESSION_KEY, "instructions": "Be brief."}
        return self.gateway.ask(Ask(**(facts | {"text": text} | changes)), hold=self.hold)

    def know_version(self) -> None:
        """Let another thread find out the version, so that this one has no connection yet."""
        with ThreadPoolExecutor(1) as pool:
            pool.submit(self.ask, "[[reply:warm]]").result()


def healthy(respond: Play) -> Play:
    """Answer looks as a healthy gateway does, and asks with ``respond``."""

    def play(request: Request, line: Line) -> bool:
        known = {"/readyz": READY, "/startupz": STARTED}.get(request.path)
        return line.send(known) if known else respond(request, line)

    return play


def response(*output: object, **more: Any) -> dict[str, Any]:
    facts = {"id": "resp_1", "object": "response", "status": "completed", "output": list(output)}
    return facts | more


def said(text: str, **more: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text}]
    return {"type": "message", "role": "assistant", "content": content} | more


def read(body: object, status: int = 200) -> Reply:
    return read_answer(status, json.dumps(body).encode())
