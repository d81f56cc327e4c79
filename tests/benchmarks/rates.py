"""What keeping a rate costs: `python -m tests.benchmarks.rates`.

Allowances taken one after another and by a crowd, beside a bare PING on the same connection: the
round trip that no limit in Redis can do without. Then a key checked as the API checks it.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import uvloop
from redis.asyncio import Redis

from worker.database.migrations import migrate
from worker.database.pool import Pool, connect_pool
from worker.embedded import EmbeddedServers
from worker.rates import Rates
from worker.redis_pool import connect_redis
from worker.tenants.api_keys import ApiKeys, KeyRing, NewApiKey
from worker.tenants.organisations import NewOrganisation, Organisations

ROUNDS, CALLS, CROWD = 5, 2_000, 64

Call = Callable[[], Awaitable[object]]


async def alone(call: Call) -> float:
    """Median microseconds of a call after another."""
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e6


async def crowd(call: Call) -> float:
    """Microseconds a call where many callers call at once, one after another each."""

    async def caller() -> None:
        for _ in range(CALLS // CROWD):
            await call()

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CROWD)))
    return (time.perf_counter() - began) / (CALLS // CROWD * CROWD) * 1e6


async def measure(redis: Redis, pool: Pool) -> None:
    """Print the medians of some rounds."""
    rates, ring = Rates(redis), KeyRing(pool)
    await Organisations(pool).add(NewOrganisation(id="acme", name="Acme"))
    key = (await ApiKeys(pool, "acme").make(NewApiKey(name="CI"))).key
    calls: dict[str, Call] = {
        "PING": redis.ping,
        "Rates.take": lambda: rates.take("checks", "key", 100_000_000, 60),
        "KeyRing.find": lambda: ring.find(key),
        "SELECT 1": lambda: pool.fetchval("SELECT 1"),
    }
    for call in calls.values():
        await alone(call)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            found[name].append((await alone(call), await crowd(call)))
    for name, rounds in found.items():
        one, many = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:14} alone {one:7.0f} µs   {CROWD} at once {many:7.1f} µs a call")


async def main() -> None:
    """Start servers, and measure."""
    with EmbeddedServers() as servers:
        await migrate(servers.database_url)
        redis, pool = connect_redis(servers.redis_url), await connect_pool(servers.database_url)
        try:
            await measure(redis, pool)
        finally:
            await pool.close()
            await redis.aclose()


if __name__ == "__main__":
    uvloop.run(main())
