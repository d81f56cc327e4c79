"""All that people can ask of jobs and do to them, over one record and one Redis."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from redis.asyncio import Redis

from worker.database.pool import Pool
from worker.errors import NotFound
from worker.jobs.cancelling import Cancelling
from worker.jobs.conservation import Conservation
from worker.jobs.dead_letters import DeadLetters
from worker.jobs.enqueueing import Enqueueing, Ringing
from worker.jobs.gates import Gates
from worker.jobs.overview import Overview, QueueStatus
from worker.jobs.queue_controls import QueueControls
from worker.jobs.queues import Queue
from worker.jobs.reading import JobReader
from worker.jobs.requests import Pause, Resize
from worker.jobs.schedules import Schedules
from worker.jobs.states import State
from worker.jobs.views import CancelledJob, JobWithAttempts
from worker.jobs.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Steering:
    """The services behind the HTTP API and the command line, each of which is thin over them."""

    jobs: JobReader
    enqueueing: Enqueueing
    cancelling: Cancelling
    dead_letters: DeadLetters
    controls: QueueControls
    overview: Overview
    schedules: Schedules
    waiting: Waiting
    conservation: Conservation
    gates: Gates

    @classmethod
    def over(
        cls,
        pool: Pool,
        redis: Redis,
        ringer: Ringing,
        queues: Mapping[str, Queue],
        *,
        by_hand: bool,
    ) -> Self:
        """All of them. `by_hand` says whether jobs may be added by hand."""
        controls = QueueControls(pool, redis, queues)
        return cls(
            jobs=JobReader(pool),
            enqueueing=Enqueueing(pool, ringer, queues, allowed=by_hand),
            cancelling=Cancelling(pool, redis),
            dead_letters=DeadLetters(pool, ringer),
            controls=controls,
            overview=Overview(pool, controls),
            schedules=Schedules(pool, ringer, queues),
            waiting=Waiting(pool, redis, controls),
            conservation=Conservation(pool, redis, queues),
            gates=Gates(pool, ringer, queues),
        )

    async def cancel(self, job_id: UUID, reason: str) -> CancelledJob:
        """Cancel a waiting job, or ask a running one to end. Raises NotFound and Conflict."""
        became = await self.cancelling.cancel(job_id, reason)
        job = await self.jobs.get(job_id)
        return CancelledJob(**dict(job), cancel_requested=became is State.RUNNING)

    async def dead_letter(self, job_id: UUID) -> JobWithAttempts:
        """A dead letter with all its attempts. Raises NotFound, also for a job that is not dead."""
        job = await self.jobs.get(job_id)
        if job.state is not State.DEAD:
            raise NotFound(f"job {job_id} is {job.state}, and not dead")
        return job

    async def retry(self, job_id: UUID) -> JobWithAttempts:
        """Have a dead job wait again. Raises NotFound and Conflict."""
        await self.dead_letters.retry(job_id)
        return await self.jobs.get(job_id)

    async def pause(self, queue: str, wanted: Pause) -> QueueStatus:
        """Have nothing more of a queue started. Raises NotFound."""
        await self.controls.pause(queue, wanted.reason)
        return await self.overview.queue(queue)

    async def resume(self, queue: str) -> QueueStatus:
        """Have a queue's jobs started again. Raises NotFound."""
        await self.controls.resume(queue)
        return await self.overview.queue(queue)

    async def resize(self, queue: str, wanted: Resize) -> QueueStatus:
        """Change a queue's limits. Raises NotFound."""
        await self.controls.resize(queue, **wanted.changes())
        return await self.overview.queue(queue)
