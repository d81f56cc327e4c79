"""The composition root: settings → pools → engine, under the stock arq command line."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

import structlog
import uvloop
from aiohttp import web
from arq import cron
from arq.connections import ArqRedis

from worker.artifacts.store import ArtifactStore
from worker.database.migrations import check_schema
from worker.database.pool import Pool, connect_pool
from worker.engine.engine import Engine
from worker.errors import ConfigurationError, RecordUnavailable
from worker.git import Mirrors
from worker.handlers import REGISTRY
from worker.handlers.context import Credentials, Resources
from worker.health import Health, add_health_routes, serve
from worker.heartbeat import heartbeat
from worker.jobs.model import StartedJob
from worker.jobs.queues import QUEUES, Queue, chosen, configured
from worker.jobs.registry import Registry
from worker.logs import configure_logs
from worker.redis_pool import SupervisorRedis, check_redis, connect_redis
from worker.settings import Settings, load_settings

log = structlog.get_logger(__name__)

CONFIGURATION_EXIT = 2
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Opened(Protocol):
    """What handlers need, opened once a process."""

    def context(self, job: StartedJob) -> Any:
        """The second argument of a handler."""

    async def close(self) -> None:
        """End what was opened."""


OpenResources = Callable[[Settings, Pool], Opened]


@dataclass
class Running:
    """What `start` opened and `stop` closes."""

    engine: Engine
    health: Health
    closing: AsyncExitStack


def worker_settings(
    registry: Registry = REGISTRY,
    queues: Mapping[str, Queue] = QUEUES,
    resources: OpenResources | None = None,
) -> type:
    """The class that `arq worker.WorkerSettings` reads.

    A program with handlers of its own runs them through the real engine by exposing another one.
    Ends the process with code 2 and a line for each problem when it cannot start.
    """
    settings, served = _checked(queues)
    ctx: dict[Any, Any] = {"settings": settings}

    async def on_startup(ctx: dict[Any, Any]) -> None:
        ctx["running"] = await start(settings, served, registry, resources or open_resources)
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


def open_resources(settings: Settings, pool: Pool) -> Resources:
    """What the product's own handlers need."""
    token = settings.github_token
    return Resources(
        mirrors=Mirrors(settings.git_cache_dir, protocols=settings.git_protocols),
        artifacts=ArtifactStore(pool),
        credentials=Credentials(token.get_secret_value() if token else None),
    )


async def start(
    settings: Settings,
    queues: Mapping[str, Queue],
    registry: Registry,
    resources: OpenResources,
) -> Running:
    """Open the pools, start the engine and the health server."""
    closing = AsyncExitStack()
    pool = await _open_pool(settings)
    closing.push_async_callback(pool.close)
    redis = connect_redis(settings.redis_url.get_secret_value())
    closing.push_async_callback(redis.aclose)
    opened = resources(settings, pool)
    closing.push_async_callback(opened.close)
    engine = Engine(
        pool=pool, redis=redis, queues=queues, registry=registry, make_context=opened.context
    )
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


def _checked(queues: Mapping[str, Queue]) -> tuple[Settings, dict[str, Queue]]:
    try:
        settings = load_settings()
        served = _served(settings, queues)
        configure_logs(
            level=settings.log_level, as_json=settings.logs_as_json, secrets=settings.secrets()
        )
        asyncio.run(_check_surroundings(settings))
    except ConfigurationError as error:
        for problem in error.problems:
            print(f"switchyard: {problem}", file=sys.stderr)  # noqa: T201
        raise SystemExit(CONFIGURATION_EXIT) from None
    return settings, served


def _served(settings: Settings, queues: Mapping[str, Queue]) -> dict[str, Queue]:
    """The queues to work on, as configured. Raises ConfigurationError with every problem."""
    problems: list[str] = []
    table, served = dict(queues), {}
    try:
        table = configured(settings.queue_overrides, queues)
    except ConfigurationError as error:
        problems += error.problems
    try:
        served = chosen(settings.worker_queues, table)
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    return served


async def _check_surroundings(settings: Settings) -> None:
    """Raise ConfigurationError unless Postgres, its schema and Redis can be used."""
    problems: list[str] = []
    for check in (_check_postgres, _check_redis, _check_port):
        try:
            await check(settings)
        except ConfigurationError as error:
            problems += error.problems
        except RecordUnavailable as error:
            problems.append(f"DATABASE_URL: {error}")
    if problems:
        raise ConfigurationError(problems)


async def _check_postgres(settings: Settings) -> None:
    pool = await _open_pool(settings)
    try:
        await check_schema(pool)
    finally:
        await pool.close()


async def _check_redis(settings: Settings) -> None:
    redis = connect_redis(settings.redis_url.get_secret_value())
    try:
        await check_redis(redis)
    finally:
        await redis.aclose()


async def _check_port(settings: Settings) -> None:
    address = settings.host, settings.health_check_port
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server(address, family=family).close()
    except OSError as error:
        raise ConfigurationError(
            [f"HEALTH_CHECK_PORT: cannot listen on {address[0]}:{address[1]}: {error.strerror}"]
        ) from error


async def _open_pool(settings: Settings) -> Pool:
    return await connect_pool(
        settings.database_url.get_secret_value(),
        size=settings.database_pool_size,
        behind_pooler=settings.behind_pooler,
    )


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
