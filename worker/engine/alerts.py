"""Posting breaches of an SLA to somebody outside: best effort, and never in anybody's way."""

import asyncio
from typing import Any

import aiohttp
import orjson
import structlog

log = structlog.get_logger(__name__)

SECONDS = 5.0
AT_ONCE = 4
# What waits beyond that is not sent: whoever gets so many knows already.
MOST_WAITING = 1000


class Alerts:
    """Sends JSON objects to one address, or nowhere without one."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._posts: set[asyncio.Task[None]] = set()

    def post(self, alert: dict[str, Any]) -> None:
        """Send an alert soon."""
        if self._url is None:
            return
        if len(self._posts) >= MOST_WAITING:
            log.warning("alert.not_sent", error="too many are waiting")
            return
        task = asyncio.get_running_loop().create_task(self._send(self._url, alert))
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)

    async def drain(self) -> None:
        """Wait until every alert was sent or given up, but no longer than one may take."""
        if self._posts:
            _, late = await asyncio.wait(set(self._posts), timeout=SECONDS + 1.0)
            for task in late:
                task.cancel()

    async def _send(self, url: str, alert: dict[str, Any]) -> None:
        async with self._turns:
            try:
                status = await _post(url, orjson.dumps(alert))
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                # The error's text may hold the address, and with it a secret.
                log.warning("alert.not_sent", error=type(error).__name__)
                return
        if not 200 <= status < 300:
            log.warning("alert.not_sent", error=f"the answer was {status}")


async def _post(url: str, body: bytes) -> int:
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    headers = {"Content-Type": "application/json", "User-Agent": "switchyard"}
    async with (
        aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
        session.post(url, data=body, allow_redirects=False) as response,
    ):
        return response.status
