"""The texts that agents read, as templates that a person can change."""

from functools import cache
from importlib import resources
from string import Template


@cache
def template(name: str) -> Template:
    """Return one of the templates of this package."""
    text = resources.files(__name__).joinpath(f"{name}.txt").read_text(encoding="utf-8")
    return Template(text)
