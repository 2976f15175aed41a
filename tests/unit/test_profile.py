"""Profiles: which slugs may name a folder, and what is written into the files."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.catalogue import EVERY_TOOL
from dispatcher.domain.ids import AgentId
from dispatcher.domain.profile import (
    Profile,
    Skill,
    config_of,
    model_of,
    safe_slug,
    skill_text,
    texts_of,
    tools_text,
)
from dispatcher.prompts import manuals


def skill(**changes: Any) -> Skill:
    facts = {"slug": "deploy", "name": "Deploy", "description": "Ships it", "content": "Do it."}
    return Skill(**(facts | changes))


def profile(**changes: Any) -> Profile:
    facts: dict[str, Any] = {
        "agent_id": AgentId("a1"), "name": "Engineer", "slug": "engineer", "role": "Developer",
        "model": "claude-haiku-4.5", "soul": "Be kind.", "user": "We are four.",
        "identity": "I am it.", "skills": (),
    }  # fmt: skip
    return Profile(**(facts | changes))


@pytest.mark.parametrize(
    ("slug", "safe"),
    [
        ("engineer", "engineer"), ("squad-lead", "squad-lead"), ("agent_1", "agent_1"),
        ("  engineer  ", "engineer"), ("/engineer/", "engineer"), ("..", None), ("../etc", None),
        ("a/../b", None), ("a/b", None), ("", None), ("slug with spaces", None),
        ("slug.dots", None), ("a\\b", None), ("/", None), ("a\0", None), ("\N{LATIN SMALL LETTER E WITH ACUTE}", None),
        ("-rf", None), ("a" * 65, None), ("/etc/passwd", None), ("a\n", "a"),
    ],
)  # fmt: skip
def test_item_157_only_plain_slugs_may_name_a_folder(slug: str, safe: str | None) -> None:
    assert safe_slug(slug) == safe


@given(st.text())
def test_no_slug_leaves_its_folder(slug: str) -> None:
    safe = safe_slug(slug)

    assert safe is None or not set(safe) & set("/\\.\0 ")


def test_texts_are_trimmed_and_missing_ones_have_a_default() -> None:
    texts = texts_of(profile(soul="  Be kind.\n\n", user=" ", identity=""))

    assert texts["SOUL.md"] == "Be kind.\n"
    assert "Settings > Agent Profile" in texts["USER.md"]
    assert "Role: Developer" in texts["IDENTITY.md"]
    assert texts_of(profile(soul=" "))["SOUL.md"] == ""


def test_the_list_of_skills_says_how_to_use_them() -> None:
    text = tools_text([skill(), skill(slug="test", name="", description="")])

    assert "`No applicable skill`" in text
    assert "- **Deploy** (deploy) — Ships it" in text
    assert text.endswith("- **test** (test)")
    assert tools_text([]).endswith("- No assigned skills")


@pytest.mark.parametrize(
    ("content", "expected", "key"),
    [
        ("Do it.", '---\nname: deploy\ndescription: "Ships it"\n---\n\nDo it.\n', "deploy"),
        ("---\nname: ship\ndescription: x\n---\nDo it.",
            "---\nname: ship\ndescription: x\n---\n\nDo it.\n", "ship"),
        ('---\nname: "Ship it"\ndescription: x\nmore: y\n---\n\nDo it.',
            '---\nname: "Ship it"\ndescription: x\nmore: y\n---\n\nDo it.\n', "Ship it"),
        ("---\ndescription: x\n---\nDo it.",
            "---\nname: deploy\ndescription: x\n---\n\nDo it.\n", "deploy"),
        ("---\nname:\ndescription: x\n---\nDo it.",
            "---\nname: deploy\ndescription: x\n---\n\nDo it.\n", "deploy"),
        ("---\nname: ship\n---\nDo it.",
            '---\nname: ship\ndescription: "Ships it"\n---\n\nDo it.\n', "ship"),
        ("---\nnever closed", '---\nname: deploy\ndescription: "Ships it"\n---\n\n---\nnever closed\n',
            "deploy"),
    ],
)  # fmt: skip
def test_item_160_a_skill_has_one_front_matter(content: str, expected: str, key: str) -> None:
    assert skill_text(skill(content=content)) == (expected, key)


def test_a_description_is_one_short_line() -> None:
    text, _ = skill_text(skill(description='a "b"\n' + "c" * 300))

    line = text.splitlines()[2]
    told = json.loads(line.removeprefix("description: "))
    assert told.startswith('a "b" ccc')
    assert len(told) == 200


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("minimax-m2.5", "minimax/minimax-m2.5"), (" claude-haiku-4.5 ", "anthropic/claude-haiku-4.5"),
        ("kimi-k2.5", "moonshotai/kimi-k2.5"), ("gpt-5-nano", "openai/gpt-5-nano"),
        ("gpt-9", None), ("", None),
    ],
)  # fmt: skip
def test_item_161_models_are_mapped(name: str, plain: str | None) -> None:
    assert model_of(name, has_ai_gateway=False) == plain
    gateway = plain and f"vercel-ai-gateway/{plain}"
    assert model_of(name, has_ai_gateway=True) == gateway


def test_item_158_the_configuration_has_its_form() -> None:
    entries = {
        "writer": (profile(slug="writer", name="W\nr", model=""), "/c/writer"),
        "engineer": (profile(), "/c/engineer"),
    }
    bare = json.loads(config_of(entries, {}, has_ai_gateway=False))
    full = json.loads(
        config_of(entries, {"b": "/c/x/skills", "a": "/c/x/skills"}, has_ai_gateway=True)
    )

    assert bare == {
        "agents": {
            "ownership": "explicit",
            "defaults": {"skipBootstrap": True},
            "entries": {
                "engineer": {"workspace": "/c/engineer", "identity": {"name": "Engineer"},
                    "model": "anthropic/claude-haiku-4.5"},
                "writer": {"workspace": "/c/writer", "identity": {"name": "W r"}},
            },
        }
    }  # fmt: skip
    assert full["skills"] == {
        "load": {"extraDirs": ["/c/x/skills"]},
        "entries": {"a": {"enabled": True}, "b": {"enabled": True}},
    }
    assert "\n  " in config_of(entries, {}, has_ai_gateway=False)


def test_the_manuals_name_every_tool_and_hold_no_secret() -> None:
    found = manuals()

    assert set(found) == {"AGENTS.md", "HEARTBEAT.md"}
    for tool in EVERY_TOOL.values():
        assert f"`{tool.name}`" in found["AGENTS.md"]
        assert f"`{tool.path}`" in found["AGENTS.md"]
    assert "3001" in found["AGENTS.md"]
    assert "`HEARTBEAT_OK`" in found["HEARTBEAT.md"]
