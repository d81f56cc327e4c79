"""In whatever order pushes arrive, wait and run: the branch ends as its newest push left it."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from tests.handlers.scanning import Scanner
from tests.handlers.test_histories import CHANGES
from worker.database.pool import Pool
from worker.errors import TransientError
from worker.handlers.artifact_scan import artifact_scan
from worker.jobs.cancelling import Cancelling
from worker.jobs.deliveries import Arrival, Deliveries
from worker.jobs.finishes import Failure
from worker.jobs.ids import new_id
from worker.jobs.ledger import Claim, Ledger
from worker.jobs.model import Completed, JobResult, NewJob, StartedJob
from worker.jobs.payloads import ArtifactScan
from worker.jobs.queues import QUEUES
from worker.jobs.superseding import Superseding


@dataclass(frozen=True)
class Pushed:
    """A push as its delivery tells of it."""

    commit: str
    at: int
    forced: bool


@dataclass
class Story:
    """A project whose pushes arrive, and workers that run their scans."""

    scanner: Scanner
    ledger: Ledger
    deliveries: Deliveries
    superseding: Superseding

    @property
    def lane(self) -> str:
        return f"artifact_scan:{self.scanner.project_id}:main"

    def push(self, history: list[Pushed], changes: dict[str, bytes | None],
             back: int, seconds: int) -> Pushed:  # fmt: skip
        """A commit on the tip, or `back` pushes before it, so many seconds later."""
        base = history[-1 - back % len(history)] if history else None
        forced = base is not None and base is not history[-1]
        # Within a second only pushes that add to each other can be told apart in any order.
        pause = seconds if history and not (forced or history[-1].forced) else 1
        present = self.scanner.paths(base.commit) if base else set()
        files = {p: c for p, c in changes.items() if c is not None or p in present}
        commit = self.scanner.origin.commit(files, onto=base.commit if base else None)
        return Pushed(commit, (history[-1].at if history else 0) + pause, forced)

    async def arrive(self, push: Pushed, copies: int) -> None:
        """Its delivery comes, perhaps several times at once."""
        guid = str(uuid4())
        arrivals = [Arrival(guid, "push", b"{}", {}, project_id=self.scanner.project_id,
                            jobs=(self._job(push, guid),)) for _ in range(copies)]  # fmt: skip
        await self.deliveries.accept(arrivals)

    def _job(self, push: Pushed, guid: str) -> NewJob:
        payload = ArtifactScan(
            project_id=self.scanner.project_id, repo_url="https://example.org/x.git",
            branch="main", commit_sha=push.commit, webhook_event_id=guid, forced=push.forced,
        )  # fmt: skip
        return NewJob(
            "artifact-scan", "artifact_scan", payload.wire(), 3, delivery_id=guid,
            project_id=self.scanner.project_id, lane=self.lane, lane_order=push.at,
        )  # fmt: skip

    async def work(self, slots: int) -> bool:
        """So many workers take a waiting job each, in no order; False when nothing waits."""
        waiting = await self._waiting()
        await asyncio.gather(*(self._run(job_id) for job_id in waiting[:slots]))
        return bool(waiting)

    async def end_what_followed(self) -> None:
        """The comparisons that scans asked for end well: only then are their deliveries done."""
        rows = await self.scanner.pool.fetch(
            "SELECT id FROM jobs WHERE project_id = $1 AND kind = 'conflict_detection'",
            self.scanner.project_id,
        )
        for row in rows:
            claim = Claim(row["id"], new_id().hex)
            [job] = await self.ledger.start([claim], "w", ["conflict_detection"])
            assert isinstance(job, StartedJob)
            assert await self.ledger.complete(job, JobResult(True, "compared"), ())

    async def _waiting(self) -> list[UUID]:
        rows = await self.scanner.pool.fetch(
            "SELECT id FROM jobs WHERE lane = $1 AND state IN ('queued', 'retrying')"
            " ORDER BY md5(id::text)",
            self.lane,
        )
        return [row["id"] for row in rows]

    async def _run(self, job_id: UUID) -> None:
        [job] = await self.ledger.start([Claim(job_id, new_id().hex)], "w", ["artifact_scan"])
        if not isinstance(job, StartedJob):
            return
        shared = await self.scanner.context(job.id)
        context = replace(shared, job=job)
        try:
            outcome = await artifact_scan(ArtifactScan.model_validate(job.payload), context)
        except TransientError as error:
            await self.ledger.retry_later(job, Failure.of(error), 0.0, ())
        else:
            assert isinstance(outcome, Completed)
            assert await self.ledger.complete(job, JobResult(True, outcome.message), ())


PUSHES = st.lists(
    st.tuples(CHANGES, st.sampled_from([0, 0, 0, 1, 2]), st.sampled_from([0, 1])),
    min_size=2,
    max_size=5,
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pushes=PUSHES, data=st.data())
async def test_the_branch_ends_as_its_newest_push_left_it(
    shared_pool: Pool,
    redis: Redis,
    tmp_path: Path,
    pushes: list[tuple[dict[str, bytes | None], int, int]],
    data: st.DataObject,
) -> None:
    scanner = await Scanner.enrolled(shared_pool, redis, tmp_path)
    try:
        await _play(scanner, redis, pushes, data)
    finally:
        # An example may end in the midst of a draw.
        await scanner.resources.close()


async def _play(
    scanner: Scanner,
    redis: Redis,
    pushes: list[tuple[dict[str, bytes | None], int, int]],
    data: st.DataObject,
) -> None:
    scanner.origin.git("config", "uploadpack.allowAnySHA1InWant", "true")
    pool = scanner.pool
    superseding = Superseding(pool, QUEUES, Cancelling(pool, redis))
    told = Story(scanner, Ledger(pool), Deliveries(pool), superseding)
    history: list[Pushed] = []
    for changes, back, seconds in pushes:
        history.append(told.push(history, changes, back, seconds))
    for push in data.draw(st.permutations(history)):
        await told.arrive(push, copies=data.draw(st.sampled_from([1, 1, 3])))
        if data.draw(st.booleans()):
            await told.superseding.settle([told.lane])
        await told.work(data.draw(st.integers(0, 3)))
    while await told.work(2):
        pass
    assert await scanner.stored() == scanner.expected(history[-1].commit)
    await told.end_what_followed()
    assert await _unaccounted(scanner, len(history)) == (len(history), 0, 0)


async def _unaccounted(scanner: Scanner, pushes: int) -> tuple[int, int, int]:
    """How many scans there are, how many of them have not ended well, and deliveries left over."""
    row = await scanner.pool.fetchrow(
        "SELECT count(*) AS jobs,"
        " count(*) FILTER (WHERE state NOT IN ('completed', 'superseded')) AS bad,"
        " (SELECT count(*) FROM webhook_events WHERE project_id = $1 AND NOT processed) AS open"
        " FROM jobs WHERE project_id = $1 AND kind = 'artifact_scan'",
        scanner.project_id,
    )
    assert row is not None
    return row["jobs"], row["bad"], row["open"]
