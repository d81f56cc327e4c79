"""The built-in schedules: one row each, like the table of queues. Times are UTC."""

from dataclasses import dataclass, field
from typing import Any, Literal

Missed = Literal["catch_up", "skip"]

# To be raised with every change below: workers of an older edition then leave the record alone.
EDITION = 3


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
    # The latest of missed ticks is enough: each of these does what was left undone before it.
    BuiltIn("period-rollover", "Closes the usage periods that have ended, in whatever time zone.",
            "flagship:maintenance", "period_rollover", "*/15 * * * *"),
    BuiltIn("usage-aggregation-hourly", "Sums up the hour that has ended.",
            "flagship:maintenance", "usage_aggregation", "0 * * * *", payload={"period": "hour"}),
    BuiltIn("usage-aggregation-daily", "Sums up the day that has ended.",
            "flagship:maintenance", "usage_aggregation", "0 0 * * *", payload={"period": "day"}),
)  # fmt: skip
