"""The 30-second heartbeat: one log line, one row and one metric for each worker process."""

import time
from typing import Any

import structlog

from worker.metrics import WORKER_HEARTBEAT

log = structlog.get_logger(__name__)


async def heartbeat(ctx: dict[Any, Any]) -> None:
    """Say that this process lives, and how it fares. Run by arq's cron at :00 and :30."""
    engine = ctx["running"].engine
    WORKER_HEARTBEAT.set(time.time())
    log.info(
        "worker.heartbeat",
        worker=engine.id,
        queues=[*engine.workers],
        running=engine.running,
        completed=engine.completed,
        failed=engine.failed,
        lag=round(engine.lag, 4),
    )
    await engine.stamp_heartbeat()
