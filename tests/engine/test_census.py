"""The census that workers take: clean while they work, by one at a time, shown by all, mending."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis
from structlog.testing import LogCapture

from tests.engine.conftest import OpenEngine
from tests.engine.scene import Scene
from tests.support import eventually
from worker.database.pool import Pool
from worker.engine import census as module
from worker.engine.census import RESULT, TURN, Census
from worker.jobs import conservation
from worker.jobs.conservation import Conservation
from worker.jobs.ids import new_id
from worker.jobs.offences import KINDS
from worker.jobs.offences import Census as Result
from worker.jobs.ring import queue_keys
from worker.metrics import CONSERVATION_OFFENDERS, REGISTRY

LONG_AGO = datetime.now(UTC) - timedelta(minutes=1)
LENIENT = ("UNRUNG_SECONDS", "UNLEASED_SECONDS", "ENDED_SECONDS", "SILENT_SECONDS")
UNFINISHED = "SELECT count(*) FROM jobs WHERE finished_at IS NULL"
NONE: dict[str, float | None] = dict.fromkeys(KINDS, 0.0)
ABSENT: dict[str, float | None] = dict.fromkeys(KINDS)


class Counted(Conservation):
    """Conservation that counts its censuses."""

    taken = 0

    async def census(self, *arguments: Any, **more: Any) -> Result:
        """Count, and take it."""
        self.taken += 1
        return await super().census(*arguments, **more)


def shown() -> dict[str, float | None]:
    """The gauge of each kind."""
    return {k: REGISTRY.get_sample_value("conservation_offenders", {"kind": k}) for k in KINDS}


@pytest.fixture(autouse=True)
def _nothing_shown() -> None:
    CONSERVATION_OFFENDERS.clear()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One census follows the other, and the second look the first."""
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.02)
    monkeypatch.setattr(conservation, "LOOK_AGAIN_SECONDS", 0.01)


@pytest.fixture
def books(pool: Pool, redis: ArqRedis) -> Counted:
    return Counted(pool, redis, ["work", "noop", "ends"])


@pytest.fixture
def census(books: Counted, redis: ArqRedis) -> Census:
    return Census(books, redis, "me")


async def test_a_busy_system_is_accounted_for_throughout(
    pool: Pool, books: Counted, running: OpenEngine, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs come, wait, fail, are retried and end; nothing of it is given any time but one look."""
    for name in LENIENT:
        monkeypatch.setattr(conservation, name, 0.0)
    monkeypatch.setattr(conservation, "LOOK_AGAIN_SECONDS", 0.5)

    async def flow() -> None:
        for n in range(200):
            await scene.rung("noop", queue="noop", org_id=f"org-{n % 7}")
            await scene.rung("work", {"seconds": 0.2}, priority=n % 2 * 10)
            if n % 20 == 0:
                await scene.rung("end", {"by": "raise"}, queue="ends")

    looked = 0
    async with running():
        flowing = asyncio.create_task(flow())
        while not flowing.done() or await pool.fetchval(UNFINISHED):
            result = await books.census()
            assert result.clean, result.offenders
            looked += result.jobs
        await flowing
    assert looked > 20, "it was not busy at all"


@pytest.mark.usefixtures("quick")
async def test_what_redis_has_wrong_is_named_mended_and_run(
    running: OpenEngine, redis: ArqRedis, scene: Scene, census: Census, log: LogCapture
) -> None:
    job_id, stray = await scene.rung("work", run_at=LONG_AGO), new_id()
    await scene.ring(stray)
    await redis.delete(f"{queue_keys('work').times}:tenants")
    await census.once()
    assert shown() == NONE | {"job_misplaced": 1.0, "id_without_job": 1.0}
    [line] = log.entries
    assert (line["event"], line["log_level"]) == ("census.found_offenders", "warning")
    assert line["counts"] == {"job_misplaced": 1, "id_without_job": 1}
    assert f"job_misplaced {job_id}" in line["first"]
    assert await scene.forgot(job_id)
    assert await scene.forgot(stray)
    async with running():
        await scene.becomes(job_id, "completed")
    await redis.delete(TURN)
    await census.once()
    assert shown() == NONE


async def test_one_process_takes_it_and_every_one_shows_it(
    pool: Pool, redis: ArqRedis, books: Counted, census: Census, scene: Scene
) -> None:
    other = Census(books, redis, "other")
    await census.once()
    assert (books.taken, await redis.get(TURN)) == (1, b"me")
    await redis.set(RESULT, b'{"job_not_in_redis":3}')
    await other.once()
    assert books.taken == 1
    assert shown() == NONE | {"job_not_in_redis": 3.0}
    assert 0 < await redis.pttl(TURN) <= 54_000
    await redis.delete(TURN)
    await other.once()
    assert (books.taken, await redis.get(TURN)) == (2, b"other")
    assert shown() == NONE
    assert 0 < await redis.ttl(RESULT) <= module.RESULT_SECONDS


async def test_a_result_that_nobody_has_is_not_shown(redis: ArqRedis, census: Census) -> None:
    await census.once()
    await redis.delete(RESULT)
    await census.once()
    assert shown() == ABSENT


@pytest.mark.usefixtures("quick")
async def test_an_outage_is_told_and_nothing_is_shown(
    pool: Pool, books: Counted, nowhere: ArqRedis, log: LogCapture
) -> None:
    CONSERVATION_OFFENDERS.labels(KINDS[0]).set(0)
    census = Census(books, nowhere, "me")
    task = asyncio.create_task(census.run())
    await eventually(lambda: [e for e in log.entries if e["event"] == "census.failed"])
    assert shown() == ABSENT
    census.stopping.set()
    await asyncio.wait_for(task, 2.0)


async def test_it_works_a_tenth_of_the_time_and_keeps_its_turn(
    pool: Pool, redis: ArqRedis, census: Census, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conservation, "PAGE", 5)
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        assert await redis.get(TURN) == b"me"
        pauses.append(seconds)

    monkeypatch.setattr(census, "_pause", pause)
    for _ in range(20):
        await scene.rung("work", run_at=LONG_AGO)
    started = asyncio.get_running_loop().time()
    await census.once()
    worked = asyncio.get_running_loop().time() - started
    assert len(pauses) >= 4
    assert 2 * worked < sum(pauses) < module.LEISURE * worked


async def test_a_stop_ends_it_wherever_it_is(
    census: Census, books: Counted, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.02)
    await scene.add("work", run_at=LONG_AGO)
    task = asyncio.create_task(census.run())
    await eventually(lambda: books.taken)
    # It has a suspect, and waits five seconds for the second look.
    census.stopping.set()
    await asyncio.wait_for(task, 1.0)
    assert shown() == ABSENT
