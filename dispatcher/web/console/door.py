"""Who may steer: whoever shows the console token, in a header or by signing in.

Reading is open to whoever reaches the port. Writing wants the token: as a bearer token, which no
browser sends by itself, or a session that was opened with it. A session's requests must also come
from this very site and carry a token that only its own pages know.
"""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, abort, request, session
from pydantic import SecretStr

from dispatcher.ports import Clock
from dispatcher.web.limits import Budget

_LIFE: Final = timedelta(hours=12)
_TRIES: Final = 10
_WINDOW_S: Final = 60.0


class Door:
    """Opens the way to what changes something."""

    def __init__(
        self, app: Flask, *, token: SecretStr | None, clock: Clock, hosts: Sequence[str] = ()
    ) -> None:
        self._hosts = frozenset(hosts)
        self._token = token.get_secret_value() if token else ""
        self._budget = Budget(clock, calls=_TRIES, window_s=_WINDOW_S)
        if self._token:
            # A new console token ends all sessions; without one there are none.
            app.secret_key = hmac.digest(self._token.encode(), b"console session", hashlib.sha256)
            app.config |= {
                "SESSION_COOKIE_NAME": "console",
                "SESSION_COOKIE_HTTPONLY": True,
                "SESSION_COOKIE_SAMESITE": "Strict",
                "PERMANENT_SESSION_LIFETIME": _LIFE,
                # Counted from signing in: a tab that is left open must not keep it for good.
                "SESSION_REFRESH_EACH_REQUEST": False,
            }

    @property
    def can_open(self) -> bool:
        """Say whether anybody may steer at all."""
        return bool(self._token)

    def view(self) -> dict[str, object]:
        """Return what templates show of it."""
        is_in = self.is_signed_in()
        return {
            "can_open": self.can_open,
            "is_in": is_in,
            "form_token": session.get("form_token", "") if is_in else "",
        }

    def is_signed_in(self) -> bool:
        """Say whether this request comes with a session of an operator."""
        return self.can_open and bool(session.get("form_token"))

    def sign_in(self, given: str) -> bool:
        """Open a session for whoever knows the token; say whether it did.

        A caller that guesses too often gets 429.
        """
        if not self.can_open:
            abort(403, "The console is read-only: CONSOLE_TOKEN is not set.")
        self._check_site()
        if not self.knows_token(given.strip()):
            return False
        session.permanent = True
        session["form_token"] = secrets.token_urlsafe(24)
        return True

    def sign_out(self) -> None:
        """End the session."""
        if not self.can_open:
            abort(403, "The console is read-only: CONSOLE_TOKEN is not set.")
        self._check_site()
        session.clear()

    def check(self) -> None:
        """Let the request pass, or end it with 401 or 403."""
        if not self.can_open:
            abort(403, "The console is read-only: CONSOLE_TOKEN is not set.")
        if "Authorization" in request.headers:
            self.check_bearer()
            return
        if not self.is_signed_in():
            abort(401, "Sign in with the console token to change something.")
        self._check_site()
        given = request.form.get("form_token", "")
        if not hmac.compare_digest(given.encode(), str(session["form_token"]).encode()):
            abort(403, "This form is out of date: load the page anew.")

    def check_bearer(self) -> None:
        """Let a request with the console token as its bearer token pass, or end it with 401."""
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not self.knows_token(given):
            abort(401, "The console token is wanted as a bearer token.")

    def knows_token(self, given: str) -> bool:
        """Say whether that is the console token; whoever guesses too often gets 429."""
        caller = request.remote_addr or ""
        wait_s = self._budget.wait(caller)
        if wait_s is not None:
            abort(429, f"Too many wrong tokens: wait {wait_s} s.")
        if hmac.compare_digest(given.encode(), self._token.encode()):
            return True
        self._budget.take(caller)
        return False

    def check_host(self) -> None:
        """Refuse a request under a name that is not ours, with 421.

        A site of a stranger can let its own name point to this address, and would then be the same
        site for the visitor's browser (DNS rebinding). An address, `localhost` and a name without a
        dot, as services have, cannot be anybody else's.
        """
        host = (urlsplit(f"//{request.host}").hostname or "").lower()
        if host in self._hosts or host == "localhost" or ("." not in host and ":" not in host):
            return
        try:
            ipaddress.ip_address(host)
        except ValueError:
            abort(421, f"The console is not known as {host}: name it in CONSOLE_HOSTS.")

    def _check_site(self) -> None:
        """Refuse what another site sent through the visitor's browser."""
        origin = request.headers.get("Origin")
        if origin is not None and origin not in {
            f"http://{request.host}",
            f"https://{request.host}",
        }:
            abort(403, "Another site may not use the console.")
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            abort(403, "Another site may not use the console.")
