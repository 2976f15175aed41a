"""Turns the raw texts of variables into values, and collects all that is wrong with them."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from redis.connection import parse_url

LEVELS: Final = ("debug", "info", "warn", "error")
_WHERE: Final = "generate one in Mission Control, in the deployment that CONVEX_URL names"
_LOCAL_HOSTS: Final = frozenset({
    "localhost", "127.0.0.1", "::1", "0.0.0.0", "openclaw-gateway",  # noqa: S104 - compared only
})  # fmt: skip
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_TRIMMED_TWICE: Final = frozenset({
    "openclaw_gateway_url", "openclaw_gateway_token", "health_host", "task_status_base_url",
    "openclaw_workspace_root",
})  # fmt: skip
_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "0", "no", "off"})


class Reading:
    """The values read so far, with the problems that are fatal and the notes that are not."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.values: dict[str, Any] = {name: _clean(name, value) for name, value in data.items()}
        self.problems: list[str] = []
        self.notes: list[str] = []

    def number(self, name: str, facts: Mapping[str, Any], default: object) -> None:
        """Read a whole number; nonsense becomes the default, an outlier the nearest bound."""
        text = self.values.pop(name, None)
        if isinstance(text, int):
            text = str(text)
        if not text:
            return
        if not re.fullmatch(r"[+-]?\d{1,400}", text):
            self.notes.append(
                f"{name.upper()} is not a whole number; "
                + (f"{default} is used." if default is not None else "its default is used.")
            )
            return
        given = int(text)
        kept = min(max(given, facts["low"]), facts["high"])
        if kept != given:
            self.notes.append(
                f"{name.upper()} is {given}, outside {facts['low']} to {facts['high']}; "
                f"{kept} is used."
            )
        self.values[name] = kept

    def flag(self, name: str) -> None:
        """Read one of the eight words for true and false."""
        text = str(self.values.pop(name, "")).lower()
        if text in _TRUE | _FALSE:
            self.values[name] = text in _TRUE
        elif text:
            self.notes.append(f"{name.upper()} is neither true nor false; its default is used.")

    def level(self) -> None:
        """Read the log level in any case."""
        level = str(self.values.pop("log_level", "")).lower()
        if level in LEVELS:
            self.values["log_level"] = level
        elif level:
            self.notes.append(f"LOG_LEVEL is none of {', '.join(LEVELS)}; info is used.")

    def secret(self, name: str) -> None:
        """Refuse a secret that no header can carry, without showing it."""
        if not str(self.values.get(name) or "").isprintable():
            self.problems.append(
                f"{name.upper()} holds a character that cannot be sent: a line break, a control "
                "character, or one that is no UTF-8."
            )

    def required(self) -> None:
        """Name what is missing, and where to get it."""
        needs = {
            "account_id": "the Convex id of the account, from the account's settings",
            "convex_url": "the URL of the deployment, such as https://name.convex.cloud",
            "service_token": _WHERE,
        }
        for name, what in needs.items():
            if not self.values.get(name):
                self.values.pop(name, None)
                self.problems.append(f"{name.upper()} is not set: {what}.")

    def service_token(self) -> None:
        """Check the form of the token and whose it is, without showing its secret."""
        token, account = self.values.get("service_token"), self.values.get("account_id")
        if not token:
            return
        if not token.startswith("mc_service_"):
            self.problems.append(
                f"SERVICE_TOKEN has the wrong format: it starts with mc_service_; {_WHERE}."
            )
            return
        parts = token.split("_", 3)
        if len(parts) < 4 or not parts[3] or len(token) > 512 or re.search(r"\s", token):
            self.problems.append(
                "SERVICE_TOKEN has the wrong structure: expected is "
                f"mc_service_{{accountId}}_{{secret}}; {_WHERE}."
            )
        elif account and parts[2] != account:
            self.problems.append(
                f"SERVICE_TOKEN belongs to account {_shown(parts[2])}, but ACCOUNT_ID is "
                f"{_shown(account)}: use the token of this account."
            )

    def urls(self) -> None:
        """Check every URL that is set."""
        self._url("convex_url", {"http", "https"}, "only http and https are allowed")
        self._url("openclaw_gateway_url", {"http", "https"}, "only http and https are allowed")
        self._url("redis_url", {"redis", "rediss", "unix"}, "such as redis://127.0.0.1:6379/0")
        self._url("task_status_base_url", {"http", "https"}, "only http and https are allowed")
        self._url("sandbox_url", {"http", "https"}, "only http and https are allowed")

    def _url(self, name: str, schemes: set[str], hint: str) -> None:
        url = self.values.get(name)
        if not url:
            return
        try:
            parts = urlsplit(url)
            is_good = parts.scheme in schemes and bool(parts.hostname or parts.scheme == "unix")
            is_good = is_good and (parts.port is None or parts.port > 0)
            # Whoever connects later must be able to read it as well.
            if name == "redis_url":
                _redis_options(url)
            has_name = name == "redis_url" or _has_name(httpx.URL(url))
        except (ValueError, httpx.InvalidURL):
            is_good = has_name = False
        if not is_good or re.search(r"\s", url):
            self.problems.append(f"{name.upper()} is not a URL that can be used: {hint}.")
        elif not has_name:
            self.problems.append(
                f"{name.upper()} names a host that cannot be looked up: a part of its name is empty "
                "or longer than 63 letters."
            )
        elif name in {"convex_url", "openclaw_gateway_url"}:
            if "@" in urlsplit(url).netloc:
                self.problems.append(
                    f"{name.upper()} holds a user or a password: neither would be sent; take it out."
                )
            self.values[name] = url.rstrip("/")

    def gateway_token(self) -> None:
        """Want a token for a gateway that is not local."""
        url = self.values.get("openclaw_gateway_url")
        if not url:
            return
        try:
            host = urlsplit(url).hostname
        except ValueError:
            return
        if host is None or host in _LOCAL_HOSTS:
            return
        token = self.values.get("openclaw_gateway_token")
        if token is None:
            self.problems.append(
                "OPENCLAW_GATEWAY_TOKEN is not set: it is required because OPENCLAW_GATEWAY_URL "
                "is not local; it is gateway.auth.token in the gateway's openclaw.json."
            )
        elif not token:
            self.notes.append(
                "OPENCLAW_GATEWAY_TOKEN is empty for a gateway that is not local: "
                "no authorisation is sent."
            )

    def base_url(self) -> None:
        """Note when agents may not reach the runtime."""
        host = self.values.get("health_host") or "127.0.0.1"
        url = self.values.get("task_status_base_url")
        if not url and host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
            self.notes.append(
                "HEALTH_HOST listens on all addresses and TASK_STATUS_BASE_URL is not set: "
                "agents in other containers need it to reach the runtime."
            )
        elif url and host in _LOOPBACK and _host_of(url) not in _LOOPBACK:
            self.notes.append(
                "HEALTH_HOST is loopback but TASK_STATUS_BASE_URL is not: "
                "agents may not reach /agent/*."
            )

    def relations(self) -> None:
        """Check values against each other; blank texts become their defaults."""
        base = self.values.get("delivery_backoff_base_ms", 5_000)
        if self.values.get("delivery_backoff_max_ms", 300_000) < base:
            self.notes.append(
                f"DELIVERY_BACKOFF_MAX_MS is below DELIVERY_BACKOFF_BASE_MS; {base} is used."
            )
            self.values["delivery_backoff_max_ms"] = base
        for name in ("health_host", "openclaw_workspace_root"):
            if not self.values.get(name, "x"):
                del self.values[name]


def _has_name(url: httpx.URL) -> bool:
    """Say whether a host can be looked up: no part of it is empty or longer than 63 letters.

    Raises:
        ValueError: Its name is in no form that httpx can show.
    """
    parts = url.raw_host.removesuffix(b".").split(b".")
    return ":" in url.host or all(0 < len(part) < 64 for part in parts)


def _redis_options(url: str) -> object:
    return parse_url(url)  # type: ignore[no-untyped-call]  # it has no types


def _clean(name: str, value: object) -> Any:  # noqa: ANN401 - whatever a source gives
    """Trim a text and take off one pair of equal quotes."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1].strip() if name in _TRIMMED_TWICE else text[1:-1]
    return text


def _shown(account: str) -> str:
    """Show an account id in a message; what is too long to be one may be a secret."""
    return account if len(account) <= 40 else f"{account[:8]}…"


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
