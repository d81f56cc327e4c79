"""No-op jobs for Dramatiq on Redis, without results."""

import os
import signal

from tests.benchmarks.peers.script import JOBS, REDIS_URL, TALLY, TUNING, chosen

# Read when dramatiq is imported.
os.environ["dramatiq_queue_prefetch"] = str(TUNING["prefetch"])  # noqa: SIM112

import dramatiq
from dramatiq.brokers.redis import RedisBroker

BROKER = RedisBroker(url=REDIS_URL)
dramatiq.set_broker(BROKER)


@dramatiq.actor
def noop() -> None:
    """Do nothing."""
    TALLY.job()


def fill() -> None:
    """Enqueue the jobs."""
    for _ in range(JOBS):
        noop.send()


def work() -> None:
    """Run jobs until stopped."""
    worker = dramatiq.Worker(BROKER, worker_threads=TUNING["threads"])
    worker.start()
    signal.sigwait({signal.SIGTERM})
    worker.stop()


if __name__ == "__main__":
    chosen(fill=fill, work=work)
