"""The runtime row of an account: versions, the pending upgrade, the history of upgrades."""

from typing import Final

from dispatcher.sandbox.backend.actions import SUCCESS, Action, action
from dispatcher.sandbox.backend.store import Doc, Store, Transaction
from dispatcher.sandbox.backend.validators import NUMBER, STRING, UPGRADE_RESULT, Optional
from dispatcher.sandbox.backend.values import trim

_KEPT_HISTORY: Final = 10
_UPGRADE_TIMEOUT_MS: Final = 30 * 60_000
_MAX_ERROR: Final = 2048
_FROM_CONFIG: Final = {
    "dropletId": "providerId",
    "ipAddress": "ipAddress",
    "region": "region",
    "openclawVersion": "openclawVersion",
    "runtimeServiceVersion": "runtimeServiceVersion",
}


def update_runtime_row(tx: Transaction, account: str, status: str, config: Doc | None) -> None:
    """Create or update the runtime row of an account after a status report."""
    given = config or {}
    row = tx.first("runtimes", accountId=account) or _create_row(tx, account)
    changes: Doc = {"status": status, "lastHealthCheck": given.get("lastHealthCheck")}
    changes |= {ours: given[theirs] for theirs, ours in _FROM_CONFIG.items() if theirs in given}
    if "runtimeServiceVersion" in given:
        changes["dockerImageTag"] = given["runtimeServiceVersion"]
    row = tx.patch("runtimes", row["_id"], {**changes, "updatedAt": tx.now})
    pending = row.get("pendingUpgrade")
    if pending is None:
        return
    reported = given.get("openclawVersion"), given.get("runtimeServiceVersion")
    if reported == (pending["targetOpenclawVersion"], pending["targetRuntimeVersion"]):
        _conclude(tx, row, {"status": "success"})
    elif tx.now - pending["initiatedAt"] > _UPGRADE_TIMEOUT_MS:
        _conclude(tx, row, {"status": "failed", "error": "Upgrade timed out"})


def get_pending_upgrade(store: Store, args: Doc) -> Doc | None:
    """B.3: read the pending upgrade; reading does not end it."""
    with store.query() as tx:
        row = tx.first("runtimes", accountId=args["accountId"])
    return None if row is None else row.get("pendingUpgrade")


def record_upgrade(store: Store, args: Doc) -> Doc:
    """B.4: write down how an upgrade went; without a runtime row nothing is stored."""
    with store.mutation() as tx:
        row = tx.first("runtimes", accountId=args["accountId"])
        if row is None:
            return SUCCESS
        kept = (
            "status",
            "fromOpenclawVersion",
            "toOpenclawVersion",
            "fromRuntimeVersion",
            "toRuntimeVersion",
            "duration",
        )
        entry = {name: args[name] for name in kept if name in args}
        error = _first_line(args.get("error", ""))
        row = _conclude(tx, row, {**entry, **({"error": error} if error else {})})
        changes: Doc = {"status": "error" if args["status"] == "failed" else "online"}
        if args["status"] == "success":
            changes["openclawVersion"] = args["toOpenclawVersion"]
            changes["runtimeServiceVersion"] = args["toRuntimeVersion"]
        tx.patch("runtimes", row["_id"], changes)
    return SUCCESS


def _create_row(tx: Transaction, account: str) -> Doc:
    unknown = dict.fromkeys([*_FROM_CONFIG.values(), "dockerImageTag"], "")
    row = {"accountId": account, "provider": "digitalocean", **unknown}
    return tx.insert("runtimes", {**row, "createdAt": tx.now, "updatedAt": tx.now})


def _conclude(tx: Transaction, row: Doc, entry: Doc) -> Doc:
    """Move the pending upgrade, if any, into the history."""
    pending: Doc = row.get("pendingUpgrade") or {}
    facts = {
        "initiatedBy": pending.get("initiatedBy", "runtime"),
        "startedAt": pending.get("initiatedAt", tx.now),
        "completedAt": tx.now,
    }
    history = [*row.get("upgradeHistory", []), {**facts, **entry}][-_KEPT_HISTORY:]
    changes = {"pendingUpgrade": None, "upgradeHistory": history, "updatedAt": tx.now}
    return tx.patch("runtimes", row["_id"], changes)


def _first_line(text: str) -> str:
    line = trim(text.partition("\n")[0])
    return line.encode("utf-16-le")[: 2 * _MAX_ERROR].decode("utf-16-le", "ignore")


ACTIONS: Final[dict[str, Action]] = {
    "getPendingUpgrade": action(get_pending_upgrade),
    "recordUpgradeResult": action(
        record_upgrade,
        status=UPGRADE_RESULT,
        fromOpenclawVersion=STRING,
        toOpenclawVersion=STRING,
        fromRuntimeVersion=STRING,
        toRuntimeVersion=STRING,
        duration=Optional(NUMBER),
        error=Optional(STRING),
    ),
}
