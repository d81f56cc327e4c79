"""Count a batch of usage events."""

from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.jobs.ids import made_at
from worker.jobs.model import Completed, Outcome
from worker.jobs.tenant_payloads import UsageIngestion
from worker.tenants.usage.counting import Batch, tally


@REGISTRY.handles(UsageIngestion, queue="flagship:usage")
async def usage_ingestion(job: UsageIngestion, ctx: Context) -> Outcome:
    """Count the batch. Safe to run twice: a batch's id is counted once."""
    # Not now: an attempt that comes later counts in the same period.
    accepted_at = made_at(ctx.job.id)
    new = await ctx.usage.count(Batch(job.org_id, job.batch_id, tally(job.events, accepted_at)))
    return Completed(
        "counted" if new else "a batch with this id was counted before",
        counted=len(job.events) if new else 0,
        duplicate=not new,
    )
