"""The composition root: settings → pools → engine, under the stock arq command line."""

import asyncio
import gc
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

import structlog
import uvloop
from aiohttp import web
from arq import cron
from arq.connections import ArqRedis
from pydantic import SecretStr

from worker.database.pool import Pool
from worker.engine.engine import Engine
from worker.health import Health, add_health_routes, serve
from worker.heartbeat import heartbeat
from worker.jobs.conservation import Conservation
from worker.jobs.model import StartedJob
from worker.jobs.progress import Progress
from worker.jobs.queues import Queue
from worker.jobs.registry import Registry
from worker.jobs.timetable import BuiltIn
from worker.preflight import checked, open_pool
from worker.redis_pool import SupervisorRedis, connect_redis
from worker.settings import Settings
from worker.tracing import open_tracing

log = structlog.get_logger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Opened(Protocol):
    """What handlers need, opened once a process."""

    def context(self, job: StartedJob, progress: Progress) -> Any:
        """The second argument of a handler."""

    async def close(self) -> None:
        """End what was opened."""


OpenResources = Callable[[Settings, Pool, ArqRedis], Opened]


@dataclass
class Running:
    """What `start` opened and `stop` closes."""

    engine: Engine
    health: Health
    closing: AsyncExitStack


def worker_settings(
    registry: Registry,
    queues: Mapping[str, Queue],
    resources: OpenResources,
    built_in: Sequence[BuiltIn] = (),
) -> type:
    """The class that `arq worker.WorkerSettings` reads.

    A program with handlers of its own runs them through the real engine by exposing another one.
    Ends the process with code 2 and a line for each problem when it cannot start.
    """
    settings, served = checked(queues)
    ctx: dict[Any, Any] = {"settings": settings}

    async def on_startup(ctx: dict[Any, Any]) -> None:
        ctx["running"] = await start(settings, served, registry, resources, built_in)
        _stop_surely(asyncio.current_task())

    async def on_shutdown(ctx: dict[Any, Any]) -> None:
        if "running" in ctx:
            await stop(ctx["running"], settings.shutdown_timeout_ms / 1000)

    # uvloop's policy is the one way to choose the loop that the stock command line leaves open.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    return type(
        "WorkerSettings",
        (),
        {
            "functions": [],
            "cron_jobs": [cron(heartbeat, name="heartbeat", second={0, 30})],
            "queue_name": f"arq:queue:supervisor:{uuid4().hex}",
            "redis_pool": SupervisorRedis(
                settings.redis_url.get_secret_value(), {"heartbeat": heartbeat}, ctx
            ),
            "on_startup": on_startup,
            "on_shutdown": on_shutdown,
            "keep_result": 0,
            "ctx": ctx,
        },
    )


async def start(
    settings: Settings,
    queues: Mapping[str, Queue],
    registry: Registry,
    resources: OpenResources,
    built_in: Sequence[BuiltIn] = (),
) -> Running:
    """Open the pools, start the engine and the health server."""
    closing = AsyncExitStack()
    pool = await open_pool(settings)
    closing.push_async_callback(pool.close)
    redis = connect_redis(settings.redis_url.get_secret_value())
    closing.push_async_callback(redis.aclose)
    opened = resources(settings, pool, redis)
    closing.push_async_callback(opened.close)
    tracing = open_tracing(_text(settings.otel_exporter_otlp_endpoint), "switchyard-worker")
    closing.push_async_callback(tracing.close)
    engine = Engine(
        pool=pool, redis=redis, queues=queues, registry=registry, make_context=opened.context,
        built_in=built_in, alert_url=_text(settings.sla_alert_url),
        conservation=Conservation(pool, redis, queues), tracing=tracing,
    )  # fmt: skip
    health = Health(_checks(pool, redis, engine))
    app = web.Application()
    add_health_routes(app, health)
    runner = await serve(app, settings.host, settings.health_check_port)
    closing.push_async_callback(runner.cleanup)
    await engine.start()
    # What lives as long as the process need not be looked at again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    return Running(engine, health, closing)


async def stop(running: Running, seconds: float) -> None:
    """Drain the engine for up to `seconds`, then close everything."""
    running.health.draining = True
    await running.engine.stop(seconds)
    await running.closing.aclose()


def _checks(pool: Pool, redis: ArqRedis, engine: Engine) -> dict[str, Any]:
    async def postgres() -> str | None:
        await pool.fetchval("SELECT 1")
        return None

    async def redis_answers() -> str | None:
        await redis.ping()
        return None

    async def loops() -> str | None:
        dead = engine.dead_loops()
        return f"stopped: {', '.join(dead)}" if dead else None

    return {"postgres": postgres, "redis": redis_answers, "loops": loops}


def _text(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _stop_surely(main: "asyncio.Task[Any] | None") -> None:
    """On SIGTERM or SIGINT cancel arq's main loop until it has ended.

    arq cancels it once, and Python 3.11 can lose a cancellation inside `wait_for`.
    """
    loop = asyncio.get_running_loop()

    def cancel() -> None:
        if main is not None and not main.done():
            main.cancel()
            loop.call_later(0.2, cancel)

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, cancel)
