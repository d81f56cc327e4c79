"""Usage batches through the engine: counted once, in the period they were accepted in."""

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from arq.connections import ArqRedis

from tests.handlers.running import running
from tests.support import eventually
from worker.database.pool import Pool
from worker.jobs.following import FollowUps
from worker.jobs.ids import made_at, new_id
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob
from worker.jobs.queues import QUEUES
from worker.jobs.ring import Bell, Ring
from worker.metrics import REGISTRY as METRICS
from worker.tenants.usage.store import UsageStore

QUEUE = "flagship:usage"


@pytest.fixture(autouse=True)
async def acme(pool: Pool) -> None:
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('acme', 'Acme')")


def working(pool: Pool, redis: ArqRedis) -> AbstractAsyncContextManager[None]:
    """An engine for the usage queue."""
    usage = UsageStore(pool, FollowUps(pool, redis, QUEUES))
    return running(pool, redis, lambda job, _: SimpleNamespace(usage=usage, job=job), QUEUE)


def job(
    batch_id: str, *events: dict[str, Any], org: str = "acme", made: UUID | None = None
) -> NewJob:
    """A job as the web service, or somebody by hand, records it."""
    payload = {"orgId": org, "batchId": batch_id, "events": list(events)}
    return NewJob(QUEUE, "usage_ingestion", payload, 6, id=made or new_id())


async def ended(pool: Pool, redis: ArqRedis, *jobs: NewJob) -> list[dict[str, Any]]:
    """The jobs, in order, once they have been run."""
    await Ledger(pool).add(jobs)
    await Bell(redis).ring(map(Ring.of, jobs))
    ids = [j.id for j in jobs]

    async def all_ended() -> list[dict[str, Any]]:
        rows = await pool.fetch(
            "SELECT state, result, error FROM jobs WHERE id = ANY ($1)"
            " AND finished_at IS NOT NULL ORDER BY array_position($1, id)",
            ids,
        )
        assert len(rows) == len(ids)
        return [dict(row) for row in rows]

    async with working(pool, redis):
        return await eventually(all_ended, timeout=15)


def figure(name: str, **labels: str) -> float:
    return METRICS.get_sample_value(name, labels) or 0.0


async def hours(pool: Pool) -> dict[datetime, tuple[int, int]]:
    rows = await pool.fetch("SELECT * FROM usage_counters WHERE period = 'hour'")
    return {row["period_start"]: (row["quantity"], row["events"]) for row in rows}


def hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


async def test_a_batch_is_counted_and_a_repeat_of_it_is_not(pool: Pool, redis: ArqRedis) -> None:
    before = figure("usage_events_total"), figure("usage_batches_total", status="duplicate")
    at = datetime.now(UTC)
    events = {"metric": "calls", "quantity": 3, "timestamp": at.isoformat()}, {"metric": "calls"}
    first, repeat = await ended(pool, redis, job("b", *events), job("b", *events))
    results = sorted(
        (first["result"]["data"], repeat["result"]["data"]), key=lambda data: data["duplicate"]
    )
    assert results == [{"counted": 2, "duplicate": False}, {"counted": 0, "duplicate": True}]
    assert {first["state"], repeat["state"]} == {"completed"}
    assert sum(quantity for quantity, _ in (await hours(pool)).values()) == 4
    assert figure("usage_events_total") == before[0] + 2
    assert figure("usage_batches_total", status="duplicate") == before[1] + 1


async def test_what_has_no_time_counts_when_it_was_accepted_however_late_it_is_run(
    pool: Pool, redis: ArqRedis
) -> None:
    accepted = datetime.now(UTC) - timedelta(days=3)
    milliseconds = int(accepted.timestamp() * 1000)
    made = UUID(int=milliseconds << 80 | new_id().int & (1 << 80) - 1)
    assert abs(made_at(made) - accepted) < timedelta(milliseconds=1)
    await ended(pool, redis, job("b", {"metric": "calls", "quantity": 7}, made=made))
    assert await hours(pool) == {hour(accepted): (7, 1)}


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (job("b", {"metric": "calls"}, org="nobody"), "no organisation is 'nobody'"),
        (job("b", {"metric": "calls", "quantity": -1}), "events.0.quantity"),
        (job("b", {"metric": "calls", "timestamp": "9999-12-31T23:59:59Z"}), "events.0.timestamp"),
        (job("b", {"metric": "calls", "timestamp": "1969-01-01T00:00:00Z"}), "events.0.timestamp"),
        (job("b"), "events"),
    ],
)
async def test_what_cannot_be_counted_is_buried_with_its_reason(
    pool: Pool, redis: ArqRedis, bad: NewJob, said: str
) -> None:
    good = job("good", {"metric": "calls"})
    buried, counted = await ended(pool, redis, bad, good)
    assert buried["state"] == "dead"
    assert said in buried["error"]
    assert counted["state"] == "completed"
    assert sum(quantity for quantity, _ in (await hours(pool)).values()) == 1
