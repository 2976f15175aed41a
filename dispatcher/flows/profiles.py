"""Write the agents' profiles into their workspaces, and the gateway's configuration beside them."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from dispatcher.domain.profile import Profile, config_of, safe_slug, skill_text, texts_of
from dispatcher.ports.profiles import Files, Profiles

CONFIG: Final = "openclaw.json"
MANIFEST: Final = ".dispatcher-skills.json"
_OURS: Final = frozenset({"agents", "skills", "load"})
"""What a configuration holds that was made from profiles; ``load`` is of the service before us."""
_LIMIT: Final = 4_000_000

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Written:
    """What a sync of the profiles came to.

    Attributes:
        files: How many files were written.
        has_new_config: The gateway's configuration is another one now.
        problems: What could not be written, a sentence each.
    """

    files: int = 0
    has_new_config: bool = False
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where profiles go.

    Attributes:
        workspaces: The folder of all workspaces.
        parent: The folder above it, for the configuration.
        gateway_root: The folder of all workspaces as the gateway sees it.
        manuals: Texts that are the same for all agents, by file name.
        has_ai_gateway: Models are reached through the Vercel AI gateway.
    """

    workspaces: Files
    parent: Files
    gateway_root: str
    manuals: Mapping[str, str]
    has_ai_gateway: bool


def sync_profiles(*, profiles: Profiles, place: Place, today: date) -> Written:
    """Write what has changed; one agent's trouble does not keep the others from theirs.

    Raises:
        BackendError: The profiles could not be read; everything stays as it is.
    """
    written = Written()
    found = _by_slug(profiles.profiles(), written)
    before = _read_manifest(place)
    kept: dict[str, list[str]] = {}
    folders: dict[str, str] = {}
    for slug, profile in found.items():
        skills = _skills_of(slug, profile, written)
        # What the gateway is told follows from the account alone, not from what a disk made of it.
        kept[slug] = sorted(skills)
        keys = [key for _, key in skills.values()]
        folders |= dict.fromkeys(keys, f"{place.gateway_root}/{slug}/skills")
        try:
            _write_documents(slug, profile, place, today, written)
        except OSError as error:
            written.problems.append(f"Workspace {slug}: {error.strerror or error}.")
        else:
            _write_skills(slug, skills, place, written)
    _clean_up(before, kept, place, written)
    entries = {slug: (one, f"{place.gateway_root}/{slug}") for slug, one in found.items()}
    _write_config(config_of(entries, folders, has_ai_gateway=place.has_ai_gateway), place, written)
    return written


def _by_slug(profiles: Sequence[Profile], written: Written) -> dict[str, Profile]:
    """Choose the agents that can have a workspace, in an order that is always the same."""
    found: dict[str, Profile] = {}
    for profile in sorted(profiles, key=lambda one: one.agent_id):
        slug = safe_slug(profile.slug)
        if slug is None:
            written.problems.append(f"Agent {profile.agent_id} has no slug that can name a folder.")
        elif slug.lower() in {one.lower() for one in found}:
            written.problems.append(f"Agent {profile.agent_id} has the slug of another: {slug}.")
        else:
            found[slug] = profile
    return found


def _write_documents(
    slug: str, profile: Profile, place: Place, today: date, written: Written
) -> None:
    files = place.workspaces
    if not profile.soul.strip():
        _log.warning("agent %s has no soul text", slug, extra={"action": "profiles"})
    for name, text in (texts_of(profile) | dict(place.manuals)).items():
        written.files += files.write([slug], name, text)
    # What follows belongs to the agent: it is never written again.
    files.write_if_missing([slug], "MEMORY.md", "# MEMORY\n\nWhat is worth knowing for long.\n")
    working = "# WORKING\n\nWhat you are working on, and where you are.\n"
    files.write_if_missing([slug, "memory"], "WORKING.md", working)
    for days in (-1, 0, 1):
        day = (today + timedelta(days=days)).isoformat()
        files.write_if_missing([slug, "memory"], f"{day}.md", f"# {day}\n")


def _skills_of(slug: str, profile: Profile, written: Written) -> dict[str, tuple[str, str]]:
    """Choose an agent's skills; give text and key in the configuration of each by its folder."""
    found: dict[str, tuple[str, str]] = {}
    for skill in sorted(profile.skills, key=lambda one: one.slug):
        folder = safe_slug(skill.slug)
        if folder is None:
            written.problems.append(f"Skill {skill.slug!r} of {slug} cannot name a folder.")
        elif skill.content.strip():
            found[folder] = skill_text(skill)
    return found


def _write_skills(
    slug: str, skills: Mapping[str, tuple[str, str]], place: Place, written: Written
) -> None:
    for folder, (text, _) in skills.items():
        try:
            written.files += place.workspaces.write([slug, "skills", folder], "SKILL.md", text)
        except OSError as error:
            written.problems.append(f"Skill {folder} of {slug}: {error.strerror or error}.")


def _clean_up(
    before: Mapping[str, list[str]],
    kept: dict[str, list[str]],
    place: Place,
    written: Written,
) -> None:
    """Remove the files of skills that an agent has no more; folders of agents stay."""
    for slug, skills in before.items():
        for skill in sorted(set(skills) - set(kept.get(slug, []))):
            if safe_slug(slug) != slug or safe_slug(skill) != skill:
                continue
            try:
                place.workspaces.remove([slug, "skills", skill], "SKILL.md")
            except OSError as error:
                written.problems.append(f"Skill {skill} of {slug}: {error.strerror or error}.")
                # It is still there: the next sync tries again.
                kept[slug] = sorted({*kept.get(slug, []), skill})
    try:
        text = json.dumps(kept, indent=2, sort_keys=True) + "\n"
        place.parent.write([], MANIFEST, text)
    except OSError as error:
        written.problems.append(f"{MANIFEST}: {error.strerror or error}.")


def _read_manifest(place: Place) -> dict[str, list[str]]:
    try:
        found = json.loads(place.parent.read([], MANIFEST, at_most=_LIMIT) or "{}")
        return {str(slug): [str(one) for one in skills] for slug, skills in found.items()}
    except (ValueError, AttributeError, TypeError, RecursionError):
        # Whatever is in it: all that it can do is to keep files of old skills.
        return {}


def _write_config(text: str, place: Place, written: Written) -> None:
    found = place.parent.read([], CONFIG, at_most=_LIMIT)
    if not _is_ours(found) or (not found and place.parent.holds([], CONFIG)):
        written.problems.append(
            f"{CONFIG} beside the workspaces was written by somebody else and stays as it is: move it "
            "to another place, or let OPENCLAW_WORKSPACE_ROOT name another one."
        )
        return
    try:
        written.has_new_config = place.parent.write([], CONFIG, text)
    except OSError as error:
        written.problems.append(f"{CONFIG}: {error.strerror or error}.")


def _is_ours(text: str) -> bool:
    """Say whether a configuration may be replaced; a whole one of the gateway holds more."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return not text.strip()
    return isinstance(found, dict) and found.keys() <= _OURS
