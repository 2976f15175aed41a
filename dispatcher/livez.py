"""Asks a process of ours for its sign of life: `python -m dispatcher.livez PORT`.

For health checks of containers, so it imports nothing but the standard library. Exit code 0 when the
process makes progress, else 1 with the reason.
"""

import sys
import urllib.error
import urllib.request
from typing import Final

_LIMIT_S: Final = 3.0


def main(arguments: list[str]) -> int:
    """Ask once; return the exit code."""
    port = arguments[0] if arguments else "3001"
    if not port.isdigit():
        sys.stderr.write("usage: python -m dispatcher.livez PORT\n")
        return 2
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=_LIMIT_S) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        sys.stderr.write(error.read(500).decode(errors="replace") + "\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"no answer on port {port}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
