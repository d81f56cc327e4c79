"""Random mishaps for the soak: each happens, lasts a while, and is over."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import asyncpg

from tests.chaos.faults import ensure_running, frozen
from tests.chaos.harness import Stack
from tests.chaos.processes import Process, until
from tests.chaos.proxy import Moment, Proxy
from tests.chaos.web import Site
from tests.chaos.wire import script_names
from worker.embedded import EmbeddedPostgres, EmbeddedRedis
from worker.jobs.ring import queue_keys

LONGEST = 8.0
START_SECONDS = 30.0
STATEMENTS = ("start", "take_over", "finish", "accept", "beat", "pick_unrung", "mark_published")
TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'switchyard' AND pid <> pg_backend_pid() AND random() < 0.5
"""
Mishap = Callable[[], Awaitable[object]]


class Mishaps:
    """What can happen to this stack, chosen and timed by `chance`."""

    def __init__(
        self, chance: random.Random, stack: Stack, servers: tuple[EmbeddedRedis, EmbeddedPostgres],
        ways: tuple[Proxy, Proxy], site: Site, clock: Path,
    ) -> None:  # fmt: skip
        self._chance = chance
        self._stack = stack
        self._redis, self._postgres = servers
        self._to_redis, self._to_postgres = ways
        self._site = site
        self._clock = clock
        self.workers: list[Process] = []
        self.happened: list[str] = []

    async def one(self) -> None:
        """Let one of them happen, from its beginning to its end."""
        mishap = self._chance.choice(self._all())
        self.happened.append(mishap.__name__.strip("_"))
        await mishap()

    async def replace(self, victim: Process, number: signal.Signals) -> None:
        """End a worker, and start another one a little later."""
        self.workers.remove(victim)
        victim.signal(number)
        await victim.ended(30.0)
        await self._lasting()
        await self.start_worker()

    async def start_worker(self) -> None:
        """Start a worker; one that cannot start because a server is away is started again."""
        variables = {"CHAOS_CLOCK": str(self._clock)} if self._chance.random() < 0.3 else {}

        async def started() -> bool:
            with suppress(RuntimeError):
                self.workers.append(await self._stack.worker(**variables))
                return True
            return False

        await until(started, START_SECONDS, 0.5)

    def _all(self) -> list[Mishap]:
        return [
            self._kill_worker, self._end_worker, self._stop_worker, self._kill_service,
            self._kill_redis, self._flush_redis, self._freeze_redis, self._fill_redis,
            self._demote_redis, self._kill_postgres, self._freeze_postgres, self._end_backends,
            self._reset, self._swallow, self._refuse, self._slow_down, self._cut, self._cut,
            self._change_the_clock, self._put_garbage, self._reset_again_and_again,
        ]  # fmt: skip

    async def _lasting(self) -> None:
        # Short ones more often than long ones.
        await asyncio.sleep(LONGEST * self._chance.random() ** 2)

    async def _kill_worker(self) -> None:
        await self.replace(self._chance.choice(self.workers), signal.SIGKILL)

    async def _end_worker(self) -> None:
        await self.replace(self._chance.choice(self.workers), signal.SIGTERM)

    async def _stop_worker(self) -> None:
        victim = self._chance.choice(self.workers)
        victim.signal(signal.SIGSTOP)
        await self._lasting()
        victim.signal(signal.SIGCONT)

    async def _kill_service(self) -> None:
        await self._site.process.kill()

        async def started() -> bool:
            with suppress(RuntimeError):
                await self._site.start()
                return True
            return False

        await until(started, START_SECONDS, 0.5)

    async def _kill_redis(self) -> None:
        self._redis.kill()
        await self._lasting()
        self._redis.start()

    async def _flush_redis(self) -> None:
        await self._stack.redis.flushall()

    async def _freeze_redis(self) -> None:
        with frozen(self._redis):
            await self._lasting()

    async def _fill_redis(self) -> None:
        await self._stack.redis.config_set("maxmemory", "1")
        try:
            await self._lasting()
        finally:
            await self._stack.redis.config_set("maxmemory", "0")

    async def _demote_redis(self) -> None:
        await self._stack.redis.replicaof("127.0.0.1", "1")
        try:
            await self._lasting()
        finally:
            await self._stack.redis.replicaof("NO", "ONE")

    async def _kill_postgres(self) -> None:
        await asyncio.to_thread(self._postgres.kill)
        await self._lasting()
        await ensure_running(self._postgres)

    async def _freeze_postgres(self) -> None:
        with frozen(self._postgres):
            await self._lasting()

    async def _end_backends(self) -> None:
        connection = await asyncpg.connect(self._postgres.url)
        await connection.execute(TERMINATE)
        await connection.close()

    async def _reset(self) -> None:
        await self._way().reset()

    async def _reset_again_and_again(self) -> None:
        await self._way().reset_every(0.2, LONGEST * self._chance.random())

    async def _swallow(self) -> None:
        way = self._way()
        way.swallow()
        await self._healing(way)

    async def _refuse(self) -> None:
        way = self._way()
        await way.refuse()
        await self._healing(way)

    async def _slow_down(self) -> None:
        way = self._way()
        way.delay = self._chance.uniform(0.01, 0.5)
        await self._healing(way)

    async def _healing(self, way: Proxy) -> None:
        try:
            await self._lasting()
        finally:
            way.heal()

    async def _cut(self) -> None:
        moment, nth = self._chance.choice([*Moment]), self._chance.randint(1, 5)
        if self._chance.random() < 0.5:
            names = sorted({*script_names().values()})
            self._to_redis.cut(self._chance.choice(names), moment, nth)
        else:
            self._to_postgres.cut(self._chance.choice(STATEMENTS), moment, nth)

    async def _change_the_clock(self) -> None:
        self._clock.write_text(str(self._chance.choice([-3600, 0, 3600])))

    async def _put_garbage(self) -> None:
        garbage = [os.urandom(9).hex().encode(), str(uuid4()).encode()]
        await self._stack.redis.zadd(queue_keys("work").times, dict.fromkeys(garbage, 1.0))

    def _way(self) -> Proxy:
        return self._chance.choice([self._to_redis, self._to_postgres])
