"""Redis, a fake Resend, and senders that use both."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from arq.connections import ArqRedis

from tests.tenants.notifications.fake_resend import KEY, FakeResend
from tests.tenants.notifications.records import SENDER, Opening
from worker.redis_pool import connect_redis
from worker.tenants.notifications.resend import Resend
from worker.tenants.notifications.resend_limits import ResendLimits


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[ArqRedis]:
    """A client of an empty Redis."""
    client = connect_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def fake() -> AsyncIterator[FakeResend]:
    """Resend."""
    async with FakeResend().serving() as serving:
        yield serving


@pytest.fixture
async def opened(redis: ArqRedis, fake: FakeResend) -> AsyncIterator[Opening]:
    """Makes senders, each as another process would have it."""
    async with AsyncExitStack() as stack:

        def make(per_second: int = 1000, url: str = fake.url, over: ArqRedis = redis) -> Resend:
            sender = Resend(ResendLimits(over, per_second), url, KEY, SENDER)
            stack.push_async_callback(sender.close)
            return sender

        yield make
