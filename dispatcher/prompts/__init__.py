"""The texts that agents read, as templates that a person can change."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from dispatcher.domain.catalogue import EVERY_TOOL
from dispatcher.domain.tools import body_form


def render(template: str, /, **facts: Any) -> str:  # noqa: ANN401 - each template names its own facts
    """Fill one of the templates of this package.

    Args:
        template: The template's file without ``.md``.
        facts: Texts must be fenced by the caller: nothing is escaped here, for this is no HTML.
    """
    return _environment().get_template(f"{template}.md").render(facts).strip()


def warm_up() -> None:
    """Read all templates now: threads that need one at the same time would each compile it."""
    environment = _environment()
    for name in environment.list_templates(extensions=["md"]):
        environment.get_template(name)


@cache
def _environment() -> Environment:
    return Environment(  # noqa: S701 - plain text for a model: escaping would garble it
        loader=PackageLoader("dispatcher.prompts", ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )


@cache
def manuals() -> dict[str, str]:
    """Return the manuals that are the same for all agents, by file name."""
    tools = [
        {
            "name": tool.name,
            "path": tool.path,
            "description": tool.description,
            "is_for_lead": tool.is_for_lead,
            "body": body_form(tool),
        }
        for tool in EVERY_TOOL.values()
    ]
    return {
        f"{name}.md": render(f"manuals/{name}", tools=tools) + "\n"
        for name in ("AGENTS", "HEARTBEAT")
    }
