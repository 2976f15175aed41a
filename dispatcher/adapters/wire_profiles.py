"""The backend's profiles of agents, read into the domain; see ``wire``."""

import logging
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
    skills: Annotated[list[_WireSkill], BeforeValidator(as_list)] = Field(
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
            skills=tuple(skill.read() for skill in self.skills),
        )


def read_profiles(value: object) -> tuple[Profile, ...]:
    """Read the profiles; one that cannot be read is left out.

    Raises:
        BackendGarbled: It is not a list, or none of them can be read.
    """
    if not isinstance(value, list):
        raise BackendGarbled("the list of profiles is not a list")
    profiles, wrong = [], ""
    for one in value:
        try:
            profiles.append(_WireProfile.model_validate(one).read())
        except ValidationError as error:
            wrong = describe(error)
            _log.warning("a profile cannot be read: %s", wrong, extra={"action": "profiles"})
    if wrong and not profiles:
        raise BackendGarbled(f"the list of profiles is malformed: {wrong}")
    return tuple(profiles)
