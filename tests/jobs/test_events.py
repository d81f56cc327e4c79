"""Live events: the exact envelope, live and for replay, at least once."""

import asyncio
import json
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisAway

from tests.jobs.records import running
from worker.database.pool import Pool, connect_pool
from worker.errors import RecordUnavailable
from worker.jobs.events import NewEvent, Publisher, channel, encode, stream
from worker.jobs.ids import new_id
from worker.jobs.ledger import Ledger
from worker.jobs.model import JobResult
from worker.redis_pool import connect_redis

DONE = JobResult(True, "done")


async def recorded(pool: Pool, project_id: UUID, age: float = 0.0, **payload: Any) -> NewEvent:
    """An event whose row is there, as the ledger writes it."""
    event = NewEvent(project_id, "artifact_scan_completed", payload)
    await pool.execute(
        "INSERT INTO events (id, project_id, event, payload, created_at) "
        "VALUES ($1, $2, $3, $4, now() - make_interval(secs => $5))",
        event.id, project_id, event.event, payload, age,
    )  # fmt: skip
    return event


async def replay(redis: Redis, project_id: UUID) -> list[Any]:
    return [json.loads(fields[b"event"]) for _, fields in await redis.xrange(stream(project_id))]


async def test_an_event_has_exactly_the_promised_envelope() -> None:
    project_id = new_id()
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    event = NewEvent(project_id, "gate_evaluated", {"jobId": "j"}, created_at=at)
    assert json.loads(encode(event)) == {
        "event": "gate_evaluated",
        "projectId": str(project_id),
        "timestamp": "2026-01-02T01:04:05+00:00",
        "payload": {"jobId": "j", "eventId": str(event.id)},
    }


@pytest.mark.parametrize("odd", ["\ud800", 2**80, new_id()], ids=["surrogate", "huge", "uuid"])
def test_an_event_that_could_be_recorded_can_be_sent(odd: object) -> None:
    sent = json.loads(encode(NewEvent(new_id(), "e", {"odd": odd})))
    assert isinstance(sent["payload"]["odd"], str)


async def test_the_ledgers_event_reaches_channel_and_stream_and_is_marked(
    pool: Pool, redis: Redis, ledger: Ledger
) -> None:
    project_id = new_id()
    job = await running(ledger, project_id=project_id)
    event = NewEvent(project_id, "artifact_scan_completed", {"jobId": str(job.id)})
    await ledger.complete(job, DONE, [event])
    async with redis.pubsub() as listener:
        await listener.subscribe(f"project:{project_id}")
        await listener.get_message(timeout=2)
        await Publisher(pool, redis).publish(event)
        heard = await listener.get_message(timeout=2)
    assert heard is not None
    assert json.loads(heard["data"]) == json.loads(encode(event))
    assert await replay(redis, project_id) == [json.loads(encode(event))]
    assert 0 < await redis.ttl(stream(project_id)) <= 7 * 86_400
    assert await pool.fetchval("SELECT published_at IS NOT NULL FROM events")


def test_a_projects_channel_is_named_after_its_id() -> None:
    project_id = new_id()
    assert channel(project_id) == f"project:{project_id}"
    assert stream(project_id) == f"project:{project_id}:events"


async def test_the_replay_stream_is_capped(pool: Pool, redis: Redis) -> None:
    publisher, project_id = Publisher(pool, redis), new_id()
    events = [NewEvent(project_id, "job_progress", {"n": n}) for n in range(1500)]
    await asyncio.gather(*(publisher.publish(e) for e in events))
    kept = await replay(redis, project_id)
    assert 1000 <= len(kept) < 1200
    assert kept[-1]["payload"]["n"] == 1499


async def test_what_a_crash_left_is_sent_once_with_its_own_id(pool: Pool, redis: Redis) -> None:
    publisher, project_id = Publisher(pool, redis), new_id()
    older = await recorded(pool, project_id, 20, n=1)
    newer = await recorded(pool, project_id, 10, n=2)
    fresh = await recorded(pool, project_id, 0, n=3)
    assert await publisher.publish_overdue() == 2
    sent = await replay(redis, project_id)
    assert [e["payload"]["eventId"] for e in sent] == [str(older.id), str(newer.id)]
    assert await publisher.publish_overdue() == 0
    left = await pool.fetch("SELECT id FROM events WHERE published_at IS NULL")
    assert [r["id"] for r in left] == [fresh.id]


async def test_a_repeat_says_the_same_as_the_first_time(pool: Pool, redis: Redis) -> None:
    """As when the process died between publishing and remembering that it did."""
    publisher, project_id = Publisher(pool, redis), new_id()
    await publisher.publish(await recorded(pool, project_id, 10, n=1))
    await pool.execute("UPDATE events SET published_at = NULL")
    assert await publisher.publish_overdue() == 1
    first, repeat = await replay(redis, project_id)
    assert first["payload"] == repeat["payload"]
    assert {k: first[k] for k in ("event", "projectId")} == {
        k: repeat[k] for k in ("event", "projectId")
    }


async def test_without_redis_nothing_is_marked_and_it_is_sent_later(
    pool: Pool, redis: Redis
) -> None:
    project_id = new_id()
    event = await recorded(pool, project_id, 10)
    away = connect_redis("redis://127.0.0.1:1/0")
    with pytest.raises(RedisAway):
        await Publisher(pool, away).publish(event)
    await away.aclose()
    assert await Publisher(pool, redis).publish_overdue() == 1
    assert len(await replay(redis, project_id)) == 1


async def test_without_postgres_overdue_events_are_record_unavailable(
    database_url: str, redis: Redis
) -> None:
    pool = await connect_pool(database_url, size=1)
    await pool.close()
    with pytest.raises(RecordUnavailable):
        await Publisher(pool, redis).publish_overdue()


async def test_drain_waits_for_what_is_on_its_way(pool: Pool, redis: Redis) -> None:
    publisher, project_id = Publisher(pool, redis), new_id()
    sending = asyncio.ensure_future(publisher.publish(await recorded(pool, project_id)))
    await asyncio.sleep(0)
    await publisher.drain()
    assert len(await replay(redis, project_id)) == 1
    await sending
