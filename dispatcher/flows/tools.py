"""Runs the tool calls of an answer, each once, with their results in the journal.

    t0  the journal says that call 2 is begun
    t1  the backend creates the task
    t2  the journal holds the result

A worker that dies between t0 and t2 leaves a call of which nobody knows whether it happened. What
may be repeated is repeated; the rest is told to the agent, which can look before it calls again.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.domain.errors import (
    BackendError,
    BackendGarbled,
    BackendMisused,
    BackendRedacted,
    BackendRefused,
    BackendUncertain,
)
from dispatcher.domain.journal import Journal, Stage
from dispatcher.domain.notification import Agent
from dispatcher.domain.reply import ToolCall
from dispatcher.domain.rights import Rights
from dispatcher.domain.tools import (
    CallRefused,
    Tool,
    ToolResult,
    read_arguments,
    refusal_of,
    result_of,
)
from dispatcher.flows.acts import find_tool, is_repeatable, perform, words_of
from dispatcher.flows.acts.errand import Errand
from dispatcher.flows.acts.unknown import unknown_outcome
from dispatcher.flows.desk import Attempt

CALLS_PER_ROUND: Final = 25
_PATIENCE: Final = 4

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Crew:
    """See ``Directory``: whom the turn knows."""

    known: Sequence[Agent]

    def agents(self) -> Sequence[Agent]:
        return self.known


@dataclass(frozen=True, slots=True)
class _Round:
    """The calls of one answer, as they are run."""

    attempt: Attempt
    rights: Rights
    crew: _Crew

    def errand(self, arguments: Mapping[str, Any]) -> Errand:
        return Errand(
            arguments=arguments,
            rights=self.rights,
            actions=self.attempt.desk.actions,
            directory=self.crew,
        )


def run_calls(attempt: Attempt, *, rights: Rights, crew: Sequence[Agent]) -> None:
    """Run the calls of the stored reply that have no result yet; the journal ends with all results.

    Raises:
        BackendError: The backend is away or rejects us; the call at hand did not happen.
        LeaseLost: The claim is gone.
    """
    reply = attempt.journal.reply
    turn = _Round(attempt, rights, _Crew(crew))
    calls = reply.tool_calls if reply is not None else ()
    for index in range(len(attempt.journal.results), len(calls)):
        call = calls[index]
        if index >= CALLS_PER_ROUND:
            result = refusal_of(call, f"At most {CALLS_PER_ROUND} calls at once are run.")
        elif attempt.journal.calls_begun > index:
            result = _after_unknown(turn, call)
        else:
            result = _begin(turn, call)
        journal = attempt.journal
        attempt.keep(_at_tools(journal, results=(*journal.results, result)))


def _at_tools(journal: Journal, **changes: Any) -> Journal:  # noqa: ANN401 - see evolve
    return journal.evolve(stage=Stage.TOOLS, **changes)


def _begin(turn: _Round, call: ToolCall) -> ToolResult:
    attempt, before = turn.attempt, turn.attempt.journal
    attempt.write(_at_tools(before, calls_begun=len(before.results) + 1))
    attempt.hold.check()
    try:
        return _run(turn, call)
    except BackendError:
        # Not executed: whoever goes on may run it for the first time.
        attempt.keep(_at_tools(before, calls_begun=len(before.results)))
        raise


def _after_unknown(turn: _Round, call: ToolCall) -> ToolResult:
    """Deal with a call that an earlier attempt began and of which nobody knows the end."""
    turn.attempt.hold.check()
    try:
        tool = find_tool(call.name, turn.rights)
        arguments = read_arguments(call, tool)
    except CallRefused as error:
        return refusal_of(call, str(error))
    return _run(turn, call) if is_repeatable(tool, arguments) else _unknown(turn, call, arguments)


def _run(turn: _Round, call: ToolCall) -> ToolResult:
    """Run one call; whatever is the agent's fault becomes a result for it."""
    name = "unknown"
    try:
        tool = find_tool(call.name, turn.rights)
        name, arguments = tool.name, read_arguments(call, tool)
        return _perform(turn, call, tool, arguments)
    except CallRefused as error:
        result = refusal_of(call, str(error))
    except (BackendRefused, BackendRedacted, BackendMisused) as error:
        result = refusal_of(call, words_of(error))
    _count(turn, name, "refused")
    return result


def _perform(turn: _Round, call: ToolCall, tool: Tool, arguments: Mapping[str, Any]) -> ToolResult:
    try:
        result = result_of(call, perform(tool, turn.errand(arguments)))
    except (BackendUncertain, BackendGarbled):
        # What may be repeated is, but not for ever: one bad call must not hold its conversation up.
        if is_repeatable(tool, arguments) and turn.attempt.claim.waits < _PATIENCE:
            raise
        return _unknown(turn, call, arguments)
    _count(turn, tool.name, "done")
    return result


def _count(turn: _Round, name: str, word: str) -> None:
    turn.attempt.desk.tally.ran_tool(tool=name, result=word)
    _log.info("tool %s: %s", name, word, extra=turn.attempt.fields("tool"))


def _unknown(turn: _Round, call: ToolCall, arguments: Mapping[str, Any]) -> ToolResult:
    """Tell the agent that nobody knows whether its call happened, and what was found."""
    _count(turn, call.name, "unknown")
    return result_of(call, unknown_outcome(call.name, turn.errand(arguments)))
