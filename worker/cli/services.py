"""What commands work with: the services of the HTTP API, over connections of their own."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr
from redis.exceptions import RedisError

from worker.cipher import ENDPOINTS, Cipher
from worker.credentials import CredentialStore
from worker.credentials.vault import Vault
from worker.database.migrations import check_schema
from worker.database.pool import connect_pool
from worker.jobs.queues import configured
from worker.jobs.ring import Bell, Ring
from worker.jobs.steering import Steering
from worker.outgoing.resealing import Resealing
from worker.redis_pool import connect_redis
from worker.settings import load_settings
from worker.tenants.audit.steering import Auditing

RING_SECONDS = 30.0
MAX_RINGS = 1000


@dataclass(frozen=True, slots=True)
class Services:
    """Open for one command."""

    steering: Steering
    vault: Vault
    auditing: Auditing
    resealing: Resealing


class LateRinger:
    """Rings when a command has done its work."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._rings: list[Ring] = []

    def ring(self, rings: Sequence[Ring]) -> None:
        """Remember them."""
        self._rings += rings

    async def run(self) -> None:
        """Ring them all; where Redis is away, tell that it will be done later."""
        try:
            async with asyncio.timeout(RING_SECONDS):
                for start in range(0, len(self._rings), MAX_RINGS):
                    await self._bell.ring(self._rings[start : start + MAX_RINGS])
        except (RedisError, OSError) as error:
            text = f"Redis is away ({error}); workers find the jobs when it is back"
            print(f"switchyard: {text}", file=sys.stderr)


@asynccontextmanager
async def opened() -> AsyncIterator[Services]:
    """Connect as the environment says; at the end ring what was recorded.

    Raises ConfigurationError for a wrong environment or schema, RecordUnavailable.
    """
    settings = load_settings()
    async with AsyncExitStack() as stack:
        pool = await connect_pool(
            settings.database_url.get_secret_value(), size=2, behind_pooler=settings.behind_pooler
        )
        stack.push_async_callback(pool.close)
        await check_schema(pool)
        redis = connect_redis(settings.redis_url.get_secret_value())
        stack.push_async_callback(redis.aclose)
        ringer, queues = LateRinger(Bell(redis)), configured(settings.queue_overrides)
        steering = Steering.over(pool, redis, ringer, queues, by_hand=not settings.is_production)
        credentials = Cipher(_texts(settings.credential_encryption_key))
        endpoints = Cipher(_texts(settings.endpoint_encryption_key), ENDPOINTS)
        vault = Vault(CredentialStore(pool), credentials)
        yield Services(steering, vault, Auditing(pool), Resealing(pool, endpoints))
        await ringer.run()


def _texts(keys: Sequence[SecretStr]) -> list[str]:
    return [key.get_secret_value() for key in keys]
