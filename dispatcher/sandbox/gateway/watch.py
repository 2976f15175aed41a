"""Notices that a client has gone, without anybody polling for it."""

import select
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Watch:
    """One thread that waits on the sockets of all asks in progress.

    A hundred hanging asks cost nothing: the kernel wakes the thread when a client closes. The
    lock keeps a socket from being looked at after its own thread has taken it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to watch; ``close`` must follow."""
        self._selector = selectors.DefaultSelector()
        self._bell, self._ear = socket.socketpair()
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @contextmanager
    def over(self, connection: socket.socket, on_gone: Callable[[], None]) -> Iterator[None]:
        """Call ``on_gone`` once if the client closes its side while the block runs."""
        with self._lock:
            self._selector.register(connection, selectors.EVENT_READ, on_gone)
        try:
            yield
        finally:
            with self._lock:
                self._forget(connection)

    def look(self, connection: socket.socket) -> None:
        """Look at one watched connection now: a close that has arrived is noticed at once."""
        with self._lock:
            key = self._selector.get_map().get(connection)
            if key is None or not _is_readable(connection):
                return
            gone = _has_gone(connection)
            # Not gone means that the client sends ahead; it is not watched any longer, because
            # its socket would stay readable and keep this thread busy.
            self._forget(connection)
        if gone:
            key.data()

    def close(self) -> None:
        """End the thread; what is still watched is forgotten."""
        self._bell.close()
        self._thread.join()
        self._ear.close()
        self._selector.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._ear:
                    return
                if isinstance(key.fileobj, socket.socket):
                    self.look(key.fileobj)

    def _forget(self, connection: socket.socket) -> None:
        if connection in self._selector.get_map():
            self._selector.unregister(connection)


def _is_readable(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _has_gone(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True
