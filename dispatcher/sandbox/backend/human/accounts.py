"""What an owner sets up: accounts, tokens, members, settings, restarts and upgrades."""

import re
import secrets

from dispatcher.sandbox.backend.access import DEFAULT_FLAGS
from dispatcher.sandbox.backend.auth import make_token, secret_hash
from dispatcher.sandbox.backend.errors import refuse_person
from dispatcher.sandbox.backend.human.acting import Acting, found, found_account, person
from dispatcher.sandbox.backend.store import Doc, Transaction


class Accounts(Acting):
    """Operations on an account as a whole."""

    def create_account(self, name: str) -> Doc:
        """Create an account with a fresh service token.

        Returns:
            ``{"accountId", "serviceToken"}``; the token is shown only here.
        """
        secret = secrets.token_hex(32)
        with self._acting() as tx:
            account = tx.insert(
                "accounts",
                {
                    "name": name,
                    "slug": _free_slug(tx, name),
                    "plan": "free",
                    "runtimeStatus": "offline",
                    "serviceTokenHash": secret_hash(secret),
                    "settings": {},
                    "createdAt": tx.now,
                },
            )
        return {"accountId": account["_id"], "serviceToken": make_token(account["_id"], secret)}

    def rotate_token(self, account: str, *, secret: str | None = None) -> str:
        """Replace the service token; the old one stops working at once."""
        new = secrets.token_hex(32) if secret is None else secret
        with self._acting() as tx:
            found_account(tx, account)
            tx.patch("accounts", account, {"serviceTokenHash": secret_hash(new)})
        return make_token(account, new)

    def remove_token(self, account: str) -> None:
        """Leave the account without any service token."""
        with self._acting() as tx:
            found_account(tx, account)
            tx.patch("accounts", account, {"serviceTokenHash": None})

    def create_member(self, account: str, name: str, email: str, role: str = "member") -> str:
        """Let a person join; returns the user id."""
        user = f"user_{secrets.token_hex(12)}"
        with self._acting() as tx:
            found_account(tx, account)
            who = {"userId": user, "userName": name, "userEmail": email, "role": role}
            tx.insert("memberships", {"accountId": account, **who, "joinedAt": tx.now})
        return user

    def remove_member(self, account: str, user: str) -> None:
        """Let a person leave; what it wrote stays."""
        with self._acting() as tx:
            for row in tx.find("memberships", accountId=account, userId=user):
                tx.delete("memberships", row["_id"])

    def set_orchestrator(self, account: str, agent: str | None) -> None:
        """Name the squad lead, or nobody."""
        with self._acting() as tx:
            if agent is not None:
                found(tx, "agents", account, agent)
            change_settings(tx, account, {"orchestratorAgentId": agent})

    def set_account_flags(self, account: str, flags: Doc | None) -> None:
        """Set the behaviour flags that new agents get; None removes them."""
        with self._acting() as tx:
            defaults = found_account(tx, account).get("settings", {}).get("agentDefaults", {})
            full = None if flags is None else {**DEFAULT_FLAGS, **flags}
            change_settings(tx, account, {"agentDefaults": {**defaults, "behaviorFlags": full}})

    def set_preferences(self, account: str, **preferences: bool) -> None:
        """Switch kinds of notifications to people on or off, e.g. ``agentActivity=False``."""
        with self._acting() as tx:
            change_settings(tx, account, {"notificationPreferences": preferences})

    def set_user_text(self, account: str, text: str) -> None:
        """Write the shared USER.md."""
        with self._acting() as tx:
            change_settings(tx, account, {"userMd": text})

    def request_restart(self, account: str) -> None:
        """Ask the runtime to restart."""
        with self._acting() as tx:
            found_account(tx, account)
            tx.patch("accounts", account, {"restartRequestedAt": tx.now})

    def request_upgrade(
        self,
        account: str,
        openclaw_version: str,
        runtime_version: str,
        *,
        strategy: str = "immediate",
        by: str | None = None,
    ) -> None:
        """Ask the runtime to upgrade; possible only after it reported a status once."""
        with self._acting() as tx:
            row = tx.first("runtimes", accountId=account)
            if row is None:
                refuse_person("the runtime has never reported a status")
            pending = {
                "targetOpenclawVersion": openclaw_version,
                "targetRuntimeVersion": runtime_version,
                "initiatedAt": tx.now,
                "initiatedBy": person(tx, account, by).id,
                "strategy": strategy,
            }
            tx.patch("runtimes", row["_id"], {"pendingUpgrade": pending})


def change_settings(tx: Transaction, account: str, changes: Doc) -> None:
    """Change members of an account's settings; None removes one."""
    settings = {**found_account(tx, account).get("settings", {}), **changes}
    kept = {name: value for name, value in settings.items() if value is not None}
    tx.patch("accounts", account, {"settings": kept})


def _free_slug(tx: Transaction, name: str) -> str:
    slug = base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "account"
    number = 1
    while tx.first("accounts", slug=slug) is not None:
        number += 1
        slug = f"{base}-{number}"
    return slug
