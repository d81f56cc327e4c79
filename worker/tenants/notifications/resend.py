"""Emails through Resend: each once, within its limits, and its refusals in plain words."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.utils import parsedate_to_datetime

import aiohttp
import orjson
import structlog

from worker.errors import PermanentError, TransientError
from worker.metrics import EXTERNAL_DURATION
from worker.tenants.notifications.letters import Letter, Postponed, recipient_of
from worker.tenants.notifications.resend_limits import QUOTA_SECONDS, ResendLimits

log = structlog.get_logger(__name__)

_TIMEOUT = aiohttp.ClientTimeout(total=15.0, connect=5.0)
_LARGEST_ANSWER = 65_536
_LONGEST_MESSAGE = 300
_QUOTAS = ("daily_quota_exceeded", "monthly_quota_exceeded")
_WHILE_IN_FLIGHT = 2.0
_SHORTEST_REST, _LONGEST_REST = 0.5, 300.0


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: Mapping[str, object]

    @property
    def name(self) -> str:
        """Resend's name for what is wrong."""
        return _words(self.body.get("name"))

    @property
    def says(self) -> str:
        """What is wrong, in Resend's own words."""
        return f"{self.status} {self.name} {_words(self.body.get('message'))}".strip()


class Resend:
    """Sends emails. One instance a process."""

    def __init__(self, limits: ResendLimits, url: str, key: str, sender: Address) -> None:
        self._limits, self._url, self._key = limits, f"{url}/emails", key
        self._sender = str(sender)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, letter: Letter, *, again: bool) -> str | None:
        """Send the email; Resend sends what has the same id once. See Email for the errors."""
        await self._limits.turn()
        answer = await self._exchange(letter)
        if answer.status < 300:
            return str(answer.body["id"]) if "id" in answer.body else None
        if again and answer.name == "invalid_idempotent_request":
            # Nobody else knows the id: an attempt before this one was accepted, with other words.
            log.info("notification.sent_before", notification_id=letter.id)
            return None
        if answer.status == 429 and answer.name in _QUOTAS:
            await self._limits.quota_used_up(answer.name)
            raise Postponed(f"Resend's quota is used up ({answer.name})", QUOTA_SECONDS)
        raise self._refusal(answer)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _exchange(self, letter: Letter) -> _Answer:
        started, outcome = time.monotonic(), "failed"
        content = {
            "from": self._sender, "to": [str(recipient_of(letter))], "subject": letter.subject,
            "text": letter.text, "html": letter.html,
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {self._key}", "Idempotency-Key": str(letter.id)}
        try:
            async with self._opened().post(
                self._url, data=orjson.dumps(content), headers=headers, allow_redirects=False
            ) as response:
                body = _object(await _beginning(response.content))
                outcome = "completed" if response.status < 500 else "failed"
                return _Answer(response.status, response.headers, body)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # Its text may quote what was sent.
            raise TransientError(f"Resend gave no answer: {type(error).__name__}") from None
        finally:
            EXTERNAL_DURATION.labels("resend", outcome).observe(time.monotonic() - started)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"User-Agent": "switchyard", "Content-Type": "application/json"},
                timeout=_TIMEOUT,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _refusal(self, answer: _Answer) -> Exception:
        says = answer.says.replace(self._key, "[redacted]")
        if answer.status == 429:
            return Postponed(f"Resend asks to wait: {says}", _rest(answer.headers))
        if answer.name == "concurrent_idempotent_requests":
            return Postponed("Resend is still busy with this email", _WHILE_IN_FLIGHT)
        if answer.status >= 500 or answer.status == 408:
            return TransientError(f"Resend has a problem of its own: {says}")
        if answer.status < 400:
            return PermanentError(f"Resend sends elsewhere ({says}): RESEND_API_URL is wrong")
        hint = ": check RESEND_API_KEY and EMAIL_FROM" if answer.status in (401, 403) else ""
        return PermanentError(f"Resend refuses the email ({says}){hint}")


def _rest(headers: Mapping[str, str]) -> float:
    """For how long Resend asks to wait, within reason."""
    told = headers.get("Retry-After") or headers.get("ratelimit-reset") or ""
    # In this order what is no number is the longest.
    return max(_SHORTEST_REST, min(_LONGEST_REST, _seconds(told)))


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text).timestamp() - time.time()
    except ValueError:
        return 1.0


async def _beginning(stream: aiohttp.StreamReader) -> bytes:
    found = b""
    while len(found) < _LARGEST_ANSWER and (part := await stream.readany()):
        found += part
    return found


def _object(text: bytes) -> Mapping[str, object]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _words(value: object) -> str:
    return " ".join(str(value or "").split())[:_LONGEST_MESSAGE]
