"""What must be right before a worker starts: settings, Postgres, its schema, Redis, the port."""

import asyncio
import socket
import sys
from collections.abc import Mapping

from worker.database.migrations import check_schema
from worker.database.pool import Pool, connect_pool
from worker.errors import ConfigurationError, RecordUnavailable
from worker.jobs.queues import Queue, chosen, configured
from worker.logs import configure_logs
from worker.redis_pool import check_redis, connect_redis
from worker.settings import Settings, load_settings

CONFIGURATION_EXIT = 2


def checked(queues: Mapping[str, Queue]) -> tuple[Settings, dict[str, Queue]]:
    """The settings, and the queues to work on. Ends the process with code 2 if it cannot start."""
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
    pool = await open_pool(settings)
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


async def open_pool(settings: Settings) -> Pool:
    """The pool that the settings ask for. Raises RecordUnavailable."""
    return await connect_pool(
        settings.database_url.get_secret_value(),
        size=settings.database_pool_size,
        behind_pooler=settings.behind_pooler,
    )
