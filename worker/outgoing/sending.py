"""One request to an endpoint: signed, and sent once."""

import asyncio
import io
import time
from collections.abc import Sequence

import aiohttp
from aiohttp.abc import AbstractResolver

from worker.addresses import Network
from worker.metrics import EXTERNAL_DURATION
from worker.outgoing.guard import RefusedAddress, open_session
from worker.outgoing.outcomes import MOST_KEPT, Sent, of_answer, of_error, of_timeout
from worker.outgoing.signing import sign

LIMIT_SECONDS = 30.0
# A receiver may finish its answer up to here; what is kept of it is less.
MOST_READ = 65_536
# The rest of an answer may take so long once its status is known, which is all that counts.
_READING_SECONDS = 5.0
_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "Switchyard",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}


class Sender:
    """Sends requests. One instance a process; close it at the end."""

    def __init__(
        self,
        allowed_networks: Sequence[Network] = (),
        resolver: AbstractResolver | None = None,
        limit: float = LIMIT_SECONDS,
    ) -> None:
        self._allowed, self._resolver, self._limit = allowed_networks, resolver, limit
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()

    async def send(self, url: str, secrets: Sequence[str], message_id: str, body: bytes) -> Sent:
        """Send these very bytes to the URL, signed with each of the secrets, as of now.

        Takes 30 s at most, connecting included, and raises nothing that the endpoint can cause.
        """
        started = time.monotonic()
        try:
            sent = await self._exchange(url, _signed(secrets, message_id, body), body)
        except TimeoutError as error:
            sent = of_timeout(error, self._limit)
        except (RefusedAddress, aiohttp.ClientError, OSError) as error:
            sent = of_error(error)
        seconds = time.monotonic() - started
        sent.duration_ms = round(seconds * 1000)
        outcome = "completed" if sent.arrived else "failed"
        EXTERNAL_DURATION.labels("webhook", outcome).observe(seconds)
        return sent

    async def _exchange(self, url: str, headers: dict[str, str], body: bytes) -> Sent:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._limit
        async with asyncio.timeout_at(end):
            response = await self._opened().post(
                url, data=io.BytesIO(body), headers=headers, allow_redirects=False
            )
        try:
            text = await _beginning(response, min(end, loop.time() + _READING_SECONDS))
        finally:
            response.close()
        return of_answer(response.status, response.headers, text)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = open_session(self._allowed, self._resolver)
        return self._session


def _signed(secrets: Sequence[str], message_id: str, body: bytes) -> dict[str, str]:
    timestamp = int(time.time())
    return _HEADERS | {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secrets, message_id, timestamp, body),
    }


async def _beginning(response: aiohttp.ClientResponse, end: float) -> bytes:
    """The first bytes of an answer, as far as they come until `end`."""
    kept, size = b"", 0
    try:
        async with asyncio.timeout_at(end):
            async for chunk in response.content.iter_any():
                kept, size = (kept + chunk)[:MOST_KEPT], size + len(chunk)
                if size >= MOST_READ:
                    break
    except (TimeoutError, aiohttp.ClientError, OSError):
        # Its status has said it all.
        return kept
    return kept
