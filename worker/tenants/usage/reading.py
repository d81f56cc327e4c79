"""Usage as people see it: by period, right now, what it set off, and over all organisations."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from worker.database import queries
from worker.database.pool import Pool, fetch
from worker.jobs.names import Time, moment
from worker.jobs.paging import PageQuery, cursor_as, page_of
from worker.jobs.tenant_payloads import Metric, PeriodKind
from worker.jobs.views import Page, View
from worker.tenants.organisations import Organisations
from worker.tenants.periods.calendar import KINDS, period_of

SQL = queries.load(__file__)


def _places(*reads: Any) -> tuple[Any, Any]:
    """The annotations of a cursor of several words, none of which has a space in it."""

    def read(text: str) -> tuple[Any, ...]:
        words = text.split(" ")
        return tuple(read(word) for read, word in zip(reads, words, strict=True))

    return cursor_as(read)


_COUNTER, _NOW = _places(str, str, moment), _places(str, str)
_THRESHOLD, _SUMMARY = _places(moment, str, str, moment, int), _places(moment, str)
Since = Annotated[Time | None, Field(alias="from", description="periods that begin then or later")]
Until = Annotated[Time | None, Field(alias="to", description="periods that begin before then")]


class UsageQuery(PageQuery):
    """Whose periods to list: those that fit all that is given."""

    cursor: Annotated[tuple[str, str, datetime], *_COUNTER] | None = None
    metric: Metric | None = None
    period: PeriodKind | None = None
    since: Since = None
    until: Until = None


class CurrentQuery(PageQuery):
    """The periods of now, by metric."""

    cursor: Annotated[tuple[str, str], *_NOW] | None = None


class ThresholdQuery(PageQuery):
    """Which thresholds to list."""

    cursor: Annotated[tuple[datetime, str, str, datetime, int], *_THRESHOLD] | None = None
    metric: Metric | None = None


class SummaryQuery(PageQuery):
    """Which sums to list."""

    cursor: Annotated[tuple[datetime, str], *_SUMMARY] | None = None
    metric: Metric | None = None
    period: Literal["hour", "day"] = "day"
    since: Since = None
    until: Until = None


class UsageView(View):
    """What was used of a metric in a period."""

    metric: str
    period: PeriodKind
    period_start: datetime
    period_end: datetime
    quantity: int
    events: int


class Usage(UsageView):
    """The same of any period; what arrives late is added to one that is closed, too."""

    closed: bool


class CurrentUsage(UsageView):
    """The same of the period that is open now: null where there is no limit."""

    limit: int | None
    percent: int | None = Field(description="of the limit, rounded down")


class Threshold(View):
    """A threshold, when it was reached, and what had been used then."""

    metric: str
    period: PeriodKind
    period_start: datetime
    percent: int
    quantity: int
    limit: int
    reached_at: datetime


class UsageSummary(View):
    """What was used of a metric by all organisations in an hour or a day of UTC."""

    period: Literal["hour", "day"]
    period_start: datetime
    metric: str
    organisations: int
    quantity: int
    events: int
    summed_at: datetime


class UsageReading:
    """Every method raises RecordUnavailable without Postgres; of organisations, NotFound."""

    def __init__(self, pool: Pool) -> None:
        self._pool, self._organisations = pool, Organisations(pool)

    async def page(self, org_id: str, wanted: UsageQuery) -> Page[Usage]:
        """Usage by metric, then kind of period, then time."""
        organisation = await self._organisations.get(org_id)
        after = wanted.cursor or (None, None, None)
        rows = await fetch(
            self._pool, SQL.page, organisation.id, *after, wanted.metric, wanted.period,
            wanted.since, wanted.until, wanted.limit + 1,
        )  # fmt: skip
        return page_of([Usage(**row) for row in rows], wanted.limit, _place)

    async def current(
        self, org_id: str, wanted: CurrentQuery, now: datetime | None = None
    ) -> Page[CurrentUsage]:
        """What was used in the hour, the day and the month that it is for the organisation."""
        organisation = await self._organisations.get(org_id)
        moment_ = now or datetime.now(UTC)
        periods = [period_of(kind, moment_, organisation.zone) for kind in KINDS]
        rows = await fetch(
            self._pool, SQL.current, organisation.id, KINDS, [p.start for p in periods],
            [p.end for p in periods], *(wanted.cursor or (None, None)), wanted.limit + 1,
        )  # fmt: skip
        found = [CurrentUsage(**row) for row in rows]
        return page_of(found, wanted.limit, lambda usage: f"{usage.metric} {usage.period}")

    async def thresholds(self, org_id: str, wanted: ThresholdQuery) -> Page[Threshold]:
        """What was reached, newest first."""
        organisation = await self._organisations.get(org_id)
        after = wanted.cursor or (None,) * 5
        rows = await fetch(
            self._pool, SQL.thresholds, organisation.id, *after, wanted.metric, wanted.limit + 1
        )
        return page_of([Threshold(**row) for row in rows], wanted.limit, _threshold_place)

    async def summaries(self, wanted: SummaryQuery) -> Page[UsageSummary]:
        """Sums over all organisations, newest first."""
        after = wanted.cursor or (None, None)
        rows = await fetch(
            self._pool, SQL.summaries, wanted.period, *after, wanted.metric, wanted.since,
            wanted.until, wanted.limit + 1,
        )  # fmt: skip
        found = [UsageSummary(**row) for row in rows]
        return page_of(found, wanted.limit, lambda s: f"{_iso(s.period_start)} {s.metric}")


def _place(usage: Usage) -> str:
    return f"{usage.metric} {usage.period} {_iso(usage.period_start)}"


def _threshold_place(reached: Threshold) -> str:
    return " ".join(
        (_iso(reached.reached_at), reached.metric, reached.period, _iso(reached.period_start),
         str(reached.percent))
    )  # fmt: skip


def _iso(time: datetime) -> str:
    return time.isoformat()
