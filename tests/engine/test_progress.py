"""Progress: cheap to report, seldom sent, never after the end."""

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from structlog.testing import LogCapture

from tests.chaos.processes import until
from tests.engine.scene import Scene
from tests.engine.steered import steered
from tests.jobs.records import handle, new_job
from tests.support import eventually
from worker.database.pool import connect_pool
from worker.engine.progress import Reports
from worker.jobs import progress
from worker.jobs.cancelling import Cancelling
from worker.jobs.events import channel, progress_stream, stream
from worker.jobs.model import StartedJob


async def told(scene: Scene, project: UUID) -> list[tuple[float, str, dict[str, Any]]]:
    """What the project's streams hold, in the order of their times: ms, event, payload."""
    entries = [e for key in (progress_stream(project), stream(project))
               for e in await scene.redis.xrange(key)]  # fmt: skip
    entries.sort(key=lambda e: [int(n) for n in e[0].split(b"-")])
    events = [(float(i.split(b"-")[0]), orjson.loads(f[b"event"])) for i, f in entries]
    return [(at, e["event"], e["payload"]) for at, e in events]


async def test_a_handlers_reports_are_seen_while_it_runs(scene: Scene) -> None:
    project = uuid4()
    async with steered(scene.pool, scene.redis):
        job_id = await scene.rung("report", {"calls": 41, "then": "wait"}, project_id=project)

        async def shown() -> bool:
            job = await scene.job(job_id)
            return (job["progress"], job["progress_message"]) == (40, "step 40")

        await until(shown)
        [(_, event, payload)] = [t for t in await told(scene, project) if t[2]["progress"] == 40]
        await Cancelling(scene.pool, scene.redis).cancel(job_id)
        await scene.becomes(job_id, "cancelled")
    assert event == "job_progress"
    assert payload == {
        "jobId": str(job_id), "progress": 40, "message": "step 40", "eventId": payload["eventId"],
    }  # fmt: skip


async def test_at_most_four_a_second_are_sent_and_the_last_is_not_lost(scene: Scene) -> None:
    project = uuid4()
    async with scene.redis.pubsub(ignore_subscribe_messages=True) as heard:
        await heard.subscribe(channel(project))
        async with steered(scene.pool, scene.redis):
            order = {"calls": 90, "pause": 0.02}
            job_id = await scene.rung("report", order, project_id=project)
            job = await scene.becomes(job_id, "completed", timeout=15)
        await heard.get_message(timeout=1)
        published = [m async for m in _messages(heard)]
    assert (job["progress"], job["progress_message"]) == (100, "step 89")
    seen = await told(scene, project)
    names = [name for _, name, _ in seen]
    assert names == [*["job_progress"] * (len(names) - 1), "report_completed"]
    assert [m["event"] for m in published] == names
    reports = [(at, payload["progress"]) for at, _, payload in seen[:-1]]
    assert reports[-1][1] == 89
    assert len(reports) > 3
    assert [n for _, n in reports] == sorted({n for _, n in reports})
    times = [at for at, _ in reports]
    assert all(later - first >= 999 for first, later in zip(times, times[4:], strict=False))


async def _messages(heard: Any) -> Any:
    while (message := await heard.get_message(timeout=0.2)) is not None:
        yield orjson.loads(message["data"])


@pytest.mark.parametrize("then", ["fail", "complete"])
async def test_the_last_report_is_recorded_however_the_job_ends(scene: Scene, then: str) -> None:
    async with steered(scene.pool, scene.redis):
        job_id = await scene.rung("report", {"calls": 31, "then": then}, max_attempts=1)
        job = await scene.becomes(job_id, "completed" if then == "complete" else "dead")
    assert job["progress_message"] == "step 30"
    assert job["progress"] == (100 if then == "complete" else 30)


async def test_an_attempt_begins_without_progress(scene: Scene) -> None:
    async with steered(scene.pool, scene.redis):
        job_id = await scene.rung("wait")
        await scene.pool.execute("UPDATE jobs SET progress = 70, progress_message = 'old'")
        await scene.begun(job_id)
        job = await scene.job(job_id)
        assert (job["progress"], job["progress_message"]) == (0, None)
        await Cancelling(scene.pool, scene.redis).cancel(job_id)


@pytest.fixture
def reports(scene: Scene) -> Reports:
    return Reports(scene.pool, scene.redis)


