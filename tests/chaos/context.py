"""What a handler of these tests leaves behind: notes in a file, and effects in the record."""

import os
from pathlib import Path
from typing import Any

from worker.database.pool import Pool, unavailable_as_error
from worker.jobs.model import StartedJob
from worker.jobs.progress import Progress
from worker.settings import Settings

# Fenced like the ledger itself: an attempt that no longer owns the job has no effect.
_EFFECT = """
WITH mine AS (
    SELECT id, attempt FROM jobs WHERE id = $1 AND attempt = $3 AND state = 'running' FOR SHARE
), written AS (
    INSERT INTO chaos_effects (job_id, step, attempt) SELECT id, $2, attempt FROM mine
    ON CONFLICT (job_id, step) DO NOTHING
    RETURNING 1
)
SELECT CASE WHEN NOT EXISTS (SELECT FROM mine) THEN 'fenced'
            WHEN EXISTS (SELECT FROM written) THEN 'written' ELSE 'repeated' END
"""


class Trace:
    """A handler's context: notes what it did where no outage can touch it."""

    def __init__(self, job: StartedJob, progress: Progress, pool: Pool | None = None) -> None:
        self.attempt = job.attempt
        self.progress = progress
        self._job = job
        self._pool = pool

    def note(self, step: str) -> None:
        """Append `job attempt step` to the file of CHAOS_EFFECTS, in one write."""
        line = f"{self._job.id} {self._job.attempt} {step}\n".encode()
        target = os.open(os.environ["CHAOS_EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(target, line)
        os.close(target)

    def gate_is_open(self) -> bool:
        """Whether the file of CHAOS_GATE exists."""
        return Path(os.environ["CHAOS_GATE"]).exists()

    async def effect(self, step: str) -> None:
        """Do something that must happen once a job: a row in `chaos_effects`."""
        assert self._pool is not None
        async with unavailable_as_error():
            done: Any = await self._pool.fetchval(_EFFECT, self._job.id, step, self._job.attempt)
        self.note(f"{step}:{done}")


class Traces:
    """Opened once a process."""

    def __init__(self, _: Settings, pool: Pool, *__: Any) -> None:
        self._pool = pool

    def context(self, job: StartedJob, progress: Progress) -> Trace:
        """The notes of this attempt."""
        return Trace(job, progress, self._pool)

    async def close(self) -> None:
        """Nothing to close."""
