"""A service for all tests that leave it usable, with the recorded repository enrolled."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import Servers, scratch_database
from tests.webhooks.service import Service, serving


@pytest.fixture(scope="session")
async def service(
    servers: Servers, template_database: str, redis_database_url: str
) -> AsyncIterator[Service]:
    """One service for the whole test process."""
    async with (
        scratch_database(servers.database_url, template_database) as url,
        serving(url, redis_database_url, GITHUB_WEBHOOK_SECRET=SECRETS) as running,
    ):
        await running.enrol(plan="pro", orgId="org-1")
        yield running


SECRETS = "the-secret-of-the-recorded-deliveries, the-secret-that-comes-next"
