"""What a job says about its report: that it begins, and that it has found something out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from worker.github.record import Place
from worker.github.store import ReportStore
from worker.jobs.following import Following
from worker.jobs.payloads import GithubReport

SWEPT_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Reports:
    """Has GitHub shown, under a name, what the record says of a commit.

    Sending is a job of its own, so that nothing waits for GitHub. `wanted` says whether there is
    anybody to send as. Every method raises RecordUnavailable when Postgres is away.
    """

    store: ReportStore
    jobs: Following
    wanted: Callable[[], Awaitable[bool]]

    async def begin(self, project_id: UUID, commit_sha: str, name: str, job_id: UUID) -> None:
        """The job begins to find out: show that it is under way."""
        place = Place(project_id, commit_sha, name)
        if await self.wanted() and await self.store.begin(place, job_id):
            await self._ask(place, f"begin:{job_id}:{self._attempt}")

    async def touch(self, project_id: UUID, commit_sha: str, name: str, job_id: UUID) -> None:
        """The job has found something out and recorded it: show that."""
        if await self.wanted():
            await self._ask(Place(project_id, commit_sha, name), f"end:{job_id}:{self._attempt}")

    async def sweep(self) -> int:
        """Have those reports sent that lag behind their job's end; answers how many."""
        asked = 0
        for place, moment in await self.store.overdue(SWEPT_AT_ONCE):
            job_id = await self._ask(place, f"sweep:{moment}")
            if job_id is not None:
                await self.store.swept(place, job_id)
                asked += 1
        return asked

    @property
    def _attempt(self) -> str:
        return f"{self.jobs.job.id}:{self.jobs.job.attempt}"

    async def _ask(self, place: Place, why: str) -> UUID | None:
        payload = GithubReport(
            project_id=place.project_id, commit_sha=place.commit_sha, name=place.name
        )
        key = f"github-report:{place.project_id}:{place.commit_sha}:{place.name}:{why}"
        return await self.jobs.add(payload, key)
