"""Every setting with its default, its range and one line of meaning."""

from pathlib import PurePosixPath
from typing import Any, Final, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dispatcher.domain.errors import SettingsInvalid
from dispatcher.settings.reading import Reading
from dispatcher.settings.secret_files import is_secret

_MOST_MS: Final = 86_400_000


def _number(default: int | None, low: int, high: int, text: str, unit: str = "") -> Any:  # noqa: ANN401
    """Declare a whole number with its range; ``None`` means derived from others."""
    facts: dict[str, Any] = {"low": low, "high": high, "unit": unit}
    return Field(default=default, description=text, json_schema_extra=facts)


def _text(default: Any, text: str) -> Any:  # noqa: ANN401 - pydantic's own signature
    return Field(default=default, description=text)


def _flag(text: str, *, default: bool = False) -> Any:  # noqa: ANN401 - pydantic's own signature
    return Field(default=default, description=text, json_schema_extra={"unit": "true or false"})


class Settings(BaseSettings):
    """Every setting, named as its variable in lower case; durations are in milliseconds."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_file=".env", env_file_encoding="utf-8"
    )

    account_id: str = _text(..., "The Convex account that this program serves.")
    convex_url: str = _text(..., "URL of the Convex deployment, https://….convex.cloud.")
    service_token: SecretStr = _text(..., "Service token of the account, mc_service_….")

    redis_url: str = _text("redis://127.0.0.1:6379/0", "Redis that keeps the mailboxes.")
    allow_volatile_redis: bool = _flag("Accept a Redis that may evict or forget; for tests.")

    openclaw_gateway_url: str = _text(
        "http://127.0.0.1:18789", "Base URL of the OpenClaw gateway; empty disables sending."
    )
    openclaw_gateway_token: SecretStr | None = _text(
        None, "Bearer token of the gateway; required unless its host is local."
    )
    openclaw_request_timeout_ms: int = _number(
        60_000, 5_000, 600_000, "Limit for one whole ask; raise it when agents run long.", "ms"
    )

    health_host: str = _text("127.0.0.1", "Address to bind to; 0.0.0.0 inside a container.")
    health_port: int = _number(3001, 1, 65_535, "Port of /health, /metrics and the console.")
    metrics_port: int = _number(9191, 1, 65_535, "Port of a worker's own /metrics.")
    task_status_base_url: str = _text("", "URL under which agents reach the runtime.")
    openclaw_client_tools_enabled: bool = _flag(
        "Bring tools to agents in the request; false tells them HTTP endpoints instead.",
        default=True,
    )
    turn_token_key: SecretStr | None = _text(
        None,
        "Signs the tokens by which agents call /agent/*; follows from SERVICE_TOKEN unless set.",
    )
    agent_endpoints_legacy_auth: bool = _flag(
        "Accept the bare session key at /agent/* too, which can be guessed."
    )
    console_token: SecretStr | None = _text(
        None, "Bearer token for POST /wake and all that changes something; without it, off."
    )
    console_hosts: str = _text(
        "", "Names under which the console is reached, with commas; addresses, localhost and names "
        "without a dot need not be named.",
    )  # fmt: skip
    log_level: Literal["debug", "info", "warn", "error"] = _text(
        "info", "debug, info, warn or error."
    )

    health_check_interval: int = _number(
        30_000,
        1_000,
        45_000,
        "How often Convex is told how we are; it gives us up after 90 s.",
        "ms",
    )
    agent_sync_interval: int = _number(
        60_000, 1_000, _MOST_MS, "How often the list of agents is read.", "ms"
    )
    heartbeats: bool = _flag("Wake the agents by their own intervals.", default=True)
    heartbeat_skip_idle: bool = _flag(
        "Do not ask an agent at its heartbeat when nothing that it could act on has changed."
    )
    delivery_interval: int = _number(
        15_000, 1_000, _MOST_MS, "Longest time between two polls while nothing happens.", "ms"
    )
    delivery_fast_interval: int = _number(
        1_000, 200, 60_000, "Time between two polls while there is work.", "ms"
    )
    delivery_list_limit: int = _number(
        50, 1, 500, "Rows listed at once, beside those in work already."
    )
    delivery_max_concurrent_sessions: int = _number(
        10, 1, 100, "Turns at once over all workers; not above the gateway's maxConcurrent."
    )
    delivery_max_concurrent_per_agent: int | None = _number(
        None, 1, 100, "Turns at once of one agent; half of the cap unless set."
    )
    delivery_max_attempts: int = _number(6, 1, 50, "Attempts until a delivery is dead.")
    dead_letter_notice: bool = _flag(
        "Tell people in the thread when a notification could not be answered.", default=True
    )
    dead_letter_limit: int = _number(
        1_000, 1, 100_000, "Dead letters that are kept; the oldest goes first."
    )
    delivery_max_tool_rounds: int = _number(
        8, 1, 50, "Rounds of tool calls in one turn; bounds how long a claim can live."
    )
    delivery_backoff_base_ms: int = _number(
        5_000, 1_000, _MOST_MS, "Shortest wait after a failed attempt or poll.", "ms"
    )
    delivery_backoff_max_ms: int = _number(
        300_000, 1_000, _MOST_MS, "Longest wait after a failed attempt or poll.", "ms"
    )
    delivery_lease_ms: int = _number(
        12_000, 3_000, 600_000, "How long a claim lives when its worker is gone.", "ms"
    )
    delivery_sweep_ms: int = _number(
        2_000, 200, 60_000, "How often dead claims are taken back.", "ms"
    )
    delivery_stream_timeout_ms: int | None = _number(
        None, 5_000, 300_000, "Kept from the old runtime and shown in /health; no effect.", "ms"
    )
    delivery_context_fetch_batch_size: int = _number(
        15, 1, 50, "Kept from the old runtime and shown in /health; no effect."
    )
    worker_processes: int = _number(1, 1, 64, "Processes of one `dispatcher worker`.")
    worker_threads: int | None = _number(
        None, 1, 1_000, "Threads of each process, of which one runs one turn; half as many again as "
        "the cap, 16 at least, unless set.",
    )  # fmt: skip
    drain_timeout_ms: int | None = _number(
        None, 1_000, 3_600_000, "How long running turns may finish at a stop; the request "
        "time-out and 30 s unless set.", "ms",
    )  # fmt: skip

    degraded_after_failures: int = _number(
        10, 1, 10_000, "Attempts that failed in a row make the health degraded."
    )
    degraded_after_wait_ms: int = _number(
        600_000, 1_000, _MOST_MS, "A wait in line of so long makes the health degraded.", "ms"
    )

    upgrade_mode: str = _text(
        "exit", "exit ends all processes when Convex asks for a restart or an immediate upgrade; "
        "anything else leaves such requests alone.",
    )  # fmt: skip
    openclaw_profile_sync: bool = _flag(
        "Write the agents' profiles and the gateway's agents into the folder below."
    )
    openclaw_workspace_root: str = _text("/root/clawd/agents", "Folder of the agents' workspaces.")
    ai_gateway_api_key: SecretStr | None = _text(
        None,
        "Only whether it is set matters: then models are reached through the Vercel AI gateway.",
    )
    vercel_ai_gateway_api_key: SecretStr | None = _text(None, "The same under its other name.")
    runtime_version: str = _text("", "Version to report; the package's own unless set.")
    openclaw_version: str = _text("unknown", "Version of OpenClaw to report.")
    droplet_id: str = _text("unknown", "Id of the machine, for reports.")
    droplet_ip: str = _text("unknown", "Its address, for reports.")
    droplet_region: str = _text("unknown", "Its region, for reports.")
    sandbox_url: str = _text("", "URL of a sandbox whose threads the console shows; set by `dev`.")

    notes_text: str = Field(default="", description="Warnings of the reading, a line each.")

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what was odd, but not fatal, a sentence each."""
        return tuple(self.notes_text.splitlines())

    @property
    def stream_timeout_ms(self) -> int:
        """Return the old runtime's time limit of a session."""
        return self.delivery_stream_timeout_ms or min(2 * self.openclaw_request_timeout_ms, 300_000)

    @property
    def console_host_names(self) -> tuple[str, ...]:
        """Return the names under which the console is reached."""
        names = (name.strip().lower() for name in self.console_hosts.split(","))
        return tuple(name for name in names if name)

    @property
    def agent_cap(self) -> int:
        """Return how many turns one agent may run at once."""
        cap = self.delivery_max_concurrent_sessions
        return min(self.delivery_max_concurrent_per_agent or max(1, cap // 2), cap)

    @property
    def threads(self) -> int:
        """Return how many threads each worker process has.

        More than turns at once: a ring that finds nothing to do takes one as well, for a moment.
        """
        return self.worker_threads or max(16, self.delivery_max_concurrent_sessions * 3 // 2)

    @property
    def drain_ms(self) -> int:
        """Return how long running turns may finish at a stop."""
        return self.drain_timeout_ms or self.openclaw_request_timeout_ms + 30_000

    @property
    def gateway_bearer(self) -> SecretStr | None:
        """Return what is sent to the gateway; None sends no authorisation header."""
        token = self.openclaw_gateway_token
        if token is None:
            return SecretStr("local") if self.openclaw_gateway_url else None
        return token if token.get_secret_value() else None

    @property
    def base_url_for_agents(self) -> str:
        """Return the URL under which agents reach the runtime."""
        if self.task_status_base_url:
            return self.task_status_base_url.rstrip("/")
        host = "127.0.0.1" if self.health_host in {"0.0.0.0", "::"} else self.health_host  # noqa: S104
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.health_port}"

    @property
    def workspace_seen_by_gateway(self) -> str:
        """Return the workspace folder as the gateway's container sees it."""
        root = PurePosixPath(self.openclaw_workspace_root)
        is_mounted = root.parts[:2] == ("/", "clawd")
        return f"/root{root}" if is_mounted else str(root)

    @property
    def has_ai_gateway(self) -> bool:
        """Say whether models are reached through the Vercel AI gateway."""
        keys = (self.ai_gateway_api_key, self.vercel_ai_gateway_api_key)
        return any(key is not None and key.get_secret_value().strip() for key in keys)

    @property
    def openclaw_config_path(self) -> str:
        """Return where the generated gateway configuration goes."""
        return str(PurePosixPath(self.openclaw_workspace_root).parent / "openclaw.json")

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: dict[str, Any]) -> dict[str, Any]:
        reading = Reading(data)
        for name, field in cls.model_fields.items():
            facts = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
            if "low" in facts:
                reading.number(name, facts, field.default)
            elif field.annotation is bool:
                reading.flag(name)
            elif is_secret(field):
                reading.secret(name)
        reading.level()
        reading.required()
        reading.service_token()
        reading.urls()
        reading.gateway_token()
        reading.base_url()
        reading.relations()
        if reading.problems:
            raise SettingsInvalid(tuple(reading.problems))
        return reading.values | {"notes_text": "\n".join(reading.notes)}
