"""What is set by hand for a queue: kept, combined with the policy, told to workers."""

from collections.abc import AsyncIterator
from math import inf, nan

import pytest
from arq.connections import ArqRedis

from worker.database.pool import Pool
from worker.errors import InvalidInput, NotFound
from worker.jobs.queue_controls import QueueControls
from worker.jobs.queues import QUEUES, Rate
from worker.jobs.signals import CHANNEL, QUEUES_CHANGED
from worker.redis_pool import connect_redis

INDEXING = QUEUES["indexing"]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[ArqRedis]:
    client = connect_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def controls(pool: Pool, redis: ArqRedis) -> QueueControls:
    return QueueControls(pool, redis)


async def test_untouched_queues_are_as_the_policy_says(controls: QueueControls) -> None:
    found = await controls.all()
    assert [c.policy for c in found] == [c.effective for c in found] == [*QUEUES.values()]
    assert not any(c.control.paused for c in found)


async def test_pausing_keeps_since_when_and_the_latest_reason(controls: QueueControls) -> None:
    first = (await controls.pause("indexing", "disk full")).control
    second = (await controls.pause("indexing", "still full\0")).control
    assert first.paused
    assert second.paused_at == first.paused_at
    assert (first.paused_reason, second.paused_reason) == ("disk full", "still full?")
    assert (await controls.get("indexing")).control == second
    resumed = (await controls.resume("indexing")).control
    assert (resumed.paused, resumed.paused_at, resumed.paused_reason) == (False, None, None)


async def test_resuming_what_was_never_paused_is_fine(controls: QueueControls) -> None:
    assert not (await controls.resume("indexing")).control.paused


async def test_resizing_changes_what_is_given_and_nothing_else(controls: QueueControls) -> None:
    await controls.pause("indexing")
    await controls.resize("indexing", concurrency=7, rate=Rate(10, 2.5))
    found = await controls.resize("indexing", per_key=3)
    assert found.control.paused
    now = found.effective
    assert (now.concurrency, now.per_key, now.rate) == (7, 3, Rate(10, 2.5))
    assert (now.per_organisation, now.timeout) == (INDEXING.per_organisation, INDEXING.timeout)
    assert found.policy == INDEXING


async def test_none_goes_back_to_the_policy(controls: QueueControls) -> None:
    await controls.resize("indexing", concurrency=7, per_key=3, per_organisation=2, rate=Rate(1, 1))
    found = await controls.resize("indexing", concurrency=None, rate=None)
    assert (found.control.concurrency, found.control.rate) == (None, None)
    assert (found.effective.per_key, found.effective.per_organisation) == (3, 2)
    found = await controls.resize("indexing", per_key=None, per_organisation=None)
    assert found.effective == INDEXING


@pytest.mark.parametrize("value", [0, -1, 1_000_001])
async def test_numbers_that_make_no_sense_are_named(controls: QueueControls, value: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        await controls.resize(
            "indexing", concurrency=value, per_key=value, per_organisation=value,
            rate=Rate(value, nan if value == 0 else inf * value),
        )  # fmt: skip
    assert set(caught.value.fields) == {
        "concurrency", "per_key", "per_organisation", "rate.count", "rate.seconds",
    }  # fmt: skip
    assert (await controls.get("indexing")).control.updated_at is None


async def test_an_unknown_queue_is_not_found(pool: Pool, controls: QueueControls) -> None:
    for change in (
        controls.pause("nonesuch"), controls.resume("nonesuch"), controls.get("nonesuch"),
        controls.resize("nonesuch", concurrency=1),
    ):  # fmt: skip
        with pytest.raises(NotFound, match="nonesuch"):
            await change
    assert await pool.fetchval("SELECT count(*) FROM queue_controls") == 0


async def test_every_change_is_told(controls: QueueControls, redis: ArqRedis) -> None:
    async with redis.pubsub(ignore_subscribe_messages=True) as heard:
        await heard.subscribe(CHANNEL)
        await heard.get_message(timeout=1)
        for change in (
            controls.pause("indexing"), controls.resume("indexing"),
            controls.resize("indexing", concurrency=1),
        ):  # fmt: skip
            await change
            message = await heard.get_message(timeout=1)
            assert message is not None
            assert message["data"].decode() == QUEUES_CHANGED


async def test_without_redis_a_change_is_kept(pool: Pool) -> None:
    controls = QueueControls(pool, connect_redis("redis://127.0.0.1:1/0"))
    await controls.pause("indexing")
    assert (await controls.get("indexing")).control.paused
