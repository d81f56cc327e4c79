"""Making jobs, projects and deliveries for the tests, and reading back what the record says."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg

from tests.chaos.processes import until
from worker.database.pool import Pool
from worker.jobs.ids import new_id
from worker.jobs.ledger import Claim, Ledger, NotStarted
from worker.jobs.model import NewJob, StartedJob
from worker.jobs.states import TERMINAL, State

KINDS = ["artifact_scan"]
WORKER = "worker-1"


def new_job(**fields: Any) -> NewJob:
    """A job for the artifact-scan queue, with these fields changed."""
    job = NewJob("artifact-scan", "artifact_scan", {"n": 1}, max_attempts=3)
    return replace(job, **fields)


async def added(ledger: Ledger, **fields: Any) -> NewJob:
    """A new job that the ledger has recorded."""
    job = new_job(**fields)
    assert await ledger.add([job]) == {job.id}
    return job


async def asked(
    ledger: Ledger, job_id: UUID, token: str | None = None, worker: str = WORKER
) -> StartedJob | NotStarted:
    """What the ledger answers when a worker wants to start this one job."""
    claim = Claim(job_id, token or new_id().hex)
    [answer] = await ledger.start([claim], worker, KINDS)
    return answer


async def started(
    ledger: Ledger, job_id: UUID, token: str | None = None, worker: str = WORKER
) -> StartedJob:
    """An attempt that the ledger has started."""
    answer = await asked(ledger, job_id, token, worker)
    assert isinstance(answer, StartedJob), answer
    return answer


async def running(ledger: Ledger, **fields: Any) -> StartedJob:
    """The first attempt at a new job."""
    return await started(ledger, (await added(ledger, **fields)).id)


async def placed(pool: Pool, state: State, **fields: Any) -> StartedJob:
    """A job put into a state by hand, with the handle of its first attempt."""
    job = new_job(**fields)
    await pool.execute(
        """INSERT INTO jobs (id, queue, kind, payload, state, attempt, max_attempts, worker, claim,
                             finished_at, superseded_by)
           VALUES ($1::uuid, $2, $3, $4, $5::text, 1, 3, $6, $7,
                   CASE WHEN $8::bool THEN now() END,
                   CASE WHEN $5::text = 'superseded' THEN $1::uuid END)""",
        job.id, job.queue, job.kind, job.payload, state.value,
        WORKER if state is State.RUNNING else None,
        "token" if state is State.RUNNING else None, state in TERMINAL,
    )  # fmt: skip
    return handle(job, attempt=1)


def handle(job: NewJob, attempt: int) -> StartedJob:
    """What a worker holds that once started this attempt."""
    return StartedJob(
        id=job.id, queue=job.queue, kind=job.kind, payload=job.payload, attempt=attempt,
        failures=0, max_attempts=job.max_attempts, project_id=job.project_id,
        delivery_id=job.delivery_id, correlation_id=None, waited=0.0, worker=WORKER,
        token="token", project=None,
    )  # fmt: skip


async def row(pool: Pool, job_id: UUID) -> asyncpg.Record:
    """The job's row."""
    found = await pool.fetchrow("SELECT * FROM jobs WHERE id = $1", job_id)
    assert found is not None
    return found


async def state_of(pool: Pool, job_id: UUID) -> State:
    """Where the job stands."""
    return State((await row(pool, job_id))["state"])


async def history(pool: Pool, job_id: UUID) -> list[tuple[int, str]]:
    """The attempts that did not complete, with their outcomes."""
    rows = await pool.fetch(
        "SELECT attempt, outcome FROM job_attempts WHERE job_id = $1 ORDER BY attempt", job_id
    )
    return [(r["attempt"], r["outcome"]) for r in rows]


async def events_of(pool: Pool, job_id: UUID) -> list[asyncpg.Record]:
    """The events that tell of a job, oldest first."""
    return await pool.fetch("SELECT * FROM events WHERE job_id = $1 ORDER BY id", job_id)


async def record_delivery(pool: Pool, delivery_id: str = "d-1") -> str:
    """A stored delivery, as far as the ledger is concerned."""
    await pool.execute(
        "INSERT INTO webhook_events (delivery_id, event, body, headers) "
        "VALUES ($1, 'push', '', $2)",
        delivery_id,
        {},
    )
    return delivery_id


async def delivery(pool: Pool, delivery_id: str = "d-1") -> asyncpg.Record:
    """The delivery's row."""
    found = await pool.fetchrow("SELECT * FROM webhook_events WHERE delivery_id = $1", delivery_id)
    assert found is not None
    return found


async def enrolled(pool: Pool) -> UUID:
    """The id of a new project."""
    project_id = new_id()
    await pool.execute(
        "INSERT INTO projects (id, name, repo_url, repository) VALUES ($1, 'p', 'u', $2)",
        project_id,
        f"acme/{project_id}",
    )
    return project_id


class CountingPool:
    """A real pool that counts the statements sent through it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.statements = 0

    async def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Count, and run."""
        self.statements += 1
        return await self._pool.fetch(sql, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)


async def blocked(pool: Pool, statements: int = 1) -> None:
    """Wait until so many statements wait for another's lock."""
    sql = """SELECT count(*) FROM pg_stat_activity
             WHERE wait_event_type = 'Lock' AND datname = current_database()"""
    await until(lambda: _at_least(pool, sql, statements))


async def _at_least(pool: Pool, sql: str, count: int) -> bool:
    found: int = await pool.fetchval(sql)
    return found >= count
