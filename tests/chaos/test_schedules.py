"""Three schedulers, of which the one that fires is killed at the tick."""

import signal
from contextlib import AsyncExitStack
from itertools import pairwise

import pytest

from tests.chaos.harness import Stack
from tests.chaos.ordeal import note
from tests.chaos.processes import Process, until
from tests.chaos.proxy import Moment, Proxy

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

TICKS = 10
COMMIT = "COMMIT;"
PLACES = [
    ("lock_due", Moment.AFTER_REPLY), ("advance", Moment.BEFORE_REPLY),
    (COMMIT, Moment.BEFORE_REQUEST), (COMMIT, Moment.BEFORE_REPLY), (COMMIT, Moment.AFTER_REPLY),
]  # fmt: skip
ADD = """
INSERT INTO schedules (name, queue, kind, cron, missed, next_tick)
VALUES ($1, 'noop', 'noop', '* * * * *', 'catch_up',
        date_trunc('minute', now()) - make_interval(mins => $2 - 1))
"""


@pytest.mark.parametrize(("statement", "moment"), PLACES, ids=lambda p: str(getattr(p, "name", p)))
async def test_the_one_that_fires_is_killed(
    stack: Stack, database_url: str, statement: str, moment: Moment
) -> None:
    async with AsyncExitStack() as proxies:
        workers: list[Process] = []
        struck: list[Process] = []
        for _ in range(3):
            proxy = await proxies.enter_async_context(Proxy.opened(database_url))
            workers.append(worker := await stack.worker(DATABASE_URL=proxy.url))

            def kill(victim: Process = worker) -> None:
                if not struck:
                    struck.append(victim)
                    victim.signal(signal.SIGKILL)

            proxy.cut(statement, moment, then=kill)
        await stack.pool.execute(ADD, "every-minute", TICKS)
        await until(lambda: bool(struck), 10.0)
        assert await struck[0].ended() == -signal.SIGKILL
        await until(lambda: fired(stack), 20.0)
        await stack.settled()
        await stack.check_quiet()
        await stack.stop()
    ticks = await stack.pool.fetch(
        "SELECT t.tick, j.state FROM schedule_ticks t LEFT JOIN jobs j ON j.id = t.job_id"
        " WHERE t.schedule = 'every-minute' ORDER BY 1"
    )
    assert len(ticks) in (TICKS, TICKS + 1)
    assert {row["state"] for row in ticks} == {"completed"}
    assert await stack.count("kind = 'noop'") == len(ticks)
    minutes = [(b["tick"] - a["tick"]).total_seconds() for a, b in pairwise(ticks)]
    assert {*minutes} == {60.0}
    await stack.check()
    note(f"scheduler killed {moment.value} of {statement}", "each tick once, none missed",
         f"{len(ticks)} ticks, {len(ticks)} jobs")  # fmt: skip


async def fired(stack: Stack) -> bool:
    """Whether every tick that is past has been fired."""
    return bool(
        await stack.pool.fetchval(
            "SELECT next_tick > now() FROM schedules WHERE name = 'every-minute'"
        )
    )
