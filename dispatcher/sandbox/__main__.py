"""Runs the sandbox as a process: the stand-in backend, the scripted gateway, or both."""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from dispatcher.sandbox.backend.server import SandboxBackend
from dispatcher.sandbox.gateway.server import ScriptedGateway


def main() -> int:
    """Start what was asked for, say where it is in one line of JSON, run until SIGTERM."""
    options = _parser().parse_args()
    stopping = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stopping.set())
    place: dict[str, object] = {}
    backend = gateway = None
    if not options.no_backend:
        backend = SandboxBackend(options.database, port=options.backend_port).start()
        place |= {"backend": backend.url, **backend.seed_demo()}
    if not options.no_gateway:
        rules = json.loads(options.rules.read_text()) if options.rules else ()
        gateway = ScriptedGateway(options.gateway_port, delay_s=options.delay, rules=rules).start()
        place["gateway"] = gateway.url
    sys.stdout.write(json.dumps(place) + "\n")
    sys.stdout.flush()
    # With a limit: a signal that comes just before a wait without one ends it only with the next.
    while not stopping.wait(1):
        pass
    if gateway is not None:
        gateway.stop()
    if backend is not None:
        backend.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dispatcher.sandbox", description=__doc__)
    parser.add_argument("--no-backend", action="store_true", help="start no stand-in backend")
    parser.add_argument("--no-gateway", action="store_true", help="start no scripted gateway")
    parser.add_argument("--backend-port", type=int, default=0, metavar="PORT")
    parser.add_argument("--gateway-port", type=int, default=0, metavar="PORT")
    parser.add_argument(
        "--database", type=Path, metavar="FILE", help="keep the backend's data here, not in memory"
    )
    parser.add_argument(
        "--rules", type=Path, metavar="FILE", help="JSON list of rules for the gateway"
    )
    parser.add_argument(
        "--delay", type=float, default=0.5, metavar="SECONDS", help="how long an agent thinks"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
