"""The crew: creating and deleting agents, their flags, skills and files."""

from typing import Final

from dispatcher.sandbox.backend.access import DEFAULT_FLAGS
from dispatcher.sandbox.backend.errors import refuse_person
from dispatcher.sandbox.backend.human.accounts import change_settings
from dispatcher.sandbox.backend.human.acting import Acting, found, found_account
from dispatcher.sandbox.backend.store import Doc

_PROFILE: Final = frozenset(
    {"description", "avatarUrl", "icon", "soulContent", "identityContent", "lastHeartbeat"}
)


class Crew(Acting):
    """Operations on agents."""

    def create_agent(  # noqa: PLR0913 - the fields of an agent are many, and named by callers
        self,
        account: str,
        name: str,
        slug: str,
        role: str,
        *,
        flags: Doc | None = None,
        heartbeat_interval: float = 15,
        skills: tuple[str, ...] = (),
        **profile: str,
    ) -> str:
        """Create an agent.

        Args:
            account: Whose crew.
            name: Display name.
            slug: Unique within the account.
            role: Free text; decides whether the agent counts as QA.
            flags: Behaviour flags that differ from the account's, or else from the built-in ones.
            heartbeat_interval: Minutes.
            skills: Ids of skills.
            profile: Any of ``description``, ``soulContent``, ``identityContent`` and the like.

        Returns:
            The agent's id.
        """
        unknown = profile.keys() - _PROFILE
        if unknown:
            refuse_person(f"unknown fields of an agent: {', '.join(sorted(unknown))}")
        with self._acting() as tx:
            settings = found_account(tx, account).get("settings", {})
            if tx.first("agents", accountId=account, slug=slug) is not None:
                refuse_person(f"the slug {slug} is taken")
            shared = settings.get("agentDefaults", {}).get("behaviorFlags") or DEFAULT_FLAGS
            config = {
                "model": "claude-haiku-4.5",
                "temperature": 0.7,
                "skillIds": list(skills),
                "behaviorFlags": {**shared, **(flags or {})},
            }
            agent = tx.insert(
                "agents",
                {
                    "accountId": account,
                    "name": name,
                    "slug": slug,
                    "role": role,
                    "status": "offline",
                    "heartbeatInterval": heartbeat_interval,
                    "openclawConfig": config,
                    **profile,
                    "createdAt": tx.now,
                },
            )
        return str(agent["_id"])

    def set_flags(self, account: str, agent: str, flags: Doc | None) -> None:
        """Set an agent's behaviour flags; missing ones are built in, None removes them all."""
        with self._acting() as tx:
            config = dict(found(tx, "agents", account, agent).get("openclawConfig", {}))
            config.pop("behaviorFlags", None)
            if flags is not None:
                config["behaviorFlags"] = {**DEFAULT_FLAGS, **flags}
            tx.patch("agents", agent, {"openclawConfig": config})

    def delete_agent(self, account: str, agent: str) -> None:
        """Dismiss an agent; its messages, sessions and activities stay."""
        with self._acting() as tx:
            found(tx, "agents", account, agent)
            for task in tx.find("tasks", accountId=account):
                if agent in task["assignedAgentIds"]:
                    rest = [other for other in task["assignedAgentIds"] if other != agent]
                    tx.patch("tasks", task["_id"], {"assignedAgentIds": rest})
            for row in tx.find("notifications", recipientId=agent):
                tx.delete("notifications", row["_id"])
            for row in tx.find("subscriptions", subscriberId=agent):
                tx.delete("subscriptions", row["_id"])
            settings = found_account(tx, account).get("settings", {})
            if settings.get("orchestratorAgentId") == agent:
                change_settings(tx, account, {"orchestratorAgentId": None})
            tx.delete("agents", agent)

    def create_skill(
        self,
        account: str,
        name: str,
        slug: str,
        *,
        content: str | None = None,
        enabled: bool = True,
    ) -> str:
        """Create a skill that agents can be given; returns its id."""
        with self._acting() as tx:
            found_account(tx, account)
            facts = {"name": name, "slug": slug, "category": "custom", "isEnabled": enabled}
            row = {"accountId": account, **facts, "contentMarkdown": content, "config": {}}
            return str(tx.insert("skills", row)["_id"])

    def set_skills(self, account: str, agent: str, skills: list[str]) -> None:
        """Give an agent these skills, in this order; ids are not checked, as in the backend."""
        with self._acting() as tx:
            config = found(tx, "agents", account, agent).get("openclawConfig", {})
            tx.patch("agents", agent, {"openclawConfig": {**config, "skillIds": skills}})

    def store_file(self, *, content_type: str | None = None, size: int = 1) -> str:
        """Put a file into the storage; returns its storage id."""
        with self._acting() as tx:
            stored = tx.insert("_storage", {"contentType": content_type, "size": size})
            return str(stored["_id"])
