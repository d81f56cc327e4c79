"""The checker itself: each thing that must not be is found when it is."""

from uuid import UUID, uuid4

import pytest

from tests.chaos import checker
from tests.chaos.harness import Stack
from tests.chaos.journal import check_journal
from tests.chaos.processes import Process, Usage

RUN = """
UPDATE jobs SET state = 'running', attempt = attempt + 1, worker = 'host:' || $2 || ':x'
WHERE id = $1
"""
END = "UPDATE jobs SET state = 'completed', worker = NULL, finished_at = now() WHERE id = $1"


async def ended(stack: Stack, kind: str = "work", payload: dict[str, int] | None = None) -> UUID:
    """A job that was run and ended by whoever calls himself the first process."""
    [job_id] = await stack.add(kind, payload, ring=False)
    async with stack.pool.acquire() as connection:
        await connection.execute("SET chaos.process = '0'")
        await connection.execute(RUN, job_id, "111")
        await connection.execute(END, job_id)
        await connection.execute("RESET chaos.process")
    return job_id


async def test_what_is_right_is_left_in_peace(stack: Stack) -> None:
    await ended(stack)
    await checker.check_record(stack)
    await check_journal(stack.pool, [111])
    await checker.check_deliveries(stack)
    await checker.check_effects(stack, once=False)
    await checker.check_quiet_redis(stack, 0.0)


async def test_moves_by_the_wrong_process_are_found(stack: Stack) -> None:
    await ended(stack)
    with pytest.raises(AssertionError, match="started for another worker"):
        await check_journal(stack.pool, [222])
    await stack.pool.execute("DELETE FROM chaos_journal WHERE became = 'running'")
    with pytest.raises(AssertionError, match="a stale finish"):
        await check_journal(stack.pool, [222])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            "state = 'running', worker = 'host:111:x', attempt = attempt + 2",
            "an attempt that is not the next",
        ),
        ("state = 'completed', finished_at = now()", "an illegal move"),
    ],
)
async def test_moves_that_may_not_be_are_found(stack: Stack, change: str, fault: str) -> None:
    await stack.add("work", ring=False)
    await stack.pool.execute(f"UPDATE jobs SET {change}")
    with pytest.raises(AssertionError, match=fault):
        await check_journal(stack.pool, [111])


async def test_jobs_that_wait_for_ever_are_found(stack: Stack) -> None:
    await stack.add("work", ring=False)
    with pytest.raises(AssertionError, match="'state': 'queued'"):
        await checker.check_record(stack)


async def test_deliveries_without_their_jobs_are_found(stack: Stack) -> None:
    stack.acknowledged["lost"] = [str(uuid4())]
    with pytest.raises(AssertionError, match="acknowledged, and not so in the record"):
        await checker.check_deliveries(stack)
    await stack.pool.execute(
        "INSERT INTO webhook_events (delivery_id, event, body, headers, jobs) "
        "VALUES ('bare', 'push', '', '{}', $1)", [{"id": str(uuid4()), "queue": "work"}],
    )  # fmt: skip
    with pytest.raises(AssertionError, match="without exactly their jobs"):
        await checker.check_deliveries(stack)


async def test_effects_that_are_missing_or_repeated_are_found(stack: Stack) -> None:
    job_id = await ended(stack, "effects", {"steps": 1})
    with pytest.raises(AssertionError, match="completed without its effect"):
        await checker.check_effects(stack, once=False)
    await stack.pool.execute("INSERT INTO chaos_effects VALUES ($1, '1', 1)", job_id)
    stack.effects_file.write_text(f"{job_id} 1 1:written\n{job_id} 2 1:written\n")
    with pytest.raises(AssertionError):
        await checker.check_effects(stack, once=False)
    stack.effects_file.write_text(f"{job_id} 1 begun\n{job_id} 1 begun\n")
    with pytest.raises(AssertionError, match="one attempt ran twice"):
        await checker.check_effects(stack, once=False)


async def test_what_is_left_in_redis_is_found(stack: Stack) -> None:
    await stack.redis.set("arq:queue:work:wake", "1")
    await stack.redis.set("arq:queue:work:passes", "1", ex=60)
    await checker.check_quiet_redis(stack, 0.0)
    await stack.redis.zadd("arq:queue:work", {"id": 1})
    with pytest.raises(AssertionError, match="left in Redis"):
        await checker.check_quiet_redis(stack, 0.0)


async def test_defects_in_logs_and_growth_are_found(stack: Stack) -> None:
    process = await speaking(stack, '{"event": "odd", "level": "error"}')
    with pytest.raises(AssertionError, match="odd"):
        checker.check_log(process, ())
    checker.check_log(process, {"odd"})
    with pytest.raises(AssertionError, match="Traceback"):
        checker.check_log(await speaking(stack, "Traceback (most recent call last)"), ())
    line = f'{{"event": "job.completed", "level": "info", "job_id": "{uuid4()}"}}'
    both = [await speaking(stack, line), await speaking(stack, line)]
    with pytest.raises(AssertionError, match="ended twice"):
        checker.check_ends_logged_once(both)
    process.warm, process.last = Usage(10**8, 50), Usage(2 * 10**8, 50)
    with pytest.raises(AssertionError, match="grew by"):
        checker.check_usage(process)
    process.last = Usage(10**8, 100)
    with pytest.raises(AssertionError, match="more open files"):
        checker.check_usage(process)


async def speaking(stack: Stack, text: str) -> Process:
    """A process that wrote this and ended."""
    process = stack.spawn("python", "-c", f"print({text!r})")
    assert await process.ended() == 0
    return process
