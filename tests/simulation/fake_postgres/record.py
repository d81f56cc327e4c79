"""The tables, as dictionaries of rows, and the way in which rows may change.

Times are microseconds since the epoch, as Postgres keeps them; intervals are microseconds too.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson

import worker.jobs
from worker.database import queries

Row = dict[str, Any]


class Answer(dict[str, Any]):
    """A row as asyncpg gives it: by name, by position, or a slice of it."""

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else tuple(self.values())[key]


Table = dict[Any, Row]
SECOND = 1_000_000
JOBS = Path(worker.jobs.__path__[0])
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JOB: Row = {
    "id": None, "queue": None, "kind": None, "project_id": None, "org_id": None, "payload": None,
    "state": "queued", "attempt": 0, "failures": 0, "crashes": 0, "max_attempts": None,
    "priority": 0, "dedupe_key": None, "concurrency_key": None, "run_at": None, "rung_at": None,
    "progress": 0, "result": None, "error": None, "delivery_id": None, "correlation_id": None,
    "superseded_by": None, "created_at": None, "started_at": None, "finished_at": None,
    "worker": None, "claim": None, "progress_message": None, "traceparent": None, "lane": None,
    "lane_order": None, "cancel_requested_at": None, "cancel_reason": None,
    "sla_breached_at": None,
}  # fmt: skip
WAITING = ("queued", "retrying")
ENDED = ("completed", "dead", "cancelled", "superseded")


def interval(seconds: float) -> int:
    """What `make_interval(secs => …)` gives."""
    return round(seconds * SECOND)


def as_datetime(time: int) -> datetime:
    """A time as asyncpg gives it."""
    return EPOCH + timedelta(microseconds=time)


def as_time(value: datetime | None) -> int | None:
    """A time as it is kept here."""
    return None if value is None else (value - EPOCH) // timedelta(microseconds=1)


class Record:
    """The tables. Statements change jobs through `change` alone, so that each move is seen."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self.jobs: Table = {}
        self.attempts: dict[tuple[UUID, int], Row] = {}
        self.events: Table = {}
        self.deliveries: Table = {}
        self.workers: Table = {}
        self.projects: Table = {}
        self.controls: Table = {}
        self.schedules: Table = {}
        self.ticks: Table = {}
        # Locked rows and the transactions that hold them, and the one that is at work.
        self.locks: dict[str, object] = {}
        self.locker: object | None = None
        # The time at which the transaction at work began.
        self.frozen: int | None = None
        # What the statement under way did to jobs: the row before and after.
        self.moves: list[tuple[Row, Row]] = []
        self.dedupe_keys: set[str] = set()

    @property
    def now(self) -> int:
        """The time of the statement under way."""
        return self._now() if self.frozen is None else self.frozen

    @contextmanager
    def used_by(self, transaction: object, began: int) -> Iterator[None]:
        """For the block, the time and the locks are those of a transaction."""
        self.frozen, self.locker = began, transaction
        try:
            yield
        finally:
            self.frozen = self.locker = None

    def copy(self) -> "Record":
        """Tables that can be changed without anybody noticing; the locks are the same."""
        copied = deepcopy(self, {id(self.locks): self.locks})
        copied.moves = []
        return copied

    def may_lock(self, row: str) -> bool:
        """Whether nobody else has locked it."""
        return self.locks.get(row, self.locker) is self.locker

    def lock(self, row: str) -> None:
        """Lock it until the end of the transaction at work; without one, for no time at all."""
        if self.locker is not None:
            self.locks[row] = self.locker

    def change(self, job: Row, **values: Any) -> None:
        """Update a job. Raises CheckViolationError as the table's constraints would."""
        before = dict(job)
        job.update(values)
        self.moves.append((before, job))
        _check(job)

    def insert_job(self, **values: Any) -> bool:
        """Insert a job; answers False when its dedupe key is known."""
        key = values["dedupe_key"]
        if key is not None and key in self.dedupe_keys:
            return False
        if values["id"] in self.jobs:
            raise asyncpg.UniqueViolationError("jobs_pkey")
        job = JOB | {"created_at": self.now} | values
        self.jobs[job["id"]] = job
        self.moves.append(({}, job))
        if key is not None:
            self.dedupe_keys.add(key)
        _check(job)
        return True

    def delete_job(self, job: Row) -> None:
        """Delete a job and what went wrong with it."""
        del self.jobs[job["id"]]
        self.dedupe_keys.discard(job["dedupe_key"])
        for key in [k for k in self.attempts if k[0] == job["id"]]:
            del self.attempts[key]

    def note(
        self, job: Row, attempt: int, worker: str | None, started_at: int | None, *,
        outcome: str, error_type: str, message: str, traceback: str | None,
    ) -> None:  # fmt: skip
        """Insert an attempt's history, unless there is one."""
        self.attempts.setdefault(
            (job["id"], attempt),
            {
                "job_id": job["id"], "attempt": attempt, "worker": worker,
                "started_at": started_at, "finished_at": self.now, "outcome": outcome,
                "error_type": error_type, "message": message, "traceback": traceback,
            },
        )  # fmt: skip

    def tell(
        self, project_id: UUID | None, job_id: UUID, event: str, payload: Any,
        event_id: UUID | None = None,
    ) -> Row | None:  # fmt: skip
        """Insert an event, if there is a project to tell it to."""
        if project_id is None:
            return None
        row = {
            "id": event_id or uuid4(), "project_id": project_id, "job_id": job_id, "event": event,
            "payload": payload, "created_at": self.now, "published_at": None,
        }  # fmt: skip
        self.events[row["id"]] = row
        return row

    def of_delivery(self, delivery_id: str | None) -> list[Row]:
        """The jobs of a delivery, in order."""
        found = [j for j in self.jobs.values() if j["delivery_id"] == delivery_id]
        return sorted(found, key=lambda j: j["id"])

    def enrolment(self, project_id: UUID | None) -> Row:
        """What a started job answers of its project."""
        p = self.projects.get(project_id)
        names = ("name", "repo_url", "repository", "repository_id", "default_branch", "plan",
                 "org_id")  # fmt: skip
        told = {n: p[n] if p else None for n in names}
        enrolled_at = as_datetime(p["created_at"]) if p else None
        return {"enrolled": p is not None, **told, "enrolled_at": enrolled_at}


Run = Callable[..., Sequence[Row]]
STATEMENTS: dict[str, tuple[str, Run]] = {}


def statement(name: str) -> Callable[[Run], Run]:
    """Have the decorated function stand for a named statement: `ledger.start`."""
    file, _, statement_name = name.partition(".")
    sql = getattr(queries.load(str(JOBS / f"{file}.py")), statement_name)

    def register(run: Run) -> Run:
        STATEMENTS[sql] = (statement_name, run)
        return run

    return register


def rows_of(*columns: Iterable[Any]) -> list[tuple[Any, ...]]:
    """What `unnest` of several arrays gives."""
    return list(zip(*columns, strict=True))


def parsed(text: str | None) -> Any:
    """A jsonb value."""
    return None if text is None else orjson.loads(text)


def _check(job: Row) -> None:
    ended = job["state"] in ENDED
    holds = (
        job["failures"] + job["crashes"] <= job["attempt"]
        and (job["state"] == "running") is (job["worker"] is not None)
        and ended is (job["finished_at"] is not None)
        and (job["state"] != "superseded" or job["superseded_by"] is not None)
        and 0 <= job["progress"] <= 100
    )
    if not holds:
        raise asyncpg.CheckViolationError(f"a constraint of jobs: {job}")
