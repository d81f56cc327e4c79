"""Resend's rate and quota, kept by all processes together."""

import asyncio
import time

import pytest
from arq.connections import ArqRedis
from structlog.testing import capture_logs

from tests.support import eventually
from tests.tenants.notifications.fake_resend import FakeResend, problem
from tests.tenants.notifications.records import Opening, letter
from worker.redis_pool import connect_redis
from worker.tenants.notifications.letters import Postponed
from worker.tenants.notifications.resend_limits import QUOTA_SECONDS


@pytest.mark.parametrize("name", ["daily_quota_exceeded", "monthly_quota_exceeded"])
async def test_a_used_up_quota_stops_everybody(
    opened: Opening, fake: FakeResend, redis: ArqRedis, name: str
) -> None:
    one, other = opened(), opened()
    fake.mishaps.append(problem(429, name, retry_after="1"))
    with capture_logs() as lines:
        for sender in (one, other, one, other):
            with pytest.raises(Postponed, match="quota is used up") as caught:
                await sender.send(letter(), again=False)
            assert QUOTA_SECONDS - 5 <= caught.value.seconds <= QUOTA_SECONDS + 60
    assert len(fake.requests) == 1, "nobody else even tries"
    [line] = [line for line in lines if line["event"] == "notification.quota_used_up"]
    assert (line["quota"], line["log_level"]) == (name, "warning")
    await redis.delete("resend:quota")
    assert await one.send(letter(), again=False)


async def test_emails_that_meet_the_quota_together_log_it_once(
    opened: Opening, fake: FakeResend
) -> None:
    fake.held.clear()
    fake.mishaps.extend(problem(429, "daily_quota_exceeded") for _ in range(4))
    with capture_logs() as lines:
        sending = [asyncio.ensure_future(opened().send(letter(), again=False)) for _ in range(4)]
        await eventually(lambda: len(fake.requests) == 4)
        fake.held.set()
        ends = await asyncio.gather(*sending, return_exceptions=True)
    assert all(isinstance(e, Postponed) for e in ends)
    assert [line["event"] for line in lines] == ["notification.quota_used_up"]


async def test_the_rate_holds_over_all_processes(opened: Opening, fake: FakeResend) -> None:
    rate, senders = 20, [opened(20) for _ in range(4)]
    started = time.monotonic()
    sending = [senders[n % 4].send(letter(), again=False) for n in range(24)]
    assert all(await asyncio.gather(*sending))
    assert time.monotonic() - started >= 23 / rate - 0.05
    assert len(fake.sent) == 24


async def test_who_would_wait_long_for_a_turn_comes_back_later(
    opened: Opening, fake: FakeResend
) -> None:
    sending = [opened(1).send(letter(), again=False) for _ in range(8)]
    ends = await asyncio.gather(*sending, return_exceptions=True)
    late = [e for e in ends if isinstance(e, Postponed)]
    assert len(late) >= 5
    assert len(fake.requests) == 8 - len(late)
    assert all(0 < e.seconds < 10 for e in late)


async def test_without_redis_emails_still_go(opened: Opening, fake: FakeResend) -> None:
    away = connect_redis("redis://127.0.0.1:9/0")
    sender = opened(2, over=away)
    assert await sender.send(letter(), again=False)
    fake.mishaps.append(problem(429, "daily_quota_exceeded"))
    for _ in range(2):
        with pytest.raises(Postponed, match="quota is used up"):
            await sender.send(letter(), again=False)
    assert len(fake.requests) == 2
    await away.aclose()
