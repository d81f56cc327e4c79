"""What must hold at every moment of a world, seen from beside the engine."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from tests.simulation.fake_postgres.record import Record, Row
from tests.simulation.fake_redis.keyspace import Keyspace, SortedSet
from tests.simulation.host import Surroundings
from tests.simulation.trace import Trace
from worker.jobs.states import State, may_become

OWNERS = b":owners"
# A lease, and what may be under way at its end.
LEASE_SECONDS = 14.0


class Invariants:
    """Watches both servers. Everything that breaks a rule goes into the trace as a problem."""

    def __init__(self, trace: Trace, record: Record, keys: Keyspace, around: Surroundings) -> None:
        self._trace = trace
        self._record = record
        self._keys = keys
        self._around = around

    def after_statement(self, name: str, arguments: Sequence[Any], rows: Sequence[Row]) -> None:
        """A statement was done: were its moves legal?"""
        for before, after in self._record.moves:
            if not before:
                self._trace.note("record", "added", job=after["id"], kind=after["kind"])
                continue
            if before["state"] != after["state"] or before["attempt"] != after["attempt"]:
                self._trace.note("record", name, job=after["id"], state=after["state"],
                                 attempt=after["attempt"], worker=after["worker"])  # fmt: skip
            self._legal(name, before, after)
            if name == "take_over":
                self._abandoned(before, arguments[2])
        if name == "finish":
            self._fenced(arguments)
        if name == "take_over" and self._around.calm.lasts(LEASE_SECONDS):
            for row in rows:
                self._leases_held(row)

    def _legal(self, name: str, before: Row, after: Row) -> None:
        moved = State(before["state"]), State(after["state"])
        job = after["id"]
        grown = after["attempt"] - before["attempt"]
        begun = moved[1] is State.RUNNING and name in ("start", "take_over")
        require = self._trace.require
        require(moved[0] is moved[1] or may_become(*moved), f"{name} moved {job} {moved}")
        require(grown == int(begun), f"{name} let the attempt of {job} grow by {grown}")
        require(
            not (begun and before["cancel_requested_at"] is not None),
            f"{name} began {job}, which was to be cancelled",
        )

    def _abandoned(self, before: Row, worker: str) -> None:
        owner = self._around.engines[before["worker"]]
        well = owner.process.alive and owner.well.lasts(LEASE_SECONDS)
        self._trace.require(
            before["worker"] == worker or not well,
            f"{short(before['id'])} was taken from {owner.process.name}, which is well",
        )

    def _fenced(self, arguments: Sequence[Any]) -> None:
        asked = set(zip(arguments[0], arguments[1], strict=True))
        for before, _ in self._record.moves:
            self._trace.require(
                before["state"] == "running" and (before["id"], before["attempt"]) in asked,
                f"a stale finish of {before['id']} was accepted at attempt {before['attempt']}",
            )

    def _leases_held(self, row: Row) -> None:
        """Nothing bad has been going on: then nobody loses the lease of a job that he runs."""
        lapsed = row["verdict"] == "alive"
        self._trace.require(not lapsed, f"the lease of {short(row['id'])} lapsed at a live worker")

    @contextmanager
    def around_script(self, asking: str, queue: bytes) -> Iterator[None]:
        """A script about a queue runs for a process: does it take somebody's lease away?"""
        before = self._leases(queue)
        yield
        now = self._keys.get(queue + OWNERS, dict) or {}
        for job_id, token in before.items():
            if now.get(job_id) != token:
                holder = self._around.engines[token.decode().rpartition(":")[0]].process.name
                self._trace.require(
                    holder == asking, f"{asking} took the lease of {job_id.decode()} from {holder}"
                )

    def _leases(self, queue: bytes) -> dict[bytes, bytes]:
        """Tokens by id of the leases that have not lapsed."""
        times = self._keys.get(queue, SortedSet)
        ends, now = (times.scores if times is not None else {}), self._keys.now_ms()
        owners = self._keys.get(queue + OWNERS, dict) or {}
        return {i: token for i, token in owners.items() if ends.get(i, 0.0) > now}


def unfinished(record: Record) -> list[Row]:
    """The jobs that have not ended."""
    return [j for j in record.jobs.values() if j["finished_at"] is None]


def short(job_id: UUID) -> str:
    """Enough of an id to find it in a trace."""
    return f"…{str(job_id)[-6:]}"
