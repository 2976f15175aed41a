"""An agent's profile, and what becomes of it in its workspace: file names, texts, configuration."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.domain.fence import one_line
from dispatcher.domain.ids import AgentId

_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What may name a folder, and an agent at the gateway."""
_FRONT: Final = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_DESCRIPTION_LIMIT: Final = 200
_NAME_LIMIT: Final = 120
_MODELS: Final[Mapping[str, str]] = {
    "minimax-m2.5": "minimax/minimax-m2.5",
    "claude-haiku-4.5": "anthropic/claude-haiku-4.5",
    "kimi-k2.5": "moonshotai/kimi-k2.5",
    "gpt-5-nano": "openai/gpt-5-nano",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """Something that an agent knows how to do. ``content`` is Markdown, empty when there is none."""

    slug: str
    name: str
    description: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What the account has written about one agent.

    Attributes:
        model: The account's name of its model, empty when it has none.
    """

    agent_id: AgentId
    name: str
    slug: str
    role: str
    model: str
    soul: str
    user: str
    identity: str
    skills: tuple[Skill, ...]


def safe_slug(slug: str) -> str | None:
    """Return a slug as it may name a folder, or None when it may not."""
    bare = slug.strip().strip("/")
    return bare if _SLUG.fullmatch(bare) else None


def texts_of(profile: Profile) -> dict[str, str]:
    """Return the documents of one agent, by file name."""
    name = one_line(profile.name, _NAME_LIMIT) or "Agent"
    role = one_line(profile.role, _NAME_LIMIT) or "Unknown role"
    user = "# User\n\nNobody has written about the team yet: see Settings > Agent Profile."
    identity = f"# IDENTITY - {name}\n\nName: {name}\nRole: {role}"
    return {
        "SOUL.md": _file(profile.soul),
        "USER.md": _file(profile.user.strip() or user),
        "IDENTITY.md": _file(profile.identity.strip() or identity),
        "TOOLS.md": _file(tools_text(profile.skills)),
    }


def tools_text(skills: Sequence[Skill]) -> str:
    """Write the list of an agent's skills, with the rule of using them."""
    lines = [
        "# Assigned skills",
        "",
        "Before each operation look through this list and use every skill that is relevant. When none "
        "is, write `No applicable skill` into your update. Skills live in this workspace, in "
        "`skills/<slug>/SKILL.md`, and not in `/root/.openclaw/`.",
        "",
    ]
    for skill in skills:
        told = one_line(skill.description, _DESCRIPTION_LIMIT)
        name = one_line(skill.name, _NAME_LIMIT) or skill.slug
        lines.append(f"- **{name}** ({skill.slug})" + (f" — {told}" if told else ""))
    return "\n".join(lines if skills else [*lines, "- No assigned skills"])


def skill_text(skill: Skill) -> tuple[str, str]:
    """Write a skill's file; there is one front matter, with a name and a description.

    Returns:
        The text, and the name under which the gateway's configuration knows the skill.
    """
    content = skill.content.replace("\r\n", "\n").strip()
    told = one_line(skill.description or skill.name or skill.slug, _DESCRIPTION_LIMIT)
    name_line, told_line = (
        f"name: {skill.slug}",
        f"description: {json.dumps(told, ensure_ascii=False)}",
    )
    front = _FRONT.match(content)
    if front is None:
        return _file(f"---\n{name_line}\n{told_line}\n---\n\n{content}"), skill.slug
    lines = front[1].splitlines()
    name = _value(lines, "name")
    if not name:
        lines = [name_line, *(line for line in lines if not line.startswith("name:"))]
    if not _value(lines, "description"):
        lines = [line for line in lines if not line.startswith("description:")]
        at = next(i for i, line in enumerate(lines) if line.startswith("name:"))
        lines.insert(at + 1, told_line)
    body = content[front.end() :].lstrip("\n")
    return _file("\n".join(["---", *lines, "---", "", body])), name or skill.slug


def config_of(
    entries: Mapping[str, tuple[Profile, str]],
    skills: Mapping[str, str],
    *,
    has_ai_gateway: bool,
) -> str:
    """Write the part of the gateway's configuration that follows from the profiles.

    Args:
        entries: Profile and workspace, as the gateway sees it, by safe slug.
        skills: Folders of skills as the gateway sees them, by the keys of the skills in them.
        has_ai_gateway: Models are reached through the Vercel AI gateway.

    Returns:
        JSON, sorted: another order of the backend must not make the gateway restart.
    """
    config: dict[str, Any] = {
        "agents": {
            "ownership": "explicit",
            "defaults": {"skipBootstrap": True},
            "entries": {
                slug: _entry(*entries[slug], has_ai_gateway=has_ai_gateway)
                for slug in sorted(entries)
            },
        }
    }
    if skills:
        config["skills"] = {
            "load": {"extraDirs": sorted(set(skills.values()))},
            "entries": {key: {"enabled": True} for key in sorted(skills)},
        }
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def model_of(name: str, *, has_ai_gateway: bool) -> str | None:
    """Map the account's name of a model to the gateway's; None for one that we do not know."""
    found = _MODELS.get(name.strip())
    return f"vercel-ai-gateway/{found}" if found and has_ai_gateway else found


def _entry(profile: Profile, workspace: str, *, has_ai_gateway: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "workspace": workspace,
        "identity": {"name": one_line(profile.name, _NAME_LIMIT) or profile.slug},
    }
    model = model_of(profile.model, has_ai_gateway=has_ai_gateway)
    return entry | ({"model": model} if model else {})


def _value(lines: Sequence[str], name: str) -> str:
    found = next((line for line in lines if line.startswith(f"{name}:")), "")
    return found.partition(":")[2].strip().strip("\"'").strip()


def _file(text: str) -> str:
    return f"{text.strip()}\n" if text.strip() else ""
