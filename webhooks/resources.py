"""What the web service opens once, and every request handler uses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from arq.connections import ArqRedis

from webhooks.bodies import Bodies
from webhooks.github.intake import Intake
from webhooks.key_use import KeyUse
from webhooks.ringer import Ringer
from webhooks.superseder import Superseder
from worker.cipher import ENDPOINTS, Cipher
from worker.database.migrations import check_schema
from worker.database.pool import Pool, connect_pool
from worker.health import Health
from worker.jobs.cancelling import Cancelling
from worker.jobs.deliveries import Deliveries
from worker.jobs.events import Publisher
from worker.jobs.planning import Planner
from worker.jobs.projects import Projects
from worker.jobs.queues import Queue, configured
from worker.jobs.ring import Bell
from worker.jobs.steering import Steering
from worker.jobs.superseding import Superseding
from worker.rates import Rates
from worker.redis_pool import connect_redis
from worker.settings import Settings
from worker.tenants.api_keys import KeyRing
from worker.tracing import Tracing, open_tracing


@dataclass(frozen=True)
class Resources:
    """The open pools and what works on them."""

    settings: Settings
    queues: Mapping[str, Queue]
    pool: Pool
    redis: ArqRedis
    health: Health
    bodies: Bodies
    ringer: Ringer
    projects: Projects
    steering: Steering
    planner: Planner
    cipher: Cipher
    keys: KeyRing
    key_use: KeyUse
    rates: Rates
    intake: Intake
    tracing: Tracing
    streams: asyncio.Semaphore


MAX_STREAMS = 100
RESOURCES = web.AppKey("resources", Resources)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Resources]:
    """Open the pools; at the end, let what is on its way arrive, and close them.

    Redis may be away: it is only needed for ringing, for live events and to keep rates. Raises
    ConfigurationError for an old schema, RecordUnavailable when Postgres cannot be reached.
    """
    async with AsyncExitStack() as stack:
        pool = await connect_pool(
            settings.database_url.get_secret_value(),
            size=settings.database_pool_size,
            behind_pooler=settings.behind_pooler,
        )
        stack.push_async_callback(pool.close)
        await check_schema(pool)
        redis = connect_redis(settings.redis_url.get_secret_value())
        stack.push_async_callback(redis.aclose)
        resources = _resources(settings, pool, redis)
        stack.push_async_callback(resources.tracing.close)
        stack.push_async_callback(resources.ringer.drain)
        stack.push_async_callback(resources.key_use.drain)
        stack.push_async_callback(resources.intake.drain)
        yield resources


def _resources(settings: Settings, pool: Pool, redis: ArqRedis) -> Resources:
    queues, ringer, projects = (
        configured(settings.queue_overrides),
        Ringer(Bell(redis)),
        Projects(pool),
    )
    collector = settings.otel_exporter_otlp_endpoint
    tracing = open_tracing(collector.get_secret_value() if collector else None, "switchyard-web")
    return Resources(
        settings=settings,
        queues=queues,
        pool=pool,
        redis=redis,
        health=Health({"postgres": _postgres(pool)}, advisory={"redis": _redis(redis)}),
        bodies=Bodies(),
        ringer=ringer,
        projects=projects,
        steering=Steering.over(pool, redis, ringer, queues, by_hand=not settings.is_production),
        planner=Planner(queues),
        cipher=_cipher(settings),
        keys=KeyRing(pool),
        key_use=KeyUse(KeyRing(pool)),
        rates=Rates(redis),
        tracing=tracing,
        streams=asyncio.Semaphore(MAX_STREAMS),
        intake=Intake(
            secrets=[s.get_secret_value() for s in settings.github_webhook_secret],
            projects=projects,
            deliveries=Deliveries(pool),
            ringer=ringer,
            superseder=Superseder(
                Superseding(pool, queues, Cancelling(pool, redis)),
                Bell(redis),
                Publisher(pool, redis),
            ),
            queues=queues,
            tracing=tracing,
        ),
    )


def _cipher(settings: Settings) -> Cipher:
    keys = settings.endpoint_encryption_key
    return Cipher([key.get_secret_value() for key in keys], ENDPOINTS)


def _postgres(pool: Pool) -> Callable[[], Awaitable[str | None]]:
    async def answers() -> str | None:
        await pool.fetchval("SELECT 1")
        return None

    return answers


def _redis(redis: ArqRedis) -> Callable[[], Awaitable[str | None]]:
    async def answers() -> str | None:
        await redis.ping()
        return None

    return answers
