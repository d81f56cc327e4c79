"""Hundreds of reports at once, sent by three that know of each other through Redis alone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.github.fake import FakeGitHub
from tests.github.office import Office
from tests.support import eventually
from worker.database.pool import Pool
from worker.jobs.model import Completed, Snooze
from worker.redis_pool import connect_redis

OFFICES, NAMES, WORKERS, AT_ONCE = 15, 10, 3, 50


@pytest.fixture
async def offices(
    pool: Pool, redis_url: str, fake: FakeGitHub, tmp_path: Path
) -> AsyncIterator[list[Office]]:
    """Fifteen projects, whose reports three workers send."""
    clients = [connect_redis(redis_url) for _ in range(WORKERS)]
    workers = [await Office.furnished(pool, c, fake, tmp_path) for c in clients]
    more = [await workers[n % WORKERS].neighbour() for n in range(OFFICES - WORKERS)]
    yield [*workers, *more]
    for office in workers:
        await office.close()
    for client in clients:
        await client.aclose()


async def sent(office: Office, name: str, turns: asyncio.Semaphore) -> None:
    """Send a report as the queue would, however often it has to wait for another moment."""
    while True:
        async with turns:
            outcome = await office.send(name)
        if isinstance(outcome, Completed):
            return
        assert isinstance(outcome, Snooze)
        await asyncio.sleep(outcome.seconds)


async def test_no_rule_is_broken_by_many_reports_at_once(
    offices: list[Office], fake: FakeGitHub
) -> None:
    names = [f"switchyard/gate-{n}" for n in range(NAMES)]
    for office in offices:
        job_id = await office.job()
        await office.evaluated(job_id)
        for name in names:
            await office.start_report(job_id, name)
    fake.crowd = asyncio.Event()
    turns = [asyncio.Semaphore(AT_ONCE) for _ in range(WORKERS)]
    work = [(office, n, name) for n, office in enumerate(offices) for name in names]
    sending = asyncio.gather(*(sent(office, name, turns[n % WORKERS]) for office, n, name in work))
    await eventually(lambda: fake.limits.at_once == 100, 18)
    fake.limits.silence(3, after=10)
    fake.crowd.set()
    await sending
    assert all(office.runs(name) == [("completed", "success")] for office, _, name in work)
    assert not fake.limits.violations
    assert fake.limits.refused, "a secondary limit was met"
    assert fake.limits.most_at_once == 100
