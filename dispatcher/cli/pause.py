"""`dispatcher pause` and `resume`: stop asking agents, and go on."""

from collections.abc import Callable
from typing import Any

import click

from dispatcher.cli.common import Exit, operator_parts, without_tracebacks
from dispatcher.domain.ids import AgentId, ConversationId
from dispatcher.domain.world import ALL, paused_agent, paused_conversation


def _target(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--conversation", metavar="AGENT:TASK", help="One conversation only."),
        click.option("--agent", metavar="ID", help="One agent only."),
        click.option("--all", "everything", is_flag=True, help="Everything."),
    ):
        command = option(command)
    return command


@click.command(short_help="Stop asking all, an agent, a conversation.")
@_target
@without_tracebacks
def pause(*, everything: bool, agent: str | None, conversation: str | None) -> int:
    """Stop asking agents. Running turns end, and stored answers are still written back."""
    what = _chosen(everything=everything, agent=agent, conversation=conversation)
    with operator_parts() as parts:
        done = parts.controls.pause(what)
    click.echo(f"Paused: {what}." if done else f"{what} was paused before.")
    return Exit.OK


@click.command(short_help="Go on with what was paused.")
@_target
@without_tracebacks
def resume(*, everything: bool, agent: str | None, conversation: str | None) -> int:
    """Go on with what was paused, in the order in which it waited."""
    what = _chosen(everything=everything, agent=agent, conversation=conversation)
    with operator_parts() as parts:
        done = parts.controls.resume(what)
    click.echo(f"Resumed: {what}." if done else f"{what} was not paused.")
    return Exit.OK


def _chosen(*, everything: bool, agent: str | None, conversation: str | None) -> str:
    if sum((everything, agent is not None, conversation is not None)) != 1:
        raise click.UsageError("Say one of --all, --agent ID and --conversation AGENT:TASK.")
    if agent is not None:
        return paused_agent(AgentId(agent))
    if conversation is not None:
        return paused_conversation(ConversationId(conversation))
    return ALL
