"""A Postgres server: statements one at a time or in transactions, and the troubles it can be in."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

import asyncpg

from tests.simulation.fake_postgres import (
    controls,
    ending,
    scheduling,
    starting,
    steering,
    upkeep,
)
from tests.simulation.fake_postgres.record import STATEMENTS, Answer, Record, Row, Run
from tests.simulation.loop import EPOCH_SECONDS, SimulatedLoop
from tests.simulation.network import Connection, Server

MODULES = (controls, ending, scheduling, starting, steering, upkeep)
# By their SQL: each module above has put its own there.
STATEMENTS_SERVED = STATEMENTS

BEGIN, COMMIT, ROLLBACK = "BEGIN", "COMMIT", "ROLLBACK"
# What the product asks for with `idle_in_transaction_session_timeout`.
IDLE_SECONDS = 5.0
# What it answers instead of doing anything, by the name of its trouble.
TROUBLES: dict[str, Callable[[], Exception]] = {
    "read-only": lambda: asyncpg.ReadOnlySQLTransactionError("cannot execute UPDATE"),
    "starting": lambda: asyncpg.CannotConnectNowError("the database system is starting up"),
    "crowded": lambda: asyncpg.TooManyConnectionsError("sorry, too many clients already"),
    "full": lambda: asyncpg.DiskFullError("could not extend file: No space left on device"),
}
Watch = Callable[[str, Sequence[Any], Sequence[Row]], None]


class Transaction:
    """Statements that are tried on a copy, and done for all to see when they are committed.

    Each sees what is committed by then, and what its own transaction did.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._began = record.now
        self._done: list[tuple[Run, Sequence[Any], list[Row]]] = []
        self.steps = 0

    def run(self, run: Run, arguments: Sequence[Any], *, writes: bool) -> Sequence[Row]:
        """Do a statement that only this transaction sees."""
        self.steps += 1
        copy = self._record.copy()
        with copy.used_by(self, self._began):
            self._repeat(copy)
            rows = deepcopy([*run(copy, *arguments)])
        if writes:
            self._done.append((run, arguments, rows))
        return rows

    def commit(self) -> None:
        """Have everybody see what was done."""
        with self._record.used_by(self, self._began):
            self._repeat(self._record)
        self.end()

    def end(self) -> None:
        """Let go of what was locked."""
        for row in [row for row, owner in self._record.locks.items() if owner is self]:
            del self._record.locks[row]

    def _repeat(self, record: Record) -> None:
        for run, arguments, rows in self._done:
            again = [*run(record, *arguments)]
            assert again == rows, f"what was seen has changed: {rows} {again}"


class PostgresServer(Server):
    """One database. `trouble` is one of TROUBLES or nothing."""

    def __init__(self, loop: SimulatedLoop, random: Random) -> None:
        super().__init__()
        self.record = Record(lambda: int((EPOCH_SECONDS + loop.time()) * 1_000_000))
        self.trouble = ""
        self.deadlocks = 0.0
        self.statements = 0
        # Told of every statement that was done: its name, its arguments, its answer.
        self.watch: Watch = lambda name, arguments, rows: None
        self._loop = loop
        self._random = random
        self._open: dict[Connection, Transaction] = {}
        # Closed in the midst of a transaction: what comes late is not done.
        self._cut_off: set[Connection] = set()

    def serve(self, connection: Connection, sql: str, arguments: Sequence[Any]) -> Any:
        """Do one statement; answers its rows, or an error as a value."""
        self.statements += 1
        if connection in self._cut_off:
            return []
        if self.trouble:
            return TROUBLES[self.trouble]()
        if sql in (BEGIN, COMMIT, ROLLBACK):
            return self._turn(connection, sql)
        if self._deadlocked(connection, sql):
            return asyncpg.DeadlockDetectedError("deadlock detected")
        if sql not in STATEMENTS:
            raise NotImplementedError(f"the simulated Postgres does not know: {sql}")
        name, run = STATEMENTS[sql]
        if connection in self._open:
            writes = not sql.startswith("SELECT")
            rows = self._open[connection].run(run, arguments, writes=writes)
            self._expect_more(connection)
        else:
            self.record.moves.clear()
            rows = run(self.record, *arguments)
            self.watch(name, arguments, rows)
        return [Answer(row) for row in rows]

    def _deadlocked(self, connection: Connection, sql: str) -> bool:
        # None of the product's transactions locks what another one locks in another order.
        if connection in self._open:
            return False
        locks = any(word in sql for word in ("UPDATE", "INSERT", "DELETE"))
        return locks and bool(self.deadlocks) and self._random.random() < self.deadlocks

    def _turn(self, connection: Connection, sql: str) -> Any:
        if sql == BEGIN and not connection.open:
            self._cut_off.add(connection)
        elif sql == BEGIN:
            self._open[connection] = Transaction(self.record)
            connection.on_close.append(lambda: self._cut(connection))
            self._expect_more(connection)
        elif sql == COMMIT:
            self.record.moves.clear()
            self._open.pop(connection).commit()
            self.watch("commit", (), ())
        else:
            self._roll_back(connection)
        return []

    def _expect_more(self, connection: Connection) -> None:
        transaction = self._open[connection]
        self._loop.outside(IDLE_SECONDS, self._hang_up, connection, transaction, transaction.steps)

    def _hang_up(self, connection: Connection, transaction: Transaction, steps: int) -> None:
        if self._open.get(connection) is transaction and transaction.steps == steps:
            connection.broke()

    def _cut(self, connection: Connection) -> None:
        if connection in self._open:
            self._cut_off.add(connection)
            self._roll_back(connection)

    def _roll_back(self, connection: Connection) -> None:
        transaction = self._open.pop(connection, None)
        if transaction is not None:
            transaction.end()
