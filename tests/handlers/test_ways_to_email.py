"""Which way emails go is for the environment to say."""

import pytest
from arq.connections import ArqRedis

from tests.tenants.notifications.fake_resend import KEY
from worker.database.pool import Pool
from worker.errors import ConfigurationError
from worker.product import open_resources
from worker.settings import load_settings
from worker.tenants.notifications.letters import NoEmail
from worker.tenants.notifications.outbox import Outbox
from worker.tenants.notifications.resend import Resend
from worker.tenants.notifications.smtp import Smtp


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, Outbox),
        ({"ENVIRONMENT": "staging"}, NoEmail),
        ({"ENVIRONMENT": "production", "API_TOKEN": "t" * 20}, NoEmail),
        ({"SMTP_URL": "smtp://mail.example", "EMAIL_FROM": "a@mail.example"}, Smtp),
        ({"RESEND_API_KEY": KEY, "EMAIL_FROM": "a@mail.example"}, Resend),
        ({"RESEND_API_KEY": KEY, "SMTP_URL": "smtp://m", "EMAIL_FROM": "a@m.example"}, Resend),
    ],
)
async def test_the_environment_chooses_the_way(
    pool: Pool, redis: ArqRedis, given: dict[str, str], kind: type
) -> None:
    needed = {"DATABASE_URL": "postgresql://app@db/app", "REDIS_URL": "redis://cache"}
    resources = open_resources(load_settings(needed | given), pool, redis)
    assert type(resources.email) is kind
    await resources.close()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"SMTP_URL": "smtp://m.example", "EMAIL_FROM": "nobody"}, "EMAIL_FROM: must be an addr"),
        ({"SMTP_URL": "smtp://:25", "EMAIL_FROM": "a@m.example"}, "SMTP_URL: must be an address"),
    ],
)
def test_what_cannot_be_used_stops_the_process(
    pool: Pool, redis: ArqRedis, given: dict[str, str], words: str
) -> None:
    needed = {"DATABASE_URL": "postgresql://app@db/app", "REDIS_URL": "redis://cache"}
    with pytest.raises(ConfigurationError, match=words):
        open_resources(load_settings(needed | given), pool, redis)
