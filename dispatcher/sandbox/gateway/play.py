"""How a plan becomes an answer."""

from dataclasses import replace
from typing import Final

from dispatcher.sandbox.gateway import answers
from dispatcher.sandbox.gateway.answers import Answer
from dispatcher.sandbox.gateway.over_http import call_over_http
from dispatcher.sandbox.gateway.schema import Ask
from dispatcher.sandbox.gateway.script import Call, Plan, echo

_QUOTED_CHARACTERS: Final = 200


def go_on(begun: Plan, found: Plan) -> Plan:
    """Go on with a message's plan after its tool results.

    Args:
        begun: The plan of the message; its fault was meant for the message alone.
        found: What the rules say about the results; it goes before.
    """
    return replace(
        begun,
        fault=found.fault,
        delay_s=begun.delay_s if found.delay_s is None else found.delay_s,
        reply=begun.reply if found.reply is None else found.reply,
        calls=found.calls or begun.calls,
        rounds=found.rounds if found.calls else begun.rounds,
    )


def is_silent(reply: str) -> bool:
    """Say whether the gateway would not pass a reply on: nothing, or its word for it."""
    return reply.strip().upper() in {"", "NO_REPLY"}


def play_fault(fault: str, model: str) -> Answer | None:
    """Answer as the fault demands; None closes the connection."""
    match fault:
        case "drop":
            return None
        case "garbage":
            return answers.garbage()
        case "brokenjson":
            return answers.broken_json(model)
        case "failed":
            return answers.failed(200, model)
        case "silence":
            return answers.failed(500, model)
        case _:
            return answers.error(fault.removeprefix("error:"), model)


def calls_of(plan: Plan, ask: Ask, turn_round: int) -> tuple[Call, ...]:
    """Choose the tool calls of a turn among those that are offered."""
    if turn_round >= plan.rounds:
        return ()
    return tuple(call for call in plan.calls if call.name in ask.tools)


def reply_of(plan: Plan, ask: Ask) -> str:
    """Say the final text of a turn."""
    if ask.outputs:
        quoted = " | ".join(output[:_QUOTED_CHARACTERS] for output in ask.outputs)
        return f"{plan.reply or 'Done'}: {quoted}"
    if plan.reply is not None:
        return plan.reply
    answers_over_http = call_over_http(ask.instructions, plan.calls)
    if answers_over_http:
        return f"Done: {' | '.join(answers_over_http)}"
    missing = [call.name for call in plan.calls]
    return f"I have no tool named {', '.join(missing)}." if missing else echo(ask.text)
