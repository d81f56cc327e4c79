"""Reaching the thresholds of limits: each once a period, with all that is to follow from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from worker.database import queries
from worker.database.pool import Transaction
from worker.jobs.model import NewJob
from worker.jobs.planning import Planner, key_of, record
from worker.jobs.ring import Ring
from worker.jobs.tenant_payloads import AutoAction, PeriodKind, ReachedThreshold
from worker.metrics import USAGE_THRESHOLDS
from worker.outgoing.messages import NewMessage, emit

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class Total:
    """What an organisation used of a metric in a period, as counted so far."""

    org_id: str
    metric: str
    period: PeriodKind
    period_start: datetime
    period_end: datetime
    quantity: int


@dataclass(frozen=True, slots=True)
class Reached:
    """A threshold that an organisation's usage has reached; `late`: after the period's end."""

    org_id: str
    threshold: ReachedThreshold
    late: bool

    @classmethod
    def of_row(cls, row: Record) -> "Reached":
        """From a row with the columns of `usage_thresholds`, `period_end` and `late`."""
        threshold = ReachedThreshold(
            metric=row["metric"],
            period=row["period"],
            period_start=row["period_start"],
            period_end=row["period_end"],
            percent=row["percent"],
            quantity=row["quantity"],
            limit=row["quantity_limit"],
        )
        return cls(row["org_id"], threshold, row["late"])

    @property
    def key(self) -> str:
        """What tells it apart from every other one of its organisation."""
        t = self.threshold
        return f"{t.metric}:{t.period}:{t.period_start.isoformat()}:{t.percent}:{t.limit}"

    @property
    def reason(self) -> str:
        """In a sentence for people."""
        t = self.threshold
        late = ", counted after the period's end" if self.late else ""
        return (
            f"{t.metric} reached {t.percent} % of its limit of {t.limit:,} "
            f"in the {t.period} from {t.period_start.isoformat()} ({t.quantity:,}{late})"
        )


async def crossed(
    connection: Transaction,
    planner: Planner,
    totals: Sequence[Total],
    now: datetime | None = None,
) -> list[Ring]:
    """Act on whatever thresholds these totals reach, in the transaction that counted them.

    Each is told, and its rules carried out, once a period, whatever is repeated; a limit that was
    raised has thresholds of its own. Answers what to ring after the commit. In a period that is
    over by `now` (None: Postgres's) nothing is disabled or blocked any more.
    """
    if not totals:
        return []
    columns = zip(*((t.org_id, t.metric, t.period, t.period_start, t.period_end, t.quantity)
                    for t in totals), strict=True)  # fmt: skip
    rows = await connection.fetch(SQL.cross, *map(list, columns), now)
    if not rows:
        return []
    rules = [(Reached.of_row(row), row) for row in rows]
    reached = {(r.org_id, r.key): r for r, _ in rules}.values()
    for one in reached:
        USAGE_THRESHOLDS.labels(one.threshold.period).inc()
    rings = await emit(connection, [_message(one) for one in reached])
    return rings + await record(connection, planned(planner, rules))


def planned(planner: Planner, rules: Iterable[tuple[Reached, Record]]) -> list[NewJob]:
    """A job for each rule of a reached threshold that can still be carried out."""
    return [
        _job(planner, reached, rule)
        for reached, rule in rules
        if rule["action"] == "send_notification" or not reached.late
    ]


def _job(planner: Planner, reached: Reached, rule: Record) -> NewJob:
    action, target = rule["action"], rule["target_id"]
    lasting = rule["restore"] == "manual" or action == "send_notification"
    payload = AutoAction(
        org_id=reached.org_id,
        action=action,
        target_id=target,
        reason=reached.reason,
        threshold=reached.threshold,
        restore_at=None if lasting else reached.threshold.period_end,
    )
    # By what it does and not by its place: a rule that is moved about is not carried out again.
    key = key_of("action", reached.org_id, reached.key, action, target)
    return planner.job(payload, key)


def _message(reached: Reached) -> NewMessage:
    data = reached.threshold.wire() | {"late": reached.late}
    key = f"threshold:{reached.key}"
    return NewMessage(reached.org_id, "usage.threshold_reached", data, key)
