"""Random faults for SOAK_MINUTES (30); after each minute of them everything has to end well."""

import asyncio
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.checker import check_deliveries, check_effects, check_record
from tests.chaos.harness import Stack
from tests.chaos.mishaps import Mishaps
from tests.chaos.ordeal import flow_of_jobs, note
from tests.chaos.proxy import Proxy
from tests.chaos.web import Site, flow, service
from worker.database.migrations import migrate
from worker.embedded import EmbeddedPostgres, EmbeddedRedis

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
ROUND_SECONDS = 45.0
WITHIN = 45.0
WORKERS = 3
PUSHES_A_SECOND = 10.0
LASTING = {
    "CHAOS_LEASE_MS": "4000", "CHAOS_CRASHES_ALLOWED": "100000", "SHUTDOWN_TIMEOUT_MS": "500",
}  # fmt: skip
# What may be logged as an error: garbage that was found, and an end that found no Postgres.
ERRORS = {"claim.quarantined", "job.unrecorded"}


@pytest.mark.soak
@pytest.mark.timeout(MINUTES * 60 + 600)
async def test_random_faults(chance: random.Random, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    with EmbeddedPostgres() as postgres, EmbeddedRedis() as redis:
        await migrate(postgres.url)
        async with (
            Proxy.opened(redis.url) as to_redis,
            Proxy.opened(postgres.url) as to_postgres,
            Stack.opened(postgres.url, redis.url, tmp_path) as stack,
        ):
            ways = {"REDIS_URL": to_redis.url, "DATABASE_URL": to_postgres.url}
            stack.variables.update(LASTING | ways)
            async with service(stack) as site:
                await site.enrol()
                mishaps = Mishaps(
                    chance, stack, (redis, postgres), (to_redis, to_postgres), site, clock
                )
                for _ in range(WORKERS):
                    await mishaps.start_worker()
                await soak(stack, site, mishaps, chance)
                await stack.check_quiet()
            await stack.stop()
            await stack.check(effects=False, errors=ERRORS)


async def soak(stack: Stack, site: Site, mishaps: Mishaps, chance: random.Random) -> None:
    """Rounds of mishaps; after each one everything that was wanted has to end, once."""
    deadline, rounds, worst = time.monotonic() + MINUTES * 60, 0, 0.0
    while time.monotonic() < deadline:
        rounds += 1
        async with flow(site, PUSHES_A_SECOND, f"round-{rounds}"), flow_of_jobs(stack, 1.5):
            await make_trouble(mishaps, chance)
        healed_at = time.monotonic()
        await stack.settled(timeout=WITHIN)
        worst = max(worst, time.monotonic() - healed_at)
        await check_record(stack)
        await check_deliveries(stack)
        await check_effects(stack, once=False)
        print(f"round {rounds}: {await stack.count('true')} jobs, worst {worst:.1f} s")  # noqa: T201
    jobs, crashes = await stack.count("true"), await stack.count("crashes > 0")
    note(f"soak of {MINUTES:g} minutes", f"all ended within {WITHIN:g} s of each round",
         f"{rounds} rounds, {len(mishaps.happened)} faults {dict(Counter(mishaps.happened))}, "
         f"{jobs} jobs of which {crashes} were taken over, {len(stack.acknowledged)} pushes "
         f"acknowledged; slowest round {worst:.1f} s")  # fmt: skip


async def make_trouble(mishaps: Mishaps, chance: random.Random) -> None:
    """One mishap after the other, for a round."""
    deadline = time.monotonic() + ROUND_SECONDS
    while time.monotonic() < deadline:
        await mishaps.one()
        await asyncio.sleep(chance.uniform(0.0, 2.0))
