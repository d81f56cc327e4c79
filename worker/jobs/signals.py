"""Messages to every worker process: only hints to look at the record, where the truth is."""

import asyncio

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

CHANNEL = "switchyard:control"
QUEUES_CHANGED = "queues"
_CANCEL = "cancel "
# Whoever waits for an answer must not wait for a Redis that hangs.
SECONDS = 1.0


def cancel_message(job_id: object) -> str:
    """The message that a running job was asked to end."""
    return f"{_CANCEL}{job_id}"


def job_to_cancel(message: str) -> str | None:
    """The job id of a cancel message; None for any other message."""
    return message.removeprefix(_CANCEL) if message.startswith(_CANCEL) else None


async def signal(redis: Redis, *messages: str) -> None:
    """Send messages, best effort: without them workers find out within a second."""
    if not messages:
        return
    try:
        async with asyncio.timeout(SECONDS), redis.pipeline(transaction=False) as pipe:
            for message in messages:
                pipe.publish(CHANNEL, message)
            await pipe.execute()
    except (RedisError, OSError, TimeoutError) as error:
        log.warning("signal.failed", error=str(error) or type(error).__name__)
