"""Send one stored message to one endpoint, and decide what its answer means."""

from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.jobs.model import Cancel, Completed, Failed, Outcome, Snooze
from worker.jobs.tenant_payloads import WebhookDelivery
from worker.outgoing.delivering import Attempt, Over, Parcel, Wait
from worker.outgoing.outcomes import Sent
from worker.outgoing.pacing import Lane, NotNow
from worker.outgoing.retrying import retry_delay


@REGISTRY.handles(WebhookDelivery, queue="webhooks")
async def webhook_delivery(job: WebhookDelivery, ctx: Context) -> Outcome:
    """Deliver it. Safe to run twice: what has arrived is known; else its id tells the receiver."""
    attempt = Attempt(
        job.endpoint_id, job.message_id, ctx.job.id, ctx.job.attempt, ctx.job.failures,
        ctx.job.max_attempts,
    )  # fmt: skip
    try:
        async with ctx.pace.turn(attempt.endpoint_id, attempt.failures) as lane:
            return await _deliver(attempt, lane, ctx)
    except NotNow as put_off:
        return Snooze(put_off.seconds, put_off.reason)


async def _deliver(attempt: Attempt, lane: Lane, ctx: Context) -> Outcome:
    match await ctx.deliveries.parcel(attempt):
        case Wait(seconds, reason):
            return Snooze(seconds, reason)
        case Over(reason, arrived):
            return Completed(reason) if arrived else Cancel(reason)
        case Parcel() as parcel:
            sent = await ctx.sender.send(
                parcel.url, parcel.secrets, str(attempt.message_id), parcel.body
            )
            lane.saw(sent)
            return await _recorded(attempt, parcel, sent, ctx)


async def _recorded(attempt: Attempt, parcel: Parcel, sent: Sent, ctx: Context) -> Outcome:
    if sent.error is None:
        await ctx.deliveries.arrived(attempt, parcel, sent)
        return Completed(f"the endpoint answered {sent.status}", status=sent.status)
    delay = retry_delay(parcel.schedule, attempt.failures, sent)
    consequence = await ctx.deliveries.failed(attempt, parcel, sent, delay)
    await ctx.follow_ups.ring(consequence.rings)
    if consequence.disabled:
        return Cancel(f"the endpoint is disabled from now on: {sent.error}")
    return Failed(sent.error, retry_in=delay)
