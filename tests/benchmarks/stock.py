"""The stock arq worker that the benchmarks compare with, tuned by the environment."""

import asyncio
import os
import time
from itertools import count
from typing import Any

import uvloop
from arq.connections import RedisSettings

asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

_NUMBERS = count(1)


async def noop(ctx: dict[str, Any]) -> None:
    """Do nothing, and now and then tell the time."""
    number = next(_NUMBERS)
    if number == 1:
        await ctx["redis"].set("first", time.time())
    elif number % 100 == 0:
        await ctx["redis"].set("last", time.time())


class WorkerSettings:
    """Read by the `arq` command."""

    functions = (noop,)
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])
    max_jobs = int(os.environ["ARQ_MAX_JOBS"])
    poll_delay = float(os.environ["ARQ_POLL_DELAY"])
    keep_result = 0
