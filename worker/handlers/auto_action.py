"""Act on an organisation's behalf: disable a feature, block an API key, have something told."""

from functools import partial

from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.jobs.model import Completed, Outcome
from worker.jobs.tenant_payloads import AutoAction
from worker.tenants.actions.model import Applied

_MESSAGES = {
    "applied": "done",
    "waits": "another action had done it; this one takes its place when that is reverted",
    "unchanged": "it was so already",
    "late": "not done: it was to end before it could begin",
    "repeated": "done before",
}


@REGISTRY.handles(AutoAction, queue="flagship:auto-actions")
async def auto_action(job: AutoAction, ctx: Context) -> Outcome:
    """Act once a job. Safe to run twice: the action's row has the job's id."""
    plan = partial(ctx.follow_ups.planned, ctx.job)
    applied = await ctx.actions.apply(ctx.job.id, job, plan)
    await ctx.follow_ups.ring(applied.rings)
    return _completed(applied)


def _completed(applied: Applied) -> Completed:
    action = applied.action
    return Completed(
        _MESSAGES[applied.status], action_id=str(action.id), status=applied.status,
        changed=action.changed,
    )  # fmt: skip
