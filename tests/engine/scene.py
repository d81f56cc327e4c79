"""Jobs for an engine in this process, and what came of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from arq.connections import ArqRedis

from tests.chaos.processes import until
from tests.support import eventually
from worker.database.pool import Pool
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob
from worker.jobs.ring import Bell, Ring, queue_keys


class Scene:
    """One database and one Redis, and the files through which handlers and tests speak."""

    def __init__(self, pool: Pool, redis: ArqRedis, directory: Path) -> None:
        self.pool = pool
        self.redis = redis
        self.effects = directory / "effects"
        self.gate = directory / "gate"

    async def add(self, kind: str, payload: dict[str, Any] | None = None, **fields: Any) -> UUID:
        """Record a job without ringing it."""
        job = replace(NewJob("work", kind, payload or {}, max_attempts=3), **fields)
        await Ledger(self.pool).add([job])
        return job.id

    async def ring(self, job_id: UUID, queue: str = "work") -> None:
        """Ring a job."""
        await Bell(self.redis).ring([Ring(job_id, queue)])

    async def rung(self, kind: str, payload: dict[str, Any] | None = None, **fields: Any) -> UUID:
        """Record a job, and ring it."""
        job_id = await self.add(kind, payload, **fields)
        await self.ring(job_id, fields.get("queue", "work"))
        return job_id

    async def job(self, job_id: UUID) -> dict[str, Any]:
        """The row of a job."""
        [row] = await self.pool.fetch("SELECT * FROM jobs WHERE id = $1", job_id)
        return dict(row)

    async def becomes(self, job_id: UUID, state: str, timeout: float = 5.0) -> dict[str, Any]:
        """Wait until the job is in that state; answers its row."""

        async def there() -> bool:
            job = await self.job(job_id)
            assert job["state"] == state, job
            return True

        await until(there, timeout)
        return await self.job(job_id)

    async def history(self, job_id: UUID) -> list[tuple[int, str, str]]:
        """Attempt, outcome and error type of what went wrong."""
        rows = await self.pool.fetch(
            "SELECT * FROM job_attempts WHERE job_id = $1 ORDER BY attempt", job_id
        )
        return [(row["attempt"], row["outcome"], row["error_type"]) for row in rows]

    async def score(self, job_id: UUID, queue: str = "work") -> float | None:
        """When Redis has the id due, in ms, or its lease end; None if it is not there."""
        for key in (queue_keys(queue).times, f"{queue_keys(queue).times}:ready:"):
            score: float | None = await self.redis.zscore(key, str(job_id))
            if score is not None:
                return score
        return None

    async def owner(self, job_id: UUID, queue: str = "work") -> str | None:
        """The token that holds the id's lease."""
        answer: bytes | None = await self.redis.execute_command(  # type: ignore[no-untyped-call]
            "HGET", queue_keys(queue).owners, str(job_id)
        )
        return answer.decode() if answer else None

    async def forgot(self, job_id: UUID, queue: str = "work") -> bool:
        """Whether Redis knows nothing of the id."""
        return await self.score(job_id, queue) is None and await self.owner(job_id, queue) is None

    async def begun(self, job_id: UUID) -> None:
        """Wait until its handler runs."""

        def noted() -> bool:
            return self.effects.exists() and f"{job_id} " in self.effects.read_text()

        await eventually(noted)

    def count_noted(self, step: str) -> int:
        """How often any handler noted that step."""
        return self.effects.read_text().count(f" {step}\n") if self.effects.exists() else 0

    def open_gate(self) -> None:
        """Let `gated` jobs be done."""
        self.gate.touch()
