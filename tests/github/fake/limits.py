"""GitHub's limits as the fake enforces them; whatever breaks one is noted as a violation."""

import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

from tests.github.fake.state import Refusal

AT_ONCE = 100
POINTS_A_MINUTE = 900
# What was under way when a limit was met may still come in; GitHub cannot blame anybody for it.
GRACE = 1.5


@dataclass
class Window:
    """A login's hour."""

    limit: int
    ends: float
    used: int = 0


@dataclass
class Silence:
    """Until when a login must not ask; `begun` is when it was first told so."""

    begun: float
    until: float
    retry_after: bool
    status: int


@dataclass
class Limits:
    """`requests` an hour for each login, the hour being `hour` seconds long."""

    requests: int = 5000
    hour: float = 3600.0
    violations: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    refused: int = 0
    at_once: int = 0
    _windows: dict[str, Window] = field(default_factory=dict)
    _points: defaultdict[str, deque[tuple[float, int]]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    _silences: dict[str, Silence] = field(default_factory=dict)
    _silence_next: tuple[int, float, bool, int] | None = None

    def silence(
        self, seconds: float, *, after: int = 0, retry_after: bool = True, status: int = 403
    ) -> None:
        """Refuse whoever asks next, after so many more requests, for so many seconds."""
        self._silence_next = after, seconds, retry_after, status

    def enter(self, login: str, method: str) -> dict[str, str]:
        """A request begins; answers the headers. Raises the refusal."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.at_once > AT_ONCE:
            self.violations["more than 100 at once"] += 1
            raise self._told(403, "You have exceeded a secondary rate limit", 60, True)
        self._obey_silence(login)
        self._count_points(login, 1 if method == "GET" else 5)
        return self._count_request(login)

    def leave(self) -> None:
        """A request ends."""
        self.at_once -= 1

    def _obey_silence(self, login: str) -> None:
        now = time.time()
        self._begin_silence(login, now)
        silence = self._silences.get(login)
        if silence is None or silence.until <= now:
            return
        if now > silence.begun + GRACE:
            self.violations["asked although told to be silent"] += 1
            silence.until += silence.until - silence.begun
        raise self._told(
            silence.status,
            "You have exceeded a secondary rate limit. Please wait a few minutes.",
            silence.until - now,
            silence.retry_after,
        )

    def _begin_silence(self, login: str, now: float) -> None:
        if self._silence_next is None:
            return
        after, seconds, retry_after, status = self._silence_next
        if after > 0:
            self._silence_next = after - 1, seconds, retry_after, status
            return
        self._silence_next = None
        self._silences[login] = Silence(now, now + seconds, retry_after, status)

    def _count_points(self, login: str, points: int) -> None:
        now, used = time.time(), self._points[login]
        while used and used[0][0] < now - 60:
            used.popleft()
        used.append((now, points))
        if sum(p for _, p in used) > POINTS_A_MINUTE:
            self.violations["more than 900 points a minute"] += 1
            raise self._told(403, "You have exceeded a secondary rate limit", 60, True)

    def _count_request(self, login: str) -> dict[str, str]:
        now = time.time()
        window = self._windows.get(login)
        if window is None or window.ends <= now:
            window = self._windows[login] = Window(self.requests, now + self.hour)
        if window.used >= window.limit:
            self.violations["asked although no request remained"] += 1
            refusal = self._told(403, "API rate limit exceeded", 0, False)
            refusal.headers |= _headers(window)
            raise refusal
        window.used += 1
        return _headers(window)

    def _told(self, status: int, message: str, seconds: float, retry_after: bool) -> Refusal:
        self.refused += 1
        refusal = Refusal(status, message)
        if retry_after:
            refusal.headers["Retry-After"] = str(max(1, round(seconds + 0.5)))
        return refusal


def _headers(window: Window) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(window.limit),
        "x-ratelimit-remaining": str(window.limit - window.used),
        "x-ratelimit-used": str(window.used),
        # Whole seconds, and never too early.
        "x-ratelimit-reset": str(int(window.ends) + 1),
        "x-ratelimit-resource": "core",
    }
