"""What the runtime says of itself, and the sweep that notices its silence."""

from typing import Final

from dispatcher.sandbox.backend.access import account_of
from dispatcher.sandbox.backend.actions import SUCCESS, Action, action
from dispatcher.sandbox.backend.audit import SYSTEM, Target, log
from dispatcher.sandbox.backend.fanout import notify
from dispatcher.sandbox.backend.store import Doc, Store, Transaction
from dispatcher.sandbox.backend.upgrades import update_runtime_row
from dispatcher.sandbox.backend.validators import (
    NUMBER,
    RUNTIME_STATUS,
    STRING,
    UPGRADE_RESULT,
    ObjectOf,
    Optional,
)

STALE_AFTER_MS: Final = 90_000
_QUIETED_ROWS: Final = 500


def update_runtime_status(store: Store, args: Doc) -> Doc:
    """B.1: report, with everything that a change of status brings along."""
    with store.mutation() as tx:
        account = account_of(tx, args["accountId"])
        set_status(tx, account, args["status"], args.get("config"))
    return SUCCESS


def sweep_stale(store: Store, now_ms: float) -> int:
    """Take runtimes offline whose last health check is too old.

    A status that was reported without a health check is never swept.

    Returns:
        How many accounts were swept.
    """
    swept = 0
    with store.mutation() as tx:
        for status in ("online", "degraded"):
            for account in tx.find("accounts", runtimeStatus=status):
                seen = account.get("runtimeConfig", {}).get("lastHealthCheck")
                if seen is not None and now_ms - seen > STALE_AFTER_MS:
                    set_status(tx, account, "offline", None)
                    swept += 1
    return swept


def set_status(tx: Transaction, account: Doc, status: str, config: Doc | None) -> None:
    """Store a status and, when given, the whole configuration in place of the old one."""
    old = account["runtimeStatus"]
    changes: Doc = {"runtimeStatus": status}
    if config is not None:
        changes["runtimeConfig"] = config
    tx.patch("accounts", account["_id"], changes)
    if old != status:
        target = Target("account", account["_id"], account["name"])
        meta = {"oldStatus": old, "newStatus": status}
        log(tx, account["_id"], SYSTEM, "runtime_status_changed", target, meta)
        _tell_members(tx, account, old, status)
    if status == "offline":
        _send_agents_home(tx, account["_id"])
        _stop_typing(tx, account["_id"])
    update_runtime_row(tx, account["_id"], status, config)


def _tell_members(tx: Transaction, account: Doc, old: str, new: str) -> None:
    name = account["name"]
    if new == "offline" and old in {"online", "degraded"}:
        title, body = "Runtime is offline", f'Mission Control runtime for "{name}" went offline.'
    elif new == "online" and old in {"offline", "error", "provisioning"}:
        title, body = "Runtime is online", f'Mission Control runtime for "{name}" is back online.'
    else:
        return
    for member in tx.find("memberships", accountId=account["_id"]):
        texts = {"title": title, "body": body}
        notify(tx, account["_id"], "status_change", ("user", member["userId"]), texts)


def _send_agents_home(tx: Transaction, account: str) -> None:
    for agent in tx.find("agents", accountId=account):
        if agent["status"] != "offline":
            tx.patch("agents", agent["_id"], {"status": "offline", "currentTaskId": None})


def _stop_typing(tx: Transaction, account: str) -> None:
    queue: Doc = {"accountId": account, "recipientType": "agent", "deliveredAt": None}
    for row in tx.find("notifications", by="createdAt", limit=_QUIETED_ROWS, **queue):
        if "readAt" in row:
            tx.patch("notifications", row["_id"], {"readAt": None})


def check_restart(store: Store, args: Doc) -> Doc:
    """B.2: answer whether a restart was asked for, and forget it."""
    with store.query() as tx:
        wanted = "restartRequestedAt" in account_of(tx, args["accountId"])
    # Two steps, as in the backend: two callers at once may both hear yes.
    if wanted:
        with store.mutation() as tx:
            tx.patch("accounts", args["accountId"], {"restartRequestedAt": None})
    return {"restartRequested": wanted}


_CONFIG: Final = ObjectOf(
    {
        "dropletId": STRING,
        "ipAddress": STRING,
        "region": Optional(STRING),
        "lastHealthCheck": Optional(NUMBER),
        "openclawVersion": Optional(STRING),
        "runtimeServiceVersion": Optional(STRING),
        "lastUpgradeAt": Optional(NUMBER),
        "lastUpgradeStatus": Optional(UPGRADE_RESULT),
    }
)

ACTIONS: Final[dict[str, Action]] = {
    "updateRuntimeStatus": action(
        update_runtime_status, status=RUNTIME_STATUS, config=Optional(_CONFIG)
    ),
    "checkAndClearRestartRequested": action(check_restart),
}
