"""Rules from outside that decide how asks are played."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dispatcher.sandbox.gateway.schema import Ask
from dispatcher.sandbox.gateway.script import FAULTS, Call, Plan, plan_of_text, text_to_respond_to

Rule = Mapping[str, Any]

_RULE_FIELDS: Final = frozenset({
    "agent", "contains", "times", "delay_s", "reply", "commentary", "error", "heartbeat_ok",
    "tools", "rounds",
}) | FAULTS  # fmt: skip


class BadRule(ValueError):
    """A rule has a field that does not exist, or a value that cannot be used."""


@dataclass
class Rules:
    """The rules from outside, and how often each was used; may be used from all threads."""

    given: Sequence[Rule] = ()
    _used: list[int] = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        for rule in self.given:
            _check_rule(rule)
        self._used = [0] * len(self.given)

    def first_match(self, agent: str, text: str) -> Plan | None:
        """Use the first rule that fits and is not used up."""
        with self._lock:
            for index, rule in enumerate(self.given):
                if self._used[index] < rule.get("times", float("inf")) and _fits(rule, agent, text):
                    self._used[index] += 1
                    return _plan_of_rule(rule)
        return None


def plan_for(ask: Ask, agent: str, rules: Rules) -> Plan:
    """Choose how an ask is played: its own markers first, then the rules, else the echo."""
    text = "\n".join(ask.outputs) if ask.outputs else text_to_respond_to(ask.text)
    plan = Plan() if ask.outputs else plan_of_text(text)
    if replace(plan, markers="") != Plan():
        return plan
    return rules.first_match(agent, text) or plan


def _check_rule(rule: object) -> None:
    if not isinstance(rule, Mapping):
        raise BadRule(f"a rule is an object, not {rule!r}")
    unknown = rule.keys() - _RULE_FIELDS
    if unknown:
        raise BadRule(f"unknown fields in a rule: {', '.join(sorted(unknown))}")
    try:
        _plan_of_rule(rule)
        float(rule.get("times", 1))
    except (TypeError, ValueError, KeyError) as error:
        raise BadRule(f"a rule that cannot be used: {error!r}") from error


def _fits(rule: Rule, agent: str, text: str) -> bool:
    return rule.get("agent", "*") in {"*", agent} and rule.get("contains", "") in text


def _plan_of_rule(rule: Rule) -> Plan:
    calls: Iterable[Rule] = rule.get("tools", ())
    fault = next((name for name in sorted(FAULTS) if rule.get(name)), None)
    return Plan(
        delay_s=float(rule["delay_s"]) if "delay_s" in rule else None,
        reply="HEARTBEAT_OK" if rule.get("heartbeat_ok") else rule.get("reply"),
        commentary=rule.get("commentary"),
        fault=f"error:{rule['error']}" if "error" in rule else fault,
        calls=tuple(Call(name=c["name"], arguments=dict(c.get("arguments", {}))) for c in calls),
        rounds=int(rule.get("rounds", 1)),
    )
