"""Automatic actions as handlers take them, and as people see and revert them."""

from functools import partial
from uuid import UUID

import asyncpg

from worker.database import queries
from worker.database.pool import Pool, atomically, fetch, plain
from worker.errors import PermanentError
from worker.jobs.paging import page_of
from worker.jobs.tenant_payloads import AutoAction
from worker.jobs.views import Page
from worker.metrics import AUTOMATIC_ACTIONS
from worker.tenants.actions import applying, reverting
from worker.tenants.actions.applying import SQL as APPLYING_SQL
from worker.tenants.actions.applying import Plan
from worker.tenants.actions.model import Action, ActionsQuery, Applied, Reverted, missing, shown
from worker.tenants.organisations import Organisations

SQL = queries.load(__file__)


class AutomaticActions:
    """Takes, shows and reverts automatic actions. Raises RecordUnavailable without Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def apply(self, job_id: UUID, wanted: AutoAction, plan: Plan) -> Applied:
        """Act on a job's behalf: all of it or nothing, and once however often it is called.

        `plan` makes jobs that follow from it. Raises PermanentError for an organisation or target
        that does not exist.
        """
        work = partial(applying.apply, job_id=job_id, wanted=wanted, plan=plan)
        try:
            applied = await atomically(self._pool, work)
        except asyncpg.ForeignKeyViolationError:
            problem = f"there is no organisation {wanted.org_id!a}: discard the job"
            raise PermanentError(f"{wanted.action}: {problem}") from None
        AUTOMATIC_ACTIONS.labels(wanted.action, applied.status).inc()
        return applied

    async def revert(self, org_id: str, action_id: UUID, by: str) -> Reverted:
        """Undo an action before its time, on somebody's behalf; a second time changes nothing.

        Raises NotFound, and Conflict if it is not by this action that its target is as it is.
        """
        work = partial(reverting.revert, org_id=plain(org_id), action_id=action_id, by=by)
        reverted = await atomically(self._pool, work)
        AUTOMATIC_ACTIONS.labels(reverted.action.action, reverted.status).inc()
        return reverted

    async def get(self, org_id: str, action_id: UUID) -> Action:
        """One action of an organisation. Raises NotFound."""
        rows = await fetch(self._pool, APPLYING_SQL.get, plain(org_id), action_id)
        if not rows:
            raise missing(org_id, action_id)
        return Action(**shown(rows[0]))

    async def page(self, org_id: str, wanted: ActionsQuery) -> Page[Action]:
        """The actions of an organisation, newest first. Raises NotFound for an unknown one."""
        rows = await fetch(
            self._pool, SQL.page, plain(org_id), wanted.action, wanted.active, wanted.cursor,
            wanted.limit + 1,
        )  # fmt: skip
        if not rows:
            await Organisations(self._pool).get(org_id)
        actions = [Action(**shown(row)) for row in rows]
        return page_of(actions, wanted.limit, lambda action: action.id)
