"""Events of projects that go out are messages to the endpoints that want them, exactly once."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from tests.chaos.processes import until
from tests.jobs.records import CountingPool
from tests.outgoing.records import ORG, counts, endpoint, organisation, project, rows
from worker.database.pool import Pool
from worker.jobs.events import SQL, NewEvent, Publisher
from worker.jobs.ring import queue_keys
from worker.redis_pool import connect_redis

NOTHING = {"messages": 0, "deliveries": 0, "jobs": 0}
ONE = {"messages": 1, "deliveries": 1, "jobs": 1}


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = connect_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def publisher(pool: Pool, redis: Redis) -> Publisher:
    return Publisher(pool, redis)


async def recorded(
    pool: Pool, project_id: UUID, name: str = "conflict_detected", age: float = 0.0, **payload: Any
) -> NewEvent:
    """An event whose row is there, as the ledger writes it."""
    event = NewEvent(project_id, name, payload)
    await pool.execute(
        "INSERT INTO events (id, project_id, event, payload, created_at) "
        "VALUES ($1, $2, $3, $4, $5::timestamptz - make_interval(secs => $6))",
        event.id, project_id, name, payload, event.created_at, age,
    )  # fmt: skip
    return event


async def rung(redis: Redis) -> set[str]:
    found: list[bytes] = await redis.hkeys(queue_keys("webhooks").jobs)  # type: ignore[misc]
    return {name.decode() for name in found}


async def test_an_event_that_goes_out_is_sent_to_who_wants_it(
    pool: Pool, redis: Redis, publisher: Publisher
) -> None:
    to = await endpoint(pool, events=["project.conflict_detected"])
    await endpoint(pool, events=["project.job_dead", "usage.*"])
    await endpoint(pool, "other")
    project_id = await project(pool)
    event = await recorded(pool, project_id, jobId="j", conflicts=2)
    await publisher.publish(event)
    [stored] = await rows(pool, "outgoing_messages")
    [delivery] = await rows(pool, "outgoing_deliveries")
    [job] = await rows(pool, "jobs")
    assert (stored["org_id"], stored["project_id"]) == (ORG, project_id)
    assert (stored["event"], stored["key"]) == ("project.conflict_detected", f"event:{event.id}")
    assert (delivery["endpoint_id"], delivery["job_id"]) == (to, job["id"])
    assert (job["kind"], job["project_id"], job["org_id"]) == ("webhook_delivery", None, ORG)
    assert await rung(redis) == {str(job["id"])}


async def test_the_message_says_what_the_live_event_says(pool: Pool, publisher: Publisher) -> None:
    await endpoint(pool, events=["project.*"])
    project_id = await project(pool)
    event = await recorded(pool, project_id, jobId="j", text="ü")
    await publisher.publish(event)
    [stored] = await rows(pool, "outgoing_messages")
    at = event.created_at.isoformat(timespec="microseconds")
    assert json.loads(stored["body"]) == {
        "type": "project.conflict_detected",
        "timestamp": at,
        "data": {"jobId": "j", "text": "ü", "eventId": str(event.id), "projectId": str(project_id)},
    }


async def test_what_is_published_again_is_not_sent_again(pool: Pool, publisher: Publisher) -> None:
    await endpoint(pool)
    event = await recorded(pool, await project(pool), age=10)
    await publisher.publish(event)
    await publisher.publish(event)
    assert await publisher.publish_overdue() == 0
    assert await counts(pool) == ONE


async def test_even_if_the_mark_was_lost_it_is_sent_once(pool: Pool, publisher: Publisher) -> None:
    await endpoint(pool)
    event = await recorded(pool, await project(pool), age=10)
    await publisher.publish(event)
    await pool.execute("UPDATE events SET published_at = NULL")
    assert await publisher.publish_overdue() == 1
    assert await counts(pool) == ONE


async def test_what_a_crash_left_is_sent_with_the_overdue(pool: Pool, publisher: Publisher) -> None:
    await endpoint(pool)
    project_id = await project(pool)
    for n in range(5):
        await recorded(pool, project_id, age=10, n=n)
    assert await publisher.publish_overdue() == 5
    assert await counts(pool) == {"messages": 5, "deliveries": 5, "jobs": 5}


async def test_many_publishers_of_the_same_events_send_each_once(pool: Pool, redis: Redis) -> None:
    await endpoint(pool)
    project_id = await project(pool)
    events = [await recorded(pool, project_id, n=n) for n in range(20)]
    publishers = [Publisher(pool, redis) for _ in range(6)]
    await asyncio.gather(*(p.publish(e) for p in publishers for e in events))
    assert await counts(pool) == {"messages": 20, "deliveries": 20, "jobs": 20}


@pytest.mark.parametrize("org_id", [None, "unheard-of"])
async def test_a_project_without_an_organisation_tells_nobody(
    pool: Pool, publisher: Publisher, org_id: str | None
) -> None:
    await endpoint(pool)
    await publisher.publish(await recorded(pool, await project(pool, org_id)))
    await publisher.publish(await recorded(pool, UUID(int=1)))
    assert await counts(pool) == NOTHING
    assert await pool.fetchval("SELECT count(*) FROM events WHERE published_at IS NULL") == 0


async def test_without_endpoints_an_event_is_only_published(
    pool: Pool, redis: Redis, publisher: Publisher
) -> None:
    await organisation(pool)
    await publisher.publish(await recorded(pool, await project(pool)))
    assert await counts(pool) == NOTHING
    assert await rung(redis) == set()


async def test_marking_and_sending_are_one_statement(pool: Pool, redis: Redis) -> None:
    await endpoint(pool)
    event = await recorded(pool, await project(pool))
    counting = CountingPool(pool)
    await Publisher(counting, redis).publish(event)  # type: ignore[arg-type]
    assert counting.statements == 1
    assert await counts(pool) == ONE


async def test_for_a_disabled_endpoint_it_is_skipped(pool: Pool, publisher: Publisher) -> None:
    await endpoint(pool, reason="gone")
    await publisher.publish(await recorded(pool, await project(pool)))
    [delivery] = await rows(pool, "outgoing_deliveries")
    assert (delivery["state"], delivery["job_id"]) == ("skipped", None)


async def test_what_cannot_be_rung_is_there_for_the_reconciler(
    pool: Pool, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await endpoint(pool)
    away = connect_redis("redis://127.0.0.1:1/0")
    monkeypatch.setattr(publisher, "_bell", type(publisher._bell)(away))
    await publisher.publish(await recorded(pool, await project(pool)))
    await away.aclose()
    [job] = await rows(pool, "jobs")
    assert (job["state"], job["rung_at"]) == ("queued", None)


async def test_an_endpoint_deleted_meanwhile_does_not_hold_up_the_events(
    pool: Pool, publisher: Publisher
) -> None:
    to = await endpoint(pool)
    event = await recorded(pool, await project(pool))
    async with pool.acquire() as other:
        deleting = other.transaction()
        await deleting.start()
        await other.execute("DELETE FROM outgoing_endpoints WHERE id = $1", to)
        publishing = asyncio.ensure_future(publisher.publish(event))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        await until(lambda: other.fetchval(waiting))
        await deleting.commit()
    await publishing
    assert await counts(pool) == NOTHING
    assert await pool.fetchval("SELECT published_at IS NOT NULL FROM events")


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
async def test_where_nobody_has_an_endpoint_marking_looks_nowhere_else(
    pool: Pool, generic: bool
) -> None:
    event = await recorded(pool, await project(pool))
    mode = "force_generic_plan" if generic else "force_custom_plan"
    async with pool.acquire() as connection:
        await connection.execute(f"SET plan_cache_mode = {mode}")
        await connection.execute(f"PREPARE hot AS {SQL.mark_published}")
        explained = f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE hot ('{{{event.id}}}')"
        [[found]] = await connection.fetch(explained)
        await connection.execute("DEALLOCATE hot; RESET plan_cache_mode")
    loops = {n.get("Relation Name", n["Node Type"]): n["Actual Loops"] for n in nodes(found)}
    assert (loops["events"], loops["projects"]) == (1, 0)
    assert loops["Function Scan"] == 0


def nodes(found: list[Any]) -> Iterator[dict[str, Any]]:
    """Every node of an explained plan."""
    waiting = [found[0]["Plan"]]
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", [])
        yield node
