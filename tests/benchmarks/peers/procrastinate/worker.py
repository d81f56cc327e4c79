"""No-op jobs for procrastinate on Postgres."""

import uvloop
from procrastinate import App, PsycopgConnector

from tests.benchmarks.peers.script import DATABASE_URL, TALLY, TUNING, chosen, chunks, paced

APP = App(
    connector=PsycopgConnector(conninfo=DATABASE_URL, min_size=1, max_size=TUNING["connections"])
)


@APP.task(name="noop")
async def noop(sent: float | None = None) -> None:
    """Do nothing."""
    TALLY.job(sent)


async def prepare() -> None:
    """Create the tables."""
    async with APP.open_async():
        await APP.schema_manager.apply_schema_async()


async def fill() -> None:
    """Enqueue the jobs."""
    async with APP.open_async():
        for size in chunks():
            await noop.batch_defer_async(*([{}] * size))


async def send() -> None:
    """Enqueue jobs with the time in them."""
    async with APP.open_async():
        await paced(lambda sent: noop.defer_async(sent=sent))


async def work() -> None:
    """Run jobs until stopped."""
    async with APP.open_async():
        await APP.run_worker_async(
            concurrency=TUNING["concurrency"], delete_jobs=TUNING["delete_jobs"]
        )


if __name__ == "__main__":
    uvloop.run(chosen(prepare=prepare, fill=fill, send=send, work=work))
