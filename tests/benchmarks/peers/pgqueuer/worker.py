"""No-op jobs for pgqueuer on Postgres."""

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.models import Job

from tests.benchmarks.peers.script import DATABASE_URL, TALLY, TUNING, chosen, chunks, paced


def connect() -> asyncpg.Pool:
    """A pool; entered before it is used."""
    return asyncpg.create_pool(DATABASE_URL, min_size=1, max_size=TUNING["connections"])


async def prepare() -> None:
    """Create the tables."""
    async with connect() as pool:
        await Queries(AsyncpgPoolDriver(pool)).install()


async def fill() -> None:
    """Enqueue the jobs."""
    async with connect() as pool:
        queries = Queries(AsyncpgPoolDriver(pool))
        for size in chunks():
            await queries.enqueue(["noop"] * size, [None] * size, [0] * size)


async def send() -> None:
    """Enqueue jobs with the time in them."""
    async with connect() as pool:
        queries = Queries(AsyncpgPoolDriver(pool))
        await paced(lambda sent: queries.enqueue("noop", str(sent).encode()))


async def work() -> None:
    """Run jobs until stopped."""
    async with connect() as pool:
        worker = PgQueuer.from_asyncpg_pool(pool)

        @worker.entrypoint("noop")
        async def noop(job: Job) -> None:
            TALLY.job(float(job.payload) if job.payload else None)

        await worker.run(batch_size=TUNING["batch_size"])


if __name__ == "__main__":
    uvloop.run(chosen(prepare=prepare, fill=fill, send=send, work=work))
