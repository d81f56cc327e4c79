"""Setting limits: so much of a metric a period, and what is done on the way there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from worker.database import queries
from worker.database.pool import Pool, Transaction, atomically, fetch, plain
from worker.errors import InvalidInput, NotFound
from worker.jobs.overview import ByName
from worker.jobs.paging import page_of
from worker.jobs.payload_base import Payload
from worker.jobs.payloads import validate
from worker.jobs.planning import Planner, record
from worker.jobs.ring import Ring
from worker.jobs.rows import columns
from worker.jobs.tenant_payloads import Metric, NotificationType, PeriodKind
from worker.jobs.views import Page
from worker.tenants.actions.effects import canonical, key_id_of
from worker.tenants.limits.crossing import Reached, Total, crossed, planned
from worker.tenants.limits.views import Limit, WantedLimit, WantedRule
from worker.tenants.organisations import Organisation, Organisations
from worker.tenants.periods.calendar import period_of
from worker.tenants.usage.store import SQL as USAGE_SQL

SQL = queries.load(__file__)


class _Place(Payload):
    """Which of an organisation's limits."""

    metric: Metric
    period: PeriodKind


class Limits:
    """An organisation's limits. Every method raises RecordUnavailable without Postgres."""

    def __init__(self, pool: Pool, org_id: str) -> None:
        self._pool, self._org_id = pool, plain(org_id)
        self._organisations = Organisations(pool)

    async def put(
        self,
        metric: str,
        period: str,
        wanted: WantedLimit,
        planner: Planner,
        now: datetime | None = None,
    ) -> tuple[Limit, list[Ring]]:
        """Set or replace a limit with all its rules, and act at once on what is reached already.

        That goes by the period of `now` (None: Postgres's). Of a threshold that was reached in it
        before, only rules that are new are carried out. Answers what to ring, too. Raises
        NotFound for an unknown organisation and InvalidInput naming each field.
        """
        place = validate(_Place, {"metric": metric, "period": period})
        assert isinstance(place, _Place)
        setting = _Setting(await self._organisations.get(self._org_id), place, wanted, planner, now)
        await self._check(wanted.rules)
        rings = await atomically(self._pool, setting.work)
        return await self.get(metric, period), rings

    async def get(self, metric: str, period: str) -> Limit:
        """One limit. Raises NotFound."""
        place = plain(metric), plain(period)
        rows = await fetch(self._pool, SQL.limits, self._org_id, None, None, 1, *place)
        if not rows:
            raise NotFound(f"There is no limit of {metric[:100]!a} a {period[:10]!a}.")
        return Limit(**rows[0])

    async def page(self, wanted: ByName) -> Page[Limit]:
        """Limits by metric and period. Raises NotFound for an unknown organisation."""
        metric, _, period = (wanted.cursor or "").partition("|")
        rows = await fetch(
            self._pool, SQL.limits, self._org_id, metric or None, period, wanted.limit + 1,
            None, None,
        )  # fmt: skip
        if not rows:
            await self._organisations.get(self._org_id)
        limits = [Limit(**row) for row in rows]
        return page_of(limits, wanted.limit, lambda limit: f"{limit.metric}|{limit.period}")

    async def delete(self, metric: str, period: str) -> Limit:
        """Delete a limit; answers what it was. What its rules have done stays. Raises NotFound."""
        was = await self.get(metric, period)
        await fetch(self._pool, SQL.delete, self._org_id, metric, period)
        return was

    async def _check(self, rules: Sequence[WantedRule]) -> None:
        """Raise InvalidInput for rules that repeat another, or name what does not exist."""
        flags = [r.target_id for r in rules if r.action == "disable_feature"]
        keys = [key_id_of(r.target_id) for r in rules if r.action == "block_api_key"]
        rows = await fetch(self._pool, SQL.targets, self._org_id, flags, [k for k in keys if k])
        there = {(row["action"], row["target_id"]) for row in rows}
        wrong = _wrong(rules, there)
        if wrong:
            raise InvalidInput("The request is not valid.", wrong)


@dataclass(frozen=True, slots=True)
class _Setting:
    """A limit that is to be set, in a transaction."""

    organisation: Organisation
    place: _Place
    wanted: WantedLimit
    planner: Planner
    now: datetime | None

    async def work(self, connection: Transaction) -> list[Ring]:
        limit = (self.organisation.id, self.place.metric, self.place.period)
        set_at = await connection.fetchval(SQL.put, *limit, self.wanted.quantity)
        former = await connection.fetch(SQL.drop_rules, *limit)
        rules = [(*_identity(rule), rule.restore) for rule in self.wanted.rules]
        await connection.execute(SQL.add_rules, *limit, *columns(rules, 4))
        total = await self._total(connection, self.now or set_at)
        rings = await crossed(connection, self.planner, [total], self.now)
        return rings + await self._catch_up(connection, total, {tuple(row) for row in former})

    async def _total(self, connection: Transaction, now: datetime) -> Total:
        """What was counted. Whoever counts more has to wait, and then finds the limit."""
        period = period_of(self.place.period, now, self.organisation.zone)
        counter = (self.organisation.id, self.place.metric, self.place.period, period.start)
        nothing = [*([value] for value in (*counter, period.end, 0, 0))]
        [held] = await connection.fetch(USAGE_SQL.add, *nothing)
        archived = await connection.fetch(USAGE_SQL.archived, *nothing[:4])
        quantity = held["quantity"] + sum(row["quantity"] for row in archived)
        return Total(*counter[:3], period.start, period.end, quantity)

    async def _catch_up(
        self, connection: Transaction, total: Total, former: set[tuple[Any, ...]]
    ) -> list[Ring]:
        """Carry out rules that came after their threshold was reached."""
        rows = await connection.fetch(
            SQL.overdue, total.org_id, total.metric, total.period, total.period_start,
            total.period_end, total.quantity,
        )  # fmt: skip
        new = [r for r in rows if (r["percent"], r["action"], r["target_id"]) not in former]
        jobs = planned(self.planner, ((Reached.of_row(row), row) for row in new))
        return await record(connection, jobs)


def _wrong(rules: Sequence[WantedRule], there: set[tuple[str, str]]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    seen: dict[tuple[int, str, str], int] = {}
    for position, rule in enumerate(rules):
        first = seen.setdefault(_identity(rule), position)
        if first != position:
            wrong[f"rules.{position}"] = f"is the same as rules.{first}"
        elif problem := _problem(rule, there):
            wrong[f"rules.{position}.targetId"] = problem
    return wrong


def _problem(rule: WantedRule, there: set[tuple[str, str]]) -> str | None:
    if rule.action == "send_notification":
        known = get_args(NotificationType)
        return None if rule.target_id in known else f"should be one of {', '.join(known)}"
    if _identity(rule)[1:] in there:
        return None
    if rule.action == "disable_feature":
        return "the organisation has no such flag"
    return "the organisation has no such API key, or it was revoked"


def _identity(rule: WantedRule) -> tuple[int, str, str]:
    return rule.percent, rule.action, canonical(rule.action, rule.target_id)
