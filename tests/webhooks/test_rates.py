"""How often callers may call, what they are told of it, and what happens without Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from tests.chaos.proxy import Proxy
from tests.support import eventually
from tests.webhooks.service import Answer, Service, serving
from worker.metrics import REGISTRY

TOKEN = "the-token-of-the-operator"
_NUMBERS = count()


@dataclass(frozen=True)
class Limited:
    """A service whose callers may call three times a minute, and the key of a customer."""

    service: Service
    key: str

    async def check(self, bearer: str = TOKEN) -> Answer:
        """A call of the class `checks`, which a key may make too."""
        return await self._call("GET", "/api/orgs/acme/flags/exports", bearer)

    async def usage(self, bearer: str = TOKEN) -> Answer:
        """A call of the class `usage`."""
        body = {"orgId": "acme", "batchId": f"b{next(_NUMBERS)}", "events": [{"metric": "calls"}]}
        return await self._call("POST", "/api/usage", bearer, json=body)

    async def _call(self, method: str, path: str, bearer: str, **options: object) -> Answer:
        headers = {"Authorization": f"Bearer {bearer}"}
        return await self.service.call(method, path, headers=headers, **options)


@asynccontextmanager
async def limited(database_url: str, redis_url: str, limit: int = 3) -> AsyncIterator[Limited]:
    """A service over this Redis."""
    async with serving(
        database_url, redis_url, API_TOKEN=TOKEN, USAGE_CALLS_PER_MINUTE=str(limit),
        KEY_CHECKS_PER_MINUTE=str(limit),
    ) as service:  # fmt: skip
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for method, path, body in (
            ("POST", "/api/orgs", {"id": "acme", "name": "Acme"}),
            ("PUT", "/api/orgs/acme/flags/exports", {"enabled": True}),
            ("POST", "/api/orgs/acme/keys", {"name": "CI"}),
        ):
            answer = await service.call(method, path, json=body, headers=headers)
            assert answer.status < 300, answer.text
        yield Limited(service, answer.body["key"])


def told(answer: Answer) -> dict[str, str]:
    """The headers about rates."""
    return {n: v for n, v in answer.headers.items() if n.startswith("RateLimit")}


async def test_callers_are_told_what_is_left_and_when_to_come_again(
    database_url: str, redis_url: str
) -> None:
    async with limited(database_url, redis_url) as own:
        answers = [await own.check() for _ in range(4)]
        assert [a.status for a in answers] == [200, 200, 200, 429]
        assert [told(a)["RateLimit-Remaining"] for a in answers] == ["2", "1", "0", "0"]
        assert {told(a)["RateLimit-Limit"] for a in answers} == {"3"}
        assert {told(a)["RateLimit-Policy"] for a in answers} == {"3;w=60"}
        assert 1 <= int(told(answers[0])["RateLimit-Reset"]) <= 20
        assert 41 <= int(told(answers[3])["RateLimit-Reset"]) <= 60
        assert 1 <= int(answers[3].headers["Retry-After"]) <= 20
        assert answers[3].error["code"] == "rate_limited"
        assert "3 a minute" in answers[3].error["message"]


async def test_callers_and_kinds_of_call_are_counted_apart(
    database_url: str, redis_url: str
) -> None:
    async with limited(database_url, redis_url, limit=1) as own:
        for bearer in (TOKEN, own.key):
            assert [(await own.check(bearer)).status for _ in range(2)] == [200, 429]
            assert [(await own.usage(bearer)).status for _ in range(2)] == [202, 429]


async def test_services_count_together(database_url: str, redis_url: str) -> None:
    async with (
        limited(database_url, redis_url) as own,
        serving(database_url, redis_url, API_TOKEN=TOKEN, KEY_CHECKS_PER_MINUTE="3") as second,
    ):
        other = Limited(second, own.key)
        statuses = [(await which.check()).status for which in (own, other, own, other, own)]
    assert statuses == [200, 200, 200, 429, 429]


async def test_refused_calls_do_nothing(database_url: str, redis_url: str) -> None:
    async with limited(database_url, redis_url, limit=1) as own:
        assert [(await own.usage()).status for _ in range(3)] == [202, 429, 429]
        assert await own.service.rows("SELECT count(*) AS n FROM jobs") == [{"n": 1}]


async def test_errors_tell_the_rate_too_and_are_counted(database_url: str, redis_url: str) -> None:
    async with limited(database_url, redis_url) as own:
        for _ in range(3):
            answer = await own.service.call(
                "POST", "/api/keys/check", json={}, headers={"Authorization": f"Bearer {TOKEN}"}
            )
            assert (answer.status, told(answer)["RateLimit-Limit"]) == (400, "3")
        assert (await own.check()).status == 429


async def test_who_is_not_let_in_uses_nothing_up(
    database_url: str, redis_url: str, redis_client: Redis
) -> None:
    async with limited(database_url, redis_url) as own:
        for bearer in ("wrong", "sy_wrong", own.key[:-1]):
            refused = await own.check(bearer)
            assert (refused.status, told(refused)) == (401, {})
        assert await redis_client.keys("rate:*") == []


async def test_other_calls_have_no_limit(database_url: str, redis_url: str) -> None:
    async with limited(database_url, redis_url, limit=1) as own:
        for _ in range(3):
            answer = await own.service.call(
                "GET", "/api/orgs", headers={"Authorization": f"Bearer {TOKEN}"}
            )
            assert (answer.status, told(answer)) == (200, {})


async def test_anyone_is_counted_by_address(
    database_url: str, redis_url: str, redis_client: Redis
) -> None:
    async with serving(database_url, redis_url, KEY_CHECKS_PER_MINUTE="2") as own:
        statuses = [
            (await own.call("POST", "/api/keys/check", json={"key": "x"})).status for _ in range(3)
        ]
        assert statuses == [200, 200, 429]
        assert await redis_client.keys("rate:*") == [b"rate:checks:address:127.0.0.1"]


@pytest.mark.parametrize("fault", ["refusing", "hanging"])
async def test_without_redis_usage_comes_in_and_keys_are_not_checked(
    database_url: str, redis_url: str, fault: str
) -> None:
    async with Proxy.opened(redis_url) as proxy, limited(database_url, proxy.url, 1000) as own:
        assert (await own.check()).status == 200
        before = {call: unavailable(call) for call in ("usage", "checks")}
        await (proxy.refuse() if fault == "refusing" else cut(proxy))
        with capture_logs() as logs:
            usage, check = await own.usage(), await own.check()
            more = [await own.usage() for _ in range(5)]
        assert {a.status for a in (usage, *more)} == {202}
        assert told(usage) == told(check) == {"RateLimit-Policy": "unavailable"}
        assert (check.status, check.error["code"]) == (503, "limit_unavailable")
        assert "Retry-After" in check.headers
        assert "Redis is away" in check.error["message"]
        assert max(a.seconds for a in (usage, check, *more)) < 1.5  # 0.2, on a busy machine
        assert unavailable("checks") - before["checks"] == 1
        assert unavailable("usage") - before["usage"] == 6
        assert [line["event"] for line in logs].count("rates.unavailable") == 1
        proxy.heal()

        async def counted() -> Any:
            return (await own.check()).status == 200

        assert await eventually(counted)


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[Redis]:
    """To look at what is kept."""
    async with Redis.from_url(redis_url) as client:
        yield client


def unavailable(call: str) -> float:
    """How often a rate could not be told."""
    return REGISTRY.get_sample_value("rate_limits_unavailable_total", {"call": call}) or 0.0


async def cut(proxy: Proxy) -> None:
    """Let nothing through any more."""
    proxy.swallow()
