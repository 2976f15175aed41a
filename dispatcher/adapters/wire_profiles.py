"""The backend's profiles of agents, read into the domain; see ``wire``."""

import logging
from collections.abc import Iterator
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationError

from dispatcher.adapters.wire import Text, Wire, as_list, describe
from dispatcher.domain.errors import BackendGarbled
from dispatcher.domain.ids import AgentId
from dispatcher.domain.profile import Profile, Skill

_log = logging.getLogger(__name__)


class _WireSkill(Wire):
    slug: Text = ""
    name: Text = ""
    description: Text = ""
    content: Text = Field(alias="contentMarkdown", default="")

    def read(self) -> Skill:
        return Skill(
            slug=self.slug.strip(),
            name=self.name.strip(),
            description=self.description.strip(),
            content=self.content,
        )


class _WireConfig(Wire):
    model: Text = ""


class _WireProfile(Wire):
    id_: str = Field(alias="_id", min_length=1)
    name: Text = ""
    slug: Text = ""
    role: Text = ""
    config: _WireConfig | None = Field(alias="openclawConfig", default=None)
    soul: Text = Field(alias="effectiveSoulContent", default="")
    user: Text = Field(alias="effectiveUserMd", default="")
    identity: Text = Field(alias="effectiveIdentityContent", default="")
    skills: Annotated[list[object], BeforeValidator(as_list)] = Field(
        alias="resolvedSkills", default=[]
    )

    def read(self) -> Profile:
        return Profile(
            agent_id=AgentId(self.id_),
            name=self.name,
            slug=self.slug,
            role=self.role,
            model=self.config.model if self.config else "",
            soul=self.soul,
            user=self.user,
            identity=self.identity,
            skills=tuple(_read_skills(self.skills)),
        )


def _read_skills(values: list[object]) -> Iterator[Skill]:
    """Read skills; one that cannot be read is told and left out."""
    for value in values:
        try:
            yield _WireSkill.model_validate(value).read()
        except ValidationError as error:
            _log.warning(
                "a skill cannot be read: %s", describe(error), extra={"action": "profiles"}
            )


def read_profiles(value: object) -> tuple[Profile, ...]:
    """Read the profiles.

    Raises:
        BackendGarbled: It is not a list, or one of them cannot be read: without it the gateway would
            forget that agent.
    """
    if not isinstance(value, list):
        raise BackendGarbled("the list of profiles is not a list")
    try:
        return tuple(_WireProfile.model_validate(one).read() for one in value)
    except ValidationError as error:
        raise BackendGarbled(f"a profile is malformed: {describe(error)}") from error
