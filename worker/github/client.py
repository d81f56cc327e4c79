"""One request to GitHub's API: sent within the limits, its answer read or turned into an error."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import orjson
from redis.asyncio import Redis

from worker.github.errors import GitHubRefused, GitHubUnavailable, Limited, LoginRefused, NotThere
from worker.github.limits import Allowance, Limits, Turn
from worker.metrics import EXTERNAL_DURATION

API_VERSION = "2022-11-28"
_HEADERS = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": API_VERSION,
    "User-Agent": "switchyard",
}
_TIMEOUT = aiohttp.ClientTimeout(total=20.0, connect=5.0)
_LONGEST_MESSAGE = 300
_MOVED = (301, 302, 307, 308)
_READING, _WRITING = 1, 5


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: under which name the limits count it, what people call it, and its proof."""

    key: str
    name: str
    authorization: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What GitHub said. `cursor` leads to the next page; None: there is none."""

    status: int
    data: Any
    headers: Mapping[str, str]

    @property
    def cursor(self) -> str | None:
        """The cursor of the next page, from the Link header."""
        for link in self.headers.get("Link", "").split(","):
            target, _, relation = link.partition(";")
            if 'rel="next"' in relation:
                found = parse_qs(urlsplit(target.strip().strip("<>")).query).get("cursor")
                return found[0] if found else None
        return None

    @property
    def message(self) -> str:
        """GitHub's own words about a refusal, in one line."""
        data = self.data if isinstance(self.data, dict) else {}
        details = [_detail(e) for e in data.get("errors") or [] if e]
        text = ": ".join(filter(None, [str(data.get("message") or ""), "; ".join(details)]))
        return " ".join(text.split())[:_LONGEST_MESSAGE] or f"status {self.status}"

    @property
    def is_limit(self) -> bool:
        """Whether this is GitHub's way of saying: later."""
        if self.status == 429:
            return True
        told = "Retry-After" in self.headers or self.headers.get("x-ratelimit-remaining") == "0"
        return self.status == 403 and (told or "rate limit" in self.message.lower())


class Client:
    """Sends requests. One instance a process; `redis` is where all of them share the limits."""

    def __init__(self, redis: Redis, api_url: str, allowance: Allowance | None = None) -> None:
        self._url = api_url.rstrip("/")
        self._limits = Limits(redis, allowance)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def send(
        self,
        caller: Caller,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and answer what came back with a 2xx status.

        Raises Limited, GitHubUnavailable or GitHubRefused; none of them tells a secret.
        """
        url = self._url + path
        for _ in range(3):
            answer = await self._within_limits(caller, method, url, body, query)
            if answer.status not in _MOVED:
                return _checked(answer, caller, f"{method} {path}")
            # A renamed repository. Where else it may lead, the login must not go.
            url, query = self._moved(answer, path), None
        raise GitHubRefused(f"GitHub sends {path} round in a circle")

    async def _within_limits(
        self,
        caller: Caller,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, str] | None,
    ) -> Answer:
        cost = _READING if method == "GET" else _WRITING
        async with self._limits.turn(caller.key, cost) as turn:
            answer = await self._exchange(caller, method, url, body, query)
            _note_limits(turn, answer)
        if turn.ending == "limited":
            raise Limited(turn.blocked, f"GitHub's limit for {caller.name}: {answer.message}")
        return answer

    async def _exchange(
        self,
        caller: Caller,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, str] | None,
    ) -> Answer:
        started, outcome = time.monotonic(), "failed"
        try:
            async with self._opened().request(
                method,
                url,
                data=None if body is None else orjson.dumps(body),
                params=query,
                headers={"Authorization": caller.authorization},
                allow_redirects=False,
            ) as response:
                text = await response.read()
                outcome = "completed" if response.status < 500 else "failed"
                return Answer(response.status, _json(text), response.headers)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # Its text may quote what was sent.
            raise GitHubUnavailable(f"GitHub gave no answer: {type(error).__name__}") from None
        finally:
            EXTERNAL_DURATION.labels("github", outcome).observe(time.monotonic() - started)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=_HEADERS, timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    def _moved(self, answer: Answer, path: str) -> str:
        url = answer.headers.get("Location", "")
        if urlsplit(url)[:2] != urlsplit(self._url)[:2]:
            raise GitHubRefused(f"GitHub sends {path} to another server: GITHUB_API_URL is wrong")
        return url


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None


def _note_limits(turn: Turn, answer: Answer) -> None:
    headers = answer.headers
    turn.ending = "limited" if answer.is_limit else "answered"
    turn.remaining = _number(headers.get("x-ratelimit-remaining"))
    turn.reset = _number(headers.get("x-ratelimit-reset"))
    turn.silence = _number(headers.get("Retry-After"))
    if turn.reset is not None:
        turn.reset_in = turn.reset - _clock(headers)


def _clock(headers: Mapping[str, str]) -> float:
    """GitHub's own clock, where it tells it: ours may be wrong."""
    try:
        return parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return time.time()


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None


def _checked(answer: Answer, caller: Caller, what: str) -> Answer:
    if answer.status < 300:
        return answer
    if answer.status >= 500:
        raise GitHubUnavailable(f"GitHub has a problem of its own: {what} gave {answer.status}")
    if answer.status == 401:
        raise LoginRefused(
            f"GitHub does not accept {caller.name} ({answer.message}): check that it is the right "
            "one, that it has not expired or been revoked, and that this machine's clock is right"
        )
    if answer.status in (404, 410):
        raise NotThere(f"GitHub shows {caller.name} nothing at {what} ({answer.message})")
    raise GitHubRefused(f"GitHub refuses {caller.name} {what} ({answer.message})")


def _detail(error: object) -> str:
    if isinstance(error, dict):
        return str(error.get("message") or " ".join(map(str, error.values())))
    return str(error)
