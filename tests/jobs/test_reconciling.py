"""The statements of the reconciler and of housekeeping: who is rung, forgotten and pruned."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.jobs.records import KINDS, WORKER, added, enrolled, running
from worker.database.pool import Pool
from worker.jobs import upkeep
from worker.jobs.finishes import Failure
from worker.jobs.ids import new_id
from worker.jobs.ledger import Ledger
from worker.jobs.model import JobResult
from worker.jobs.presence import Presence

DONE = JobResult(True, "done")


async def picked(pool: Pool, limit: int = 10) -> list[UUID]:
    return [r["id"] for r in await pool.fetch(upkeep.SQL.pick_unrung, limit)]


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


async def test_due_jobs_are_rung_once_oldest_first(pool: Pool, ledger: Ledger) -> None:
    later = await added(ledger, run_at=ago(10), priority=5)
    sooner = await added(ledger, run_at=ago(20))
    await added(ledger, run_at=ago(-60))
    await added(ledger)
    assert await picked(pool, 1) == [sooner.id]
    [rung] = await pool.fetch(upkeep.SQL.pick_unrung, 10)
    assert (rung["id"], rung["queue"], rung["priority"]) == (later.id, "artifact-scan", 5)
    assert later.run_at is not None
    assert abs(rung["run_at_ms"] - later.run_at.timestamp() * 1000) < 1
    assert await picked(pool) == []


async def test_a_ring_that_led_to_nothing_is_repeated_after_half_a_minute(
    pool: Pool, ledger: Ledger
) -> None:
    job = await added(ledger, run_at=ago(60))
    assert await picked(pool) == [job.id]
    await pool.execute("UPDATE jobs SET rung_at = now() - interval '31 seconds'")
    assert await picked(pool) == [job.id]
    await pool.execute(upkeep.SQL.forget_rings)
    assert await picked(pool) == [job.id]


async def test_a_job_that_was_picked_and_not_rung_is_picked_again_soon(
    pool: Pool, ledger: Ledger
) -> None:
    job = await added(ledger, run_at=ago(60))
    for confirmed in (False, True):
        assert await picked(pool) == [job.id]
        assert await picked(pool) == []
        if confirmed:
            await upkeep.Upkeep(pool).rang([job.id])
        await pool.execute("UPDATE jobs SET rung_at = rung_at - interval '6 seconds'")
    assert await picked(pool) == []


async def test_two_reconcilers_never_ring_the_same_job(pool: Pool, ledger: Ledger) -> None:
    job = await added(ledger, run_at=ago(60))
    async with pool.acquire() as first, first.transaction():
        assert [r["id"] for r in await first.fetch(upkeep.SQL.pick_unrung, 10)] == [job.id]
        assert await picked(pool) == []


async def test_a_silent_workers_jobs_are_abandoned_and_a_live_ones_are_not(
    pool: Pool, ledger: Ledger
) -> None:
    job = await running(ledger)
    await Presence(pool, WORKER, KINDS).renew(["artifact-scan"], 1)
    assert await pool.fetch(upkeep.SQL.pick_abandoned, 12.0, 10) == []
    await pool.execute("UPDATE workers SET last_seen = now() - interval '13 seconds'")
    [rung] = await pool.fetch(upkeep.SQL.pick_abandoned, 12.0, 10)
    assert rung["id"] == job.id


async def test_only_workers_silent_for_a_day_that_hold_nothing_are_forgotten(
    pool: Pool, ledger: Ledger
) -> None:
    for worker in (WORKER, "idle", "alive"):
        await Presence(pool, worker, []).renew([], 0)
    await pool.execute(
        "UPDATE workers SET last_seen = now() - interval '25 hours' WHERE id <> 'alive'"
    )
    await running(ledger)
    await pool.execute(upkeep.SQL.forget_silent_workers)
    left = await pool.fetch("SELECT id FROM workers")
    assert {r["id"] for r in left} == {WORKER, "alive"}


async def test_queues_are_counted_by_what_their_jobs_do(pool: Pool, ledger: Ledger) -> None:
    await added(ledger, run_at=ago(100))
    await added(ledger, run_at=ago(-100))
    await running(ledger)
    await ledger.bury(await running(ledger), Failure("failed", "E", "m"), ())
    await ledger.complete(await running(ledger), DONE, ())
    counts = {r["status"]: (r["jobs"], r["oldest"]) for r in await pool.fetch(upkeep.SQL.counts)}
    assert {s: n for s, (n, _) in counts.items()} == {
        "queued": 1, "scheduled": 1, "in_progress": 1, "dead": 1,
    }  # fmt: skip
    assert 100 <= counts["queued"][1] < 110


async def test_pruning_keeps_the_newest_and_the_young_of_one_queue(
    pool: Pool, ledger: Ledger
) -> None:
    jobs = [await running(ledger) for _ in range(5)]
    for age, job in enumerate(jobs):
        await ledger.complete(job, DONE, ())
        await pool.execute(
            "UPDATE jobs SET finished_at = now() - make_interval(hours => $2) WHERE id = $1",
            job.id, age,
        )  # fmt: skip
    dead = await running(ledger)
    await ledger.bury(dead, Failure("failed", "E", "m"), ())
    waiting = await added(ledger)
    await pool.execute(upkeep.SQL.prune, "analysis", ["completed"], 1, 1.0)
    await pool.execute(upkeep.SQL.prune, "artifact-scan", ["completed"], 4, None)
    assert await ids(pool) == {j.id for j in jobs[:4]} | {dead.id, waiting.id}
    await pool.execute(upkeep.SQL.prune, "artifact-scan", ["completed"], 100, 1.5 * 3600)
    assert await ids(pool) == {j.id for j in jobs[:2]} | {dead.id, waiting.id}
    assert await pool.fetchval("SELECT count(*) FROM job_attempts") == 1


async def test_events_are_deleted_a_week_after_they_were_published(pool: Pool) -> None:
    project_id = await enrolled(pool)
    for published in ("now() - interval '8 days'", "now()", "NULL"):
        await pool.execute(
            "INSERT INTO events (id, project_id, event, payload, created_at, published_at) "
            f"VALUES ($1, $2, 'e', '{{}}', now() - interval '9 days', {published})",
            new_id(), project_id,
        )  # fmt: skip
    await pool.execute(upkeep.SQL.prune_events)
    assert await pool.fetchval("SELECT count(*) FROM events") == 2


async def ids(pool: Pool) -> set[UUID]:
    return {r["id"] for r in await pool.fetch("SELECT id FROM jobs")}


async def test_the_workers_table_says_who_is_alive_and_what_it_holds(
    pool: Pool, ledger: Ledger
) -> None:
    presence = Presence(pool, WORKER, KINDS)
    await presence.renew(["artifact-scan"], 0)
    await presence.renew(["artifact-scan"], 3)
    await presence.stamp_heartbeat()
    [worker] = await pool.fetch("SELECT * FROM workers")
    assert (worker["running"], worker["last_heartbeat"] is not None) == (3, True)
    job = await running(ledger)
    [held] = await presence.held()
    assert (held["id"], held["attempt"], held["queue"]) == (job.id, 1, "artifact-scan")
    assert await pool.fetch(upkeep.SQL.pick_abandoned, 12.0, 10) == []
    await presence.leave()
    [rung] = await pool.fetch(upkeep.SQL.pick_abandoned, 12.0, 10)
    assert rung["id"] == job.id
    assert await pool.fetch(upkeep.SQL.pick_abandoned, 12.0, 10) == []
