"""Looks for known holes in the pinned packages: `python -m dispatcher.lab.audit constraints.txt`.

Runs pip-audit. Where its source cannot be reached it says aloud that nothing was checked, which is no
failure: a mirror, or a machine without a network, has no list of holes.
"""

import json
import subprocess
import sys
from typing import Any, Final

_LIMIT_S: Final = 120


def main(arguments: list[str]) -> int:
    """Audit one file of pinned versions; exit code 1 means that a hole is known."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m dispatcher.lab.audit CONSTRAINTS\n")
        return 2
    found = _ask(arguments[0])
    holes = [
        f"{one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or '?'}"
        for one in found
        for hole in one.get("vulns", [])
    ]
    skipped = sum("skip_reason" in one for one in found)
    if holes:
        sys.stderr.write("Known holes:\n" + "".join(f"  {hole}\n" for hole in holes))
        return 1
    if not found or skipped == len(found):
        sys.stderr.write("NOT CHECKED: the source of known holes cannot be reached.\n")
    elif skipped:
        sys.stderr.write(f"{skipped} of {len(found)} packages could not be checked for holes.\n")
    return 0


def _ask(constraints: str) -> list[dict[str, Any]]:
    """Return what pip-audit says of each package; nothing when it could not ask."""
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", constraints, "--no-deps", "--disable-pip",
        "--progress-spinner", "off", "--format", "json",
    ]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            command, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return []
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
