"""`dispatcher pause` and `resume`: stop asking agents, and go on."""

from collections.abc import Callable
from typing import Any

import click

from dispatcher.cli.common import Exit, operator_parts, without_tracebacks
from dispatcher.cli.screen import print_json
from dispatcher.domain.ids import NOTHING, AgentId, TaskId, conversation_id, is_document_id
from dispatcher.domain.world import ALL, paused_agent, paused_conversation
from dispatcher.flows.overview import names_of
from dispatcher.wiring import Parts


def _target(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--json", "is_json", is_flag=True, help="Print JSON."),
        click.option("--conversation", metavar="AGENT:TASK", help="One conversation only."),
        click.option("--agent", metavar="SLUG", help="One agent only, by its slug or its id."),
        click.option("--all", "everything", is_flag=True, help="Everything."),
    ):
        command = option(command)
    return command


@click.command(short_help="Stop asking all, an agent, a conversation.")
@_target
@without_tracebacks
def pause(*, is_json: bool, **target: Any) -> int:  # noqa: ANN401 - click checks them
    """Stop asking agents. Running turns end, and stored answers are still written back."""
    with operator_parts() as parts:
        what = _chosen(parts, **target)
        done = parts.controls.pause(what)
    return _tell(what, "Paused: {}." if done else "{} was paused before.", done, is_json=is_json)


@click.command(short_help="Go on with what was paused.")
@_target
@without_tracebacks
def resume(*, is_json: bool, **target: Any) -> int:  # noqa: ANN401 - click checks them
    """Go on with what was paused, in the order in which it waited."""
    with operator_parts() as parts:
        what = _chosen(parts, **target)
        done = parts.controls.resume(what)
    return _tell(what, "Resumed: {}." if done else "{} was not paused.", done, is_json=is_json)


def _tell(what: str, text: str, done: bool, *, is_json: bool) -> int:  # noqa: FBT001
    if is_json:
        print_json({"what": what, "changed": done})
    else:
        click.echo(text.format(what))
    return Exit.OK


def _chosen(
    parts: Parts, *, everything: bool, agent: str | None, conversation: str | None
) -> str:  # fmt: skip
    if sum((everything, agent is not None, conversation is not None)) != 1:
        raise click.UsageError("Say one of --all, --agent SLUG and --conversation AGENT:TASK.")
    if agent is not None:
        return paused_agent(_agent(parts, agent))
    if conversation is not None:
        who, _, task = conversation.partition(":")
        if task != NOTHING and not is_document_id(task):
            raise click.UsageError(
                "A conversation is AGENT:TASK: the agent by its slug or id, the task by its id; "
                "- stands for no task."
            )
        return paused_conversation(
            conversation_id(_agent(parts, who), None if task == NOTHING else TaskId(task))
        )
    return ALL


def _agent(parts: Parts, name: str) -> AgentId:
    """Find an agent by its slug or id; a slip of the pen would pause nobody."""
    names = names_of(parts.roster.read())
    found = next((one for one, slug in names.items() if name in {one, slug}), None)
    if found is None and not is_document_id(name):
        known = ", ".join(sorted(names.values())) or "none is known yet"
        raise click.UsageError(f"There is no agent {name!r}; there are: {known}.")
    return found or AgentId(name)
