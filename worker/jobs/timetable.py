"""The built-in schedules: one row each, like the table of queues. Times are UTC."""

from dataclasses import dataclass, field
from typing import Any, Literal

Missed = Literal["catch_up", "skip"]

# To be raised with every change below: workers of an older edition then leave the record alone.
EDITION = 2


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A schedule as it comes with the product; whether it is enabled, operators may change."""

    name: str
    description: str
    queue: str
    kind: str
    cron: str
    missed: Missed = "skip"
    payload: dict[str, Any] = field(default_factory=dict)
    enabled: bool = True


_WAITS = "Waits for a handler of its kind, which this version does not have."

BUILT_IN: tuple[BuiltIn, ...] = (
    BuiltIn("dead-letter-cleanup", "Deletes dead letters that died more than 30 days ago.",
            "flagship:maintenance", "dead_letter_cleanup", "0 3 * * 0"),
    BuiltIn("old-clones", "Removes mirrors of repositories that nobody read for 30 days.",
            "cleanup", "cleanup", "0 2 * * *", payload={"task": "old_clones"}),
    BuiltIn("retention", "Deletes deliveries, artifacts, ticks and reports that are 30 days old.",
            "flagship:maintenance", "retention", "30 3 * * *"),
    BuiltIn("missed-deliveries", "Asks GitHub again for deliveries that never arrived.",
            "github-reports", "missed_deliveries", "*/10 * * * *"),
    BuiltIn("report-sweep", "Mends reports to GitHub that do not show how their job ended.",
            "github-reports", "report_sweep", "* * * * *"),
    BuiltIn("period-rollover", f"Closes the usage periods that have ended. {_WAITS}",
            "flagship:maintenance", "period_rollover", "0 * * * *", "catch_up", enabled=False),
    BuiltIn("usage-aggregation-hourly", f"Sums up the hour that has ended. {_WAITS}",
            "flagship:maintenance", "usage_aggregation", "0 * * * *", "catch_up",
            {"period": "hour"}, enabled=False),
    BuiltIn("usage-aggregation-daily", f"Sums up the day that has ended. {_WAITS}",
            "flagship:maintenance", "usage_aggregation", "0 0 * * *", "catch_up",
            {"period": "day"}, enabled=False),
)  # fmt: skip
