"""Documents as JSON rows in SQLite, one transaction at a time."""

import itertools
import json
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

from dispatcher.domain.ids import encode_document_id
from dispatcher.sandbox.backend.errors import FunctionError
from dispatcher.sandbox.backend.tables import TABLES, Table

Doc: TypeAlias = dict[str, Any]
"""A stored document. A field that is unset is absent; no field is ever None."""

# Made once: lists hold hundreds of rows, and making a coder costs more than reading a row.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_DECODER: Final = json.JSONDecoder(parse_int=float)
_TICK: Final = 1 / 1024
"""Milliseconds between two documents at least; a double resolves 1/4096 at today's dates."""


def new_id(table: str) -> str:
    """Make a fresh id of a table."""
    return encode_document_id(TABLES[table].number, secrets.token_bytes(16))


class Transaction:
    """What one query or mutation sees and writes.

    Attributes:
        now: Start of this transaction in whole milliseconds; frozen.
    """

    def __init__(self, connection: sqlite3.Connection, now: int, ticks: Iterator[float]) -> None:
        self.now = now
        self._connection = connection
        self._ticks = ticks

    def get(self, table: str, doc_id: str | None) -> Doc | None:
        """Return a document by its id, or None."""
        if doc_id is None:
            return None
        sql = f"SELECT body FROM {table} WHERE id = ?"  # noqa: S608 - our own table names
        row = self._connection.execute(sql, (doc_id,)).fetchone()
        return None if row is None else _load(row[0])

    def insert(self, table: str, doc: Doc) -> Doc:
        """Store a new document; fields that are None are left out."""
        stored = {name: value for name, value in doc.items() if value is not None}
        stored["_id"] = new_id(table)
        stored["_creationTime"] = next(self._ticks)
        sql = f"INSERT INTO {table} (id, ct, body) VALUES (?, ?, ?)"  # noqa: S608 - our own names
        row = (stored["_id"], stored["_creationTime"], _dump(stored))
        self._connection.execute(sql, row)
        return stored

    def patch(self, table: str, doc_id: str, changes: Doc) -> Doc:
        """Change fields of a document that exists; None removes a field."""
        doc = self.get(table, doc_id)
        if doc is None:
            raise KeyError(doc_id)
        doc.update(changes)
        doc = {name: value for name, value in doc.items() if value is not None}
        sql = f"UPDATE {table} SET body = ? WHERE id = ?"  # noqa: S608 - our own table names
        self._connection.execute(sql, (_dump(doc), doc_id))
        return doc

    def delete(self, table: str, doc_id: str) -> None:
        """Remove a document, if it is there."""
        sql = f"DELETE FROM {table} WHERE id = ?"  # noqa: S608 - our own table names
        self._connection.execute(sql, (doc_id,))

    def find(
        self,
        table: str,
        *,
        by: str | None = None,
        newest: bool = False,
        limit: int | None = None,
        **where: object,
    ) -> list[Doc]:
        """List documents whose indexed fields equal the given values; None means unset.

        Args:
            table: Where to look.
            by: Indexed field to sort by; ties and the default are by creation.
            newest: Descending instead of ascending.
            limit: At most so many rows.
            where: Field and value.
        """
        tests, values = _tests(where)
        way = "DESC" if newest else "ASC"
        order = f"{by} {way}, ct {way}" if by else f"ct {way}"
        sql = f"SELECT body FROM {table} {tests} ORDER BY {order} LIMIT ?"  # noqa: S608 - our own names
        rows = self._connection.execute(sql, (*values, -1 if limit is None else limit))
        # One document of all rows is read in half the time of many.
        docs: list[Doc] = _DECODER.decode(f"[{','.join(row[0] for row in rows)}]")
        return docs

    def count(self, table: str, **where: object) -> int:
        """Count the rows whose indexed fields equal the given values; None means unset."""
        tests, values = _tests(where)
        sql = f"SELECT count(*) FROM {table} {tests}"  # noqa: S608 - our own table names
        found: int = self._connection.execute(sql, values).fetchone()[0]
        return found

    def first(self, table: str, **where: object) -> Doc | None:
        """Return the oldest document that matches, or None."""
        fields: dict[str, Any] = where
        return next(iter(self.find(table, limit=1, **fields)), None)


class Store:
    """All documents of one deployment.

    Attributes:
        clock: Seconds since the epoch.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            ":memory:" if path is None else path, check_same_thread=False, isolation_level=None
        )
        # A stand-in may lose its last writes to a power cut, but not its speed to a disk.
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        for name, table in TABLES.items():
            _create(self._connection, name, table)
        self._last_ct = max(_newest(self._connection, name) for name in TABLES)
        self._ticks = map(self._tick, itertools.repeat(None))

    def close(self) -> None:
        """Close the database; what runs is waited for."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def query(self) -> Iterator[Transaction]:
        """Read in one consistent transaction."""
        with self._lock:
            yield self._transaction()

    @contextmanager
    def mutation(self) -> Iterator[Transaction]:
        """Write in one transaction; an exception undoes all of it.

        A function error gains a level: the action that called the mutation throws it once more.
        """
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._transaction()
            except BaseException as error:
                self._connection.execute("ROLLBACK")
                if isinstance(error, FunctionError):
                    error.levels += 1
                raise
            self._connection.execute("COMMIT")

    def _transaction(self) -> Transaction:
        return Transaction(self._connection, int(self.clock() * 1000), self._ticks)

    def _tick(self, _: None) -> float:
        instant = max(self.clock() * 1000, self._last_ct + _TICK)
        # Whole milliseconds would pass for a plain time; the backend's always have a fraction.
        self._last_ct = instant + _TICK / 2 if instant.is_integer() else instant
        return self._last_ct


def _tests(where: Mapping[str, object]) -> tuple[str, list[object]]:
    tests = [f"{name} IS NULL" if v is None else f"{name} = ?" for name, v in where.items()]
    values = [value for value in where.values() if value is not None]
    return f"WHERE {' AND '.join(tests)}" if tests else "", values


def _create(connection: sqlite3.Connection, name: str, table: Table) -> None:
    generated = "".join(
        f", {column} AS (json_extract(body, '$.{column}')) VIRTUAL" for column in table.columns
    )
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {name} (id TEXT PRIMARY KEY, ct REAL, body TEXT{generated})"
    )
    for number, fields in enumerate(table.indexes):
        columns = ", ".join((*fields, "ct"))
        connection.execute(f"CREATE INDEX IF NOT EXISTS {name}_{number} ON {name} ({columns})")


def _newest(connection: sqlite3.Connection, name: str) -> float:
    sql = f"SELECT coalesce(max(ct), 0) FROM {name}"  # noqa: S608 - our own table names
    newest: float = connection.execute(sql).fetchone()[0]
    return newest


def _dump(doc: Doc) -> str:
    return _ENCODER.encode(doc)


def _load(body: str) -> Doc:
    doc: Doc = _DECODER.decode(body)
    return doc
