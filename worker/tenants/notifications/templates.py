"""What emails say: a subject, what happened, the facts, and what to do. Data is never trusted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from worker.jobs.tenant_payloads import NotificationType
from worker.tenants.notifications.letters import one_line

LONGEST_VALUE = 200
LONGEST_SUBJECT = 120
_PERIODS = {"hour": "hourly", "day": "daily", "month": "monthly"}
_LARGEST_NUMBER = 2**63
_REASONS = {
    "gone": "it answered 410 Gone",
    "failing": "it has been failing for days",
}


@dataclass(frozen=True, slots=True)
class Content:
    """What one email says; `facts` are pairs of what and how much."""

    subject: str
    opening: str
    facts: list[tuple[str, str]]
    advice: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a notification came with, in words for the people of one time zone."""

    data: Mapping[str, Any]
    zone: ZoneInfo

    def text(self, name: str, default: str = "") -> str:
        """What goes by this name: one line of it, cut where it gets long; a number readable."""
        found = self.data.get(name)
        if isinstance(found, int) and not isinstance(found, bool) and abs(found) < _LARGEST_NUMBER:
            return f"{found:,}"
        line = one_line(str(found)) if isinstance(found, str | float) else ""
        line = line or default
        return line if len(line) <= LONGEST_VALUE else f"{line[: LONGEST_VALUE - 1]}…"

    def moment(self, name: str) -> str:
        """A time such as 1 November 2026, 00:00 CET; nothing for what is none."""
        try:
            found = datetime.fromisoformat(str(self.data.get(name)))
            local = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(self.zone)
        except (ValueError, OverflowError):
            return ""
        return f"{local.day} {local:%B %Y, %H:%M %Z}"

    @property
    def what(self) -> str:
        """What a limit is about."""
        return self.text("metric", default="Usage")

    @property
    def limit(self) -> str:
        """The limit in words, such as monthly limit of 10,000."""
        kind = _PERIODS.get(self.text("period"), "")
        amount = self.text("limit")
        return f"{kind} limit{f' of {amount}' if amount else ''}".strip()

    def usage(self) -> list[tuple[str, str]]:
        """The facts about a limit."""
        percent = self.text("percent")
        return [
            ("Metric", self.text("metric")),
            ("Used", self.text("quantity")),
            ("Limit", self.text("limit")),
            ("Reached", f"{percent} %" if percent else ""),
            ("Period began", self.moment("periodStart")),
            ("Period ends", self.moment("periodEnd")),
            ("Reason", self.text("reason")),
        ]


def threshold_warning(facts: Facts) -> Content:
    """Usage comes near its limit."""
    percent = facts.text("percent")
    much = f"{percent} % of its" if percent else "a threshold of its"
    return Content(
        f"{facts.what} has reached {much} {facts.limit}",
        f"{facts.what} has reached {much} {facts.limit}.",
        facts.usage(),
        "Use less until the period ends, or raise the limit. What happens when the limit is "
        "reached is decided by the limit's rules.",
    )


def limit_exceeded(facts: Facts) -> Content:
    """Usage has reached its limit, and perhaps an API key was blocked for it."""
    key = facts.text("apiKeyId")
    blocked = f" The API key {key} was blocked." if key else ""
    until = facts.moment("restoreAt")
    return Content(
        f"API key {key} was blocked" if key else f"{facts.what} has reached its {facts.limit}",
        f"{facts.what} has reached its {facts.limit}.{blocked}",
        [("API key", key), *facts.usage(), ("Blocked until", until)],
        "Raise the limit to go on, or wait for the next period."
        + (" A key that is blocked can be unblocked by hand." if key else ""),
    )


def feature_disabled(facts: Facts) -> Content:
    """A feature was switched off by a rule."""
    name = facts.text("feature", default="A feature")
    until = facts.moment("restoreAt")
    back = f"It comes back on {until}. " if until else ""
    return Content(
        f"{name} was disabled",
        f"{name} was disabled by a rule of your limits.",
        [("Feature", name), *facts.usage(), ("Disabled until", until)],
        f"{back}To have it back now, revert the action or enable the flag; to keep it from "
        "happening again, raise the limit or change its rules.",
    )


def endpoint_disabled(facts: Facts) -> Content:
    """An endpoint of outgoing webhooks was switched off."""
    url = facts.text("url", default="an endpoint")
    reason = facts.text("reason")
    return Content(
        f"Webhooks to {url} are disabled",
        f"Webhooks are not sent to {url} any more.",
        [
            ("Endpoint", facts.text("endpointId")),
            ("Address", facts.text("url")),
            ("Reason", _REASONS.get(reason, reason)),
            ("Failed in a row", facts.text("failures")),
            ("Disabled", facts.moment("at")),
        ],
        "Mend the endpoint and enable it again, then replay what it has missed.",
    )


CONTENTS: Mapping[NotificationType, Callable[[Facts], Content]] = {
    "threshold_warning": threshold_warning,
    "limit_exceeded": limit_exceeded,
    "feature_disabled": feature_disabled,
    "endpoint_disabled": endpoint_disabled,
}
