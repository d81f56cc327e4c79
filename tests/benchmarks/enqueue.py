"""Our side of what a peer's script does besides working: prepare, fill and send."""

import uvloop

from tests.benchmarks.ours import noop, opened
from tests.benchmarks.peers.script import DATABASE_URL, REDIS_URL, TUNING, chosen, chunks, paced
from worker.database.migrations import migrate
from worker.jobs.model import NewJob


async def prepare() -> None:
    """Create the tables."""
    await migrate(DATABASE_URL)


async def fill() -> None:
    """Enqueue the jobs; without a record they are only rung."""
    async with opened(DATABASE_URL, REDIS_URL) as record:
        add = record.add if TUNING["record"] else record.ring
        for size in chunks():
            await add([noop() for _ in range(size)])


async def send() -> None:
    """Enqueue jobs with the time in them."""
    async with opened(DATABASE_URL, REDIS_URL) as record:
        await paced(lambda sent: record.add([NewJob("bench", "noop", {"sent": sent}, 3)]))


if __name__ == "__main__":
    uvloop.run(chosen(prepare=prepare, fill=fill, send=send))