async def started(scene: Scene, **fields: Any) -> StartedJob:
    """A job that the record says is running, under attempt 1."""
    job = new_job(queue="work", kind="report", **fields)
    job_id = await scene.add("report", id=job.id, project_id=job.project_id)
    await scene.pool.execute(
        "UPDATE jobs SET state = 'running', worker = 'w', attempt = 1 WHERE id = $1", job_id
    )
    return handle(job, attempt=1)


@pytest.mark.parametrize(
    ("percent", "message", "kept"),
    [
        (-5, "", (0, None)), (250.7, "over", (100, "over")), (39.9, "a\0b\ud800", (39, "a?b?")),
        (1, "x" * 5000, (1, "x" * 200)), (10**30, "huge", (100, "huge")),
    ],
)  # fmt: skip
async def test_reports_are_cut_to_what_can_be_kept(
    scene: Scene, reports: Reports, percent: float, message: str, kept: tuple[int, str]
) -> None:
    job = await started(scene)
    reports.reporter(job)(percent, message)
    await reports.flush()
    row = await scene.job(job.id)
    assert (row["progress"], row["progress_message"]) == kept


async def test_a_number_that_is_none_is_the_handlers_own_error(
    scene: Scene, reports: Reports
) -> None:
    reporter = reports.reporter(await started(scene))
    for wrong in (float("nan"), float("inf"), "much"):
        with pytest.raises((ValueError, OverflowError)):
            reporter(wrong)  # type: ignore[arg-type]


async def test_an_attempt_that_lost_its_job_reports_nothing(scene: Scene, reports: Reports) -> None:
    project = uuid4()
    job = await started(scene, project_id=project)
    stale = reports.reporter(job)
    await scene.pool.execute("UPDATE jobs SET attempt = 2 WHERE id = $1", job.id)
    stale(50, "too late")
    await reports.flush()
    stale(60, "much too late")
    await reports.close(stale)
    assert (await scene.job(job.id))["progress"] == 0
    assert await told(scene, project) == []


async def test_the_end_waits_for_a_report_that_is_on_its_way(
    scene: Scene, reports: Reports
) -> None:
    job = await started(scene)
    reporter = reports.reporter(job)
    async with scene.pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM jobs FOR UPDATE")
        reporter(10)
        flushing = asyncio.create_task(reports.flush())
        await eventually(lambda: reporter.latest is None)
        closing = asyncio.create_task(reports.close(reporter))
        await asyncio.sleep(0.05)
        assert not closing.done()
    await asyncio.gather(flushing, closing)
    assert (await scene.job(job.id))["progress"] == 10


async def test_what_an_outage_keeps_back_is_sent_later(
    scene: Scene, reports: Reports, database_url: str, log: LogCapture
) -> None:
    job, away = await started(scene), await connect_pool(database_url, size=1)
    away.terminate()
    here, reports._pool = reports._pool, away
    reporter = reports.reporter(job)
    for percent in (10, 20):
        reporter(percent)
        await reports.flush()
    assert [e["event"] for e in log.entries] == ["progress.delayed"]
    reports._pool = here
    await reports.flush()
    assert (await scene.job(job.id))["progress"] == 20


async def test_without_redis_the_record_still_has_it(scene: Scene, nowhere: Any) -> None:
    reports = Reports(scene.pool, nowhere)
    job = await started(scene, project_id=uuid4())
    reports.reporter(job)(30)
    await reports.flush()
    assert (await scene.job(job.id))["progress"] == 30


async def test_many_jobs_share_a_statement(
    scene: Scene, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    save = progress.save

    async def counted(pool: Any, found: Any) -> Any:
        sent.append(len(found))
        return await save(pool, found)

    monkeypatch.setattr(progress, "save", counted)
    jobs = [await started(scene) for _ in range(20)]
    for n, job in enumerate(jobs):
        reports.reporter(job)(n)
    await reports.flush()
    assert sent == [20]
    assert [(await scene.job(j.id))["progress"] for j in jobs] == [*range(20)]


async def test_a_report_costs_next_to_nothing(scene: Scene, reports: Reports) -> None:
    reporter, yardstick = reports.reporter(handle(new_job(), attempt=1)), dict[str, int]()

    def seconds(call: Any) -> float:
        began = time.perf_counter()
        for n in range(20_000):
            call(n)
        return time.perf_counter() - began

    def plain_python(n: int) -> None:
        yardstick["latest"] = n
        yardstick.update(other=n)

    own = min(seconds(lambda n: reporter(n, "parsing")) for _ in range(5))
    other = min(seconds(plain_python) for _ in range(5))
    assert own < 6 * other
