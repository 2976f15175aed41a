"""Child processes: started with exactly the environment they need, ended by their own id."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from dispatcher.runtime.orphans import dying_with_us

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")


class Child:
    """One process in a session of its own, whose output goes into a file.

    Attributes:
        name: For people.
        log: The file of its output.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], *, folder: Path, settings: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._arguments = [sys.executable, "-m", *arguments]
        self._folder = folder
        # Nothing else of this shell: a variable for another stack must not get in.
        passed = {k: v for k, v in os.environ.items() if k in _PASSED_ON}  # noqa: TID251
        self._environment = passed | {"PYTHONUNBUFFERED": "1"} | dict(settings)
        self._process: subprocess.Popen[str] | None = None
        self._was_asked = False

    def start(self, *, reads_output: bool = False) -> Self:
        """Start it; with ``reads_output`` its standard output is left to ``first_line``."""
        self._was_asked = False
        with self.log.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own arguments
                self._arguments,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if reads_output else log,
                stderr=log,
                text=True,
                start_new_session=True,
                preexec_fn=dying_with_us(),  # noqa: PLW1509 - it only sets a flag of the kernel
            )
        return self

    @property
    def pid(self) -> int:
        """Return its process id."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return its exit code, or None while it runs."""
        return self._process.poll() if self._process else None

    def first_line(self) -> str:
        """Wait for the first line of its standard output; empty when it ended before."""
        if self._process is None or self._process.stdout is None:
            return ""
        return self._process.stdout.readline()

    def signal_group(self, signum: int) -> None:
        """Send a signal to the process and to all that it started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signum)

    def terminate(self) -> None:
        """Ask it to stop, once: a second signal hurries it. Its own children hear of it."""
        if self._process is not None and self._process.poll() is None and not self._was_asked:
            self._was_asked = True
            self._process.terminate()

    def kill(self) -> None:
        """Stop it and what it started with SIGKILL, as a crash would, and wait for the end."""
        self.signal_group(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def stop(self, *, within_s: float) -> None:
        """Ask it to stop, and kill what is left of it when it takes too long."""
        if self._process is None:
            return
        self.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)
        self.signal_group(signal.SIGKILL)
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def log_tail(self, lines: int = 15) -> str:
        """Return the last lines of its output."""
        if not self.log.is_file():
            return ""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])
