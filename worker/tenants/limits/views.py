"""Limits and their rules: as people set them, and as they are shown."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from worker.jobs.paging import Wanted
from worker.jobs.payload_base import Name
from worker.jobs.tenant_payloads import ActionType, PeriodKind
from worker.jobs.views import View

MOST_RULES = 50
# What every reader of JSON still reads exactly.
LARGEST_LIMIT = 2**53 - 1


class WantedRule(Wanted, strict=True):
    """What is done when usage reaches so many percent of a limit."""

    percent: Annotated[int, Field(ge=1, le=1000)]
    action: ActionType
    target_id: Annotated[
        Name, Field(description="a flag's key, an API key's id, or the type of a notification")
    ]
    restore: Annotated[
        Literal["period_end", "manual"],
        Field(description="when it is undone: at the end of the period, or only by hand"),
    ] = "period_end"


DEFAULT_RULES = (
    WantedRule(percent=80, action="send_notification", target_id="threshold_warning"),
    WantedRule(percent=100, action="send_notification", target_id="limit_exceeded"),
)


class WantedLimit(Wanted, strict=True):
    """A limit as it is to be, with all its rules.

    Without `rules`, a warning is sent at 80 percent and a notice at 100.
    """

    quantity: Annotated[int, Field(ge=1, le=LARGEST_LIMIT)]
    rules: Annotated[list[WantedRule], Field(max_length=MOST_RULES)] = Field(
        default_factory=lambda: list(DEFAULT_RULES)
    )


class Rule(View):
    """What is done when usage reaches so many percent of a limit, and when it is undone."""

    percent: int
    action: ActionType
    target_id: str
    restore: Literal["period_end", "manual"]


class Limit(View):
    """How much of a metric an organisation may use in each period, with its rules in order."""

    metric: str
    period: PeriodKind
    quantity: int
    rules: list[Rule]
    updated_at: datetime
