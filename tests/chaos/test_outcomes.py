"""Every way in which an attempt can end, and the delays between attempts."""

import asyncio
import os
from typing import Any
from uuid import UUID, uuid4

from tests.chaos.harness import Stack
from tests.chaos.processes import until

RETRIED = {
    "failed": ("Failed", "returned"),
    "exception": ("ValueError", "raised"),
    "system exit": ("SystemExit", "3"),
    "keyboard interrupt": ("KeyboardInterrupt", "KeyboardInterrupt"),
    "cancelled error": ("CancelledError", "CancelledError"),
    "timeout": ("TimeoutError", "ran longer than its queue's limit of 0.5 s"),
    "own timeout": ("TimeoutError", "of the handler's own"),
    "nul": ("Failed", "a?b"),
    "wrong message": ("Failed", "17"),
}
BURIED = {
    "permanent": ("PermanentError", "for good"),
    "no decision": ("PermanentError", "the handler answered str, which is not a decision"),
    "permanent nul": ("PermanentError", "a?b?"),
}
UNSTORABLE = ("endless snooze", "endless failure", "wild snooze", "bottomless data")
STORABLE = ("odd keys", "huge number")


async def test_every_way_to_end_an_attempt(stack: Stack) -> None:
    worker = await stack.worker()
    ways = (*RETRIED, *BURIED, *UNSTORABLE, *STORABLE, "cancel")
    jobs = {how: (await stack.add("end", {"how": how}, queue="ends"))[0] for how in ways}
    neighbours = await stack.add("work", count=20)
    await stack.settled()

    for how, (name, message) in RETRIED.items():
        outcome = "timeout" if how == "timeout" else "failed"
        assert await told(stack, jobs[how]) == [(outcome, name, message)] * 3, how
        assert (await stack.job(jobs[how]))["failures"] == 3
    for how, (name, message) in BURIED.items():
        [(outcome, error_type, text)] = await told(stack, jobs[how])
        assert (outcome, error_type) == ("failed", name), how
        assert text.startswith(message)
    for how in UNSTORABLE:
        job = await stack.job(jobs[how])
        assert (job["state"], job["attempt"], job["crashes"]) == ("dead", 1, 0), how
        assert job["error"].startswith("the outcome cannot be recorded: ")
    for how in STORABLE:
        job = await stack.job(jobs[how])
        assert (job["state"], job["attempt"]) == ("completed", 1), how
    assert (await stack.job(jobs["cancel"]))["state"] == "cancelled"
    assert {(await stack.job(job_id))["state"] for job_id in neighbours} == {"completed"}
    await worker.stop()
    await stack.check()


async def test_payloads_and_projects_that_cannot_be_run(stack: Stack) -> None:
    worker = await stack.worker()
    [invalid] = await stack.add("work", {"seconds": "soon", "more": 1})
    missing = str(uuid4())
    [stranger] = await stack.add("enrolled", {"projectId": missing}, queue="ends")
    await stack.settled()
    [(_, name, message)] = await told(stack, invalid)
    assert name == "InvalidInput"
    assert "seconds: " in message
    assert "more: " in message
    assert await told(stack, stranger) == [
        ("failed", "PermanentError", f"project {missing} is not enrolled")
    ]
    await worker.stop()
    await stack.check()


async def test_retries_come_as_promised(stack: Stack) -> None:
    """A slow scenario by nature; the strangers share its time."""
    worker = await stack.worker(CHAOS_HEARTBEAT="yes")
    [promised] = await stack.add("fail", queue="promised")
    [unknown] = await stack.add("mystery")
    garbage = [b"", b"not an id", b"\xff\xfe\x00", str(uuid4()).upper().encode(), os.urandom(64)]
    strangers = [str(uuid4()).encode() for _ in range(20)]
    await stack.redis.zadd("arq:queue:work", dict.fromkeys([*garbage, *strangers], 1.0))
    [behind] = await stack.add("work")
    ended = asyncio.create_task(_ended(stack, promised))
    await _gone(stack, [*garbage, *strangers])
    assert len(worker.lines("claim.quarantined")) == len(garbage)
    await ended

    first, second, third = await stack.history(promised)
    assert 2.0 <= (second["started_at"] - first["finished_at"]).total_seconds() <= 2.5
    assert 4.0 <= (third["started_at"] - second["finished_at"]).total_seconds() <= 4.5
    assert [row["outcome"] for row in (first, second, third)] == ["failed"] * 3
    assert all("RuntimeError: as ordered" in row["traceback"] for row in (first, second, third))
    job = await stack.job(promised)
    assert (job["state"], job["failures"], job["error"]) == ("dead", 3, "as ordered")

    waiting = await stack.job(unknown)
    assert (waiting["state"], waiting["attempt"], waiting["crashes"]) == ("queued", 0, 0)
    assert (await stack.job(behind))["state"] == "completed"
    await stack.pool.execute(
        "UPDATE jobs SET state = 'cancelled', finished_at = now() WHERE id = $1", unknown
    )
    await until(lambda: worker.lines("worker.heartbeat")[-1]["failed"] == 1)
    heartbeat = worker.lines("worker.heartbeat")[-1]
    assert set(heartbeat) >= {"worker", "queues", "running", "completed", "failed", "lag"}
    assert (heartbeat["completed"], heartbeat["failed"]) == (1, 1)
    assert "work" in heartbeat["queues"]
    assert await stack.pool.fetchval("SELECT last_heartbeat > now() - interval '5 s' FROM workers")
    assert await stack.bell.forget("work", [unknown]) == 1
    await worker.stop()
    await stack.check(errors={"claim.quarantined"})


async def told(stack: Stack, job_id: UUID) -> list[tuple[Any, ...]]:
    """Outcome, error type and message of each attempt."""
    rows = await stack.history(job_id)
    return [(row["outcome"], row["error_type"], row["message"]) for row in rows]


async def _ended(stack: Stack, job_id: UUID) -> None:
    async def dead() -> bool:
        return bool((await stack.job(job_id))["state"] == "dead")

    await until(dead, 10.0)


async def _gone(stack: Stack, ids: list[bytes]) -> None:
    async def none_left() -> bool:
        return not {i for i in ids if await stack.redis.zscore("arq:queue:work", i) is not None}

    await until(none_left)
