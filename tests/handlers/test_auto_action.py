"""Automatic actions through the engine: from a limit that is reached to what is done about it."""

from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace
from typing import Any

import pytest
from arq.connections import ArqRedis

from tests.handlers.running import running
from tests.support import eventually
from tests.tenants.limiting import PLANNER, Customer
from worker.database.pool import Pool, atomically
from worker.jobs.following import FollowUps
from worker.jobs.planning import record
from worker.jobs.queues import QUEUES
from worker.jobs.ring import queue_keys
from worker.jobs.tenant_payloads import AutoAction
from worker.tenants.actions import AutomaticActions

QUEUE = "flagship:auto-actions"


@pytest.fixture
async def acme(pool: Pool) -> Customer:
    return await Customer.enrolled(pool)


def working(pool: Pool, redis: ArqRedis) -> AbstractAsyncContextManager[None]:
    """An engine for automatic actions."""
    surroundings = {"actions": AutomaticActions(pool), "follow_ups": FollowUps(pool, redis, QUEUES)}
    return running(pool, redis, lambda job, _: SimpleNamespace(**surroundings, job=job), QUEUE)


async def ended(pool: Pool) -> list[Any]:
    """The automatic actions' jobs by age, once none waits or runs."""

    async def all_ended() -> bool:
        unfinished = "SELECT count(*) FROM jobs WHERE queue = $1 AND finished_at IS NULL"
        return bool(await pool.fetchval(unfinished, QUEUE) == 0)

    done: bool = await eventually(all_ended, timeout=10)
    assert done
    return list(await pool.fetch("SELECT * FROM jobs WHERE queue = $1 ORDER BY id", QUEUE))


async def add(pool: Pool, *payloads: AutoAction) -> None:
    jobs = [PLANNER.job(payload) for payload in payloads]
    await atomically(pool, lambda connection: record(connection, jobs))


def action(target: str, name: Any = "disable_feature", org_id: str = "acme") -> AutoAction:
    return AutoAction(org_id=org_id, action=name, target_id=target, reason="abuse")


async def test_a_limit_that_is_reached_disables_blocks_and_tells(
    pool: Pool, redis: ArqRedis, acme: Customer
) -> None:
    await acme.limit(
        10, (80, "send_notification", "threshold_warning"), (100, "disable_feature", "search"),
        (100, "block_api_key", str(acme.key_id)),
    )  # fmt: skip
    await acme.count(12)
    async with working(pool, redis):
        jobs = await ended(pool)
    assert [job["state"] for job in jobs] == ["completed"] * 3
    assert {job["result"]["data"]["status"] for job in jobs} == {"applied"}
    enabled, reason = await acme.flag()
    assert not enabled
    assert reason == await acme.blocked()
    assert reason is not None
    assert "calls reached 100 % of its limit of 10" in reason
    told = sorted(job["type"] for job in await acme.jobs("notification"))
    assert told == ["feature_disabled", "limit_exceeded", "threshold_warning"]
    assert set(await acme.told()) == {
        "usage.threshold_reached", "feature.disabled", "api_key.blocked",
    }  # fmt: skip
    notifications = queue_keys("flagship:notifications").times
    assert await redis.zcard(f"{notifications}:ready:acme") == 3, "they were rung"


async def test_a_job_that_is_run_again_does_nothing_again(
    pool: Pool, redis: ArqRedis, acme: Customer
) -> None:
    await add(pool, action("search"))
    async with working(pool, redis):
        await ended(pool)
    await acme.switch(enabled=True)
    await pool.execute(
        "UPDATE jobs SET state = 'queued', finished_at = NULL, result = NULL, rung_at = NULL"
        " WHERE queue = $1", QUEUE,
    )  # fmt: skip
    async with working(pool, redis):
        [job] = await ended(pool)
    assert (job["state"], job["attempt"]) == ("completed", 2)
    assert job["result"]["data"]["status"] == "repeated"
    assert await acme.flag() == (True, None)
    assert await acme.told() == ["feature.disabled"]


async def test_what_names_nothing_is_buried_at_once_and_says_what_to_do(
    pool: Pool, redis: ArqRedis, acme: Customer
) -> None:
    await add(
        pool, action("nothing"), action("nothing", "block_api_key"),
        action("birthday", "send_notification"), action("search", org_id="nobody"),
    )  # fmt: skip
    async with working(pool, redis):
        jobs = await ended(pool)
    assert [(job["state"], job["attempt"]) for job in jobs] == [("dead", 1)] * 4
    for job, told in zip(
        jobs,
        ("'acme' has no feature flag 'nothing'. Make the flag", "'acme' has no API key 'nothing'",
         "no notification has the type 'birthday'", "there is no organisation 'nobody'"),
        strict=True,
    ):  # fmt: skip
        assert told in job["error"]
