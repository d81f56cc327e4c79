"""No-op jobs for Celery on Redis, without results."""

from celery import Celery

from tests.benchmarks.peers.script import JOBS, REDIS_URL, TALLY, TUNING, chosen

APP = Celery(
    "bench",
    broker=REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host="),
)
APP.conf.update(
    task_ignore_result=True,
    worker_disable_rate_limits=True,
    worker_redirect_stdouts=False,
    worker_prefetch_multiplier=TUNING["prefetch"],
    broker_connection_retry_on_startup=True,
)


@APP.task
def noop() -> None:
    """Do nothing."""
    TALLY.job()


def fill() -> None:
    """Enqueue the jobs."""
    with APP.producer_pool.acquire(block=True) as producer:
        for _ in range(JOBS):
            noop.apply_async(producer=producer)


def work() -> None:
    """Run jobs until stopped."""
    options = [f"--pool={TUNING['pool']}", f"--concurrency={TUNING['concurrency']}"]
    quiet = ["--loglevel=WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    APP.worker_main(["worker", *options, *quiet])


if __name__ == "__main__":
    chosen(fill=fill, work=work)
