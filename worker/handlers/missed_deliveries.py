"""Ask GitHub again for deliveries that never arrived."""

from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.jobs.model import Completed, Outcome
from worker.jobs.payloads import MissedDeliveries
from worker.metrics import DELIVERIES_MISSING


@REGISTRY.handles(MissedDeliveries, queue="github-reports")
async def missed_deliveries(job: MissedDeliveries, ctx: Context) -> Outcome:
    """Safe to run twice: within an hour no delivery is asked for again."""
    looked = await ctx.missed_deliveries.look(job.days)
    DELIVERIES_MISSING.set(looked.missing)
    return Completed(
        f"deliveries missing: {looked.missing}, asked for again: {looked.asked}",
        hooks=looked.hooks, missing=looked.missing, asked=looked.asked,
        unreadable=looked.unreadable[:50],
    )  # fmt: skip
