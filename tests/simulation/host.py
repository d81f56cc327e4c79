"""A simulated process with an engine in it, which can be paused, cut off, stopped and killed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from arq.connections import ArqRedis

from tests.simulation.fake_postgres.pool import SimulatedPool
from tests.simulation.fake_postgres.server import PostgresServer
from tests.simulation.fake_redis.client import simulated_redis
from tests.simulation.fake_redis.server import RedisServer
from tests.simulation.handlers import Context, Run, registry
from tests.simulation.loop import Process, SimulatedLoop
from tests.simulation.network import Link, Weather
from tests.simulation.plan import QUEUES
from worker.engine.engine import Engine
from worker.jobs.model import StartedJob

WATCHDOG_SECONDS = 13.0


@dataclass
class Calm:
    """Since when nothing bad has been going on; infinite while something may at any moment."""

    since: float
    now: Callable[[], float]

    def lasts(self, seconds: float) -> bool:
        """Whether nothing bad has been going on for so long."""
        return self.now() - self.since > seconds

    def disturb(self, until: float) -> None:
        """Something bad goes on until then."""
        self.since = max(self.since, until)


@dataclass
class Surroundings:
    """What all processes of a world share."""

    loop: SimulatedLoop
    redis: RedisServer
    postgres: PostgresServer
    weather: Weather
    random: Random
    calm: Calm
    # The processes by their engines' ids.
    engines: dict[str, "Worker"] = field(default_factory=dict)


class Machine:
    """A process and its ways to both servers."""

    def __init__(self, name: str, around: Surroundings) -> None:
        self.around = around
        now = around.loop.time
        # Whether it could tell the record that it lives.
        self.well = Calm(max(now(), around.calm.since), now)
        self.process = around.loop.new_process(name)
        self.to_redis = Link(name, around.loop, around.redis, around.weather, around.random)
        self.to_postgres = Link(name, around.loop, around.postgres, around.weather, around.random)
        self.process.on_death += [self.to_redis.abandon, self.to_postgres.abandon]
        self.redis: ArqRedis = simulated_redis(self.to_redis, around.redis)
        self.pool: Any = SimulatedPool(self.to_postgres, around.postgres)

    def pause(self, seconds: float) -> None:
        """No turn for so long, as if it were stopped by a signal."""
        self.process.paused = True
        self.well.disturb(self.around.loop.time() + seconds)
        self.around.calm.disturb(self.around.loop.time() + seconds)
        self.around.loop.outside(seconds, self.resume)

    def resume(self) -> None:
        """Go on."""
        self.process.paused = False


class Worker(Machine):
    """A process that runs the engine."""

    def __init__(
        self,
        name: str,
        around: Surroundings,
        watch: Callable[[StartedJob, Process], Run],
        *,
        knows_novel: bool,
    ) -> None:
        super().__init__(name, around)
        self.asked_to_stop: float | None = None
        self._watch = watch
        self._knows_novel = knows_novel
        self.engine: Engine
        self.started = self.process.begin(self._start())

    async def _start(self) -> None:
        self.engine = Engine(
            pool=self.pool,
            redis=self.redis,
            queues=QUEUES,
            registry=registry(self._watch, knows_novel=self._knows_novel),
            make_context=lambda job, progress: Context(job, progress, self),
        )
        self.around.engines[self.engine.id] = self
        await self.engine.start()

    def block(self, seconds: float) -> None:
        """Stick in one callback: no turn for so long, unless the watchdog ends the process."""
        self.pause(min(seconds, WATCHDOG_SECONDS + 1.0))
        self.around.loop.outside(WATCHDOG_SECONDS, self._bite)

    def _bite(self) -> None:
        if self.process.paused:
            self.process.kill()

    def stop(self, seconds: float) -> None:
        """Ask it to end in good order, as SIGTERM does."""
        if self.asked_to_stop is None:
            self.asked_to_stop = self.around.loop.time()
            self.stopped = self.process.begin(self._stop(seconds))

    async def _stop(self, seconds: float) -> None:
        await asyncio.wait([self.started])
        await self.engine.stop(seconds)
        await self.redis.aclose()
        self.process.kill()


class SimulatedWatchdog:
    """In place of the thread that ends a stuck process; what it does, Worker.block does."""

    def __init__(self, limit_seconds: float) -> None:
        self.lag = 0.0
        self._stopped = asyncio.Event()

    def start(self) -> "asyncio.Task[None]":
        """Begin."""
        return asyncio.get_running_loop().create_task(self._wait())

    def stop(self) -> None:
        """End."""
        self._stopped.set()

    async def _wait(self) -> None:
        await self._stopped.wait()
