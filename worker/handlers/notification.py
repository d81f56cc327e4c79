"""Tell an organisation something, by the ways it chose."""

from worker.errors import NotFound, PermanentError, TransientError
from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.jobs.model import Completed, Failed, Outcome, Snooze
from worker.jobs.tenant_payloads import Notification
from worker.tenants.notifications.letters import Letter, Postponed
from worker.tenants.notifications.model import Notified, Told
from worker.tenants.notifications.writing import letter_of
from worker.tenants.organisations import Organisation

_MESSAGES = {
    "sent": "told",
    "off": "the organisation wants none of these",
    "unheard": "nobody to tell: no email address, and no endpoint that takes it",
}


@REGISTRY.handles(Notification, queue="flagship:notifications")
async def notification(job: Notification, ctx: Context) -> Outcome:
    """Tell it once for each key. Safe to run twice: what was made is known, and so what was sent.

    A crash between sending an email and recording that makes it go to the service a second time:
    Resend knows its id and sends it once, a mail server may send it again.
    """
    to = await _organisation(job.org_id, ctx)
    told = await ctx.notifications.tell(job, to, ctx.job.id)
    await ctx.follow_ups.ring(told.rings)
    if told.needs_email:
        return await _email(letter_of(told.notification, to), told, ctx)
    message = _MESSAGES.get(told.notification.state, "told") if told.is_mine else "told before"
    return _completed(message, told.notification)


async def _email(letter: Letter, told: Told, ctx: Context) -> Outcome:
    try:
        email_id = await ctx.email.send(letter, again=told.again)
    except Postponed as postponed:
        return Snooze(postponed.seconds, postponed.message)
    except TransientError as error:
        if ctx.job.failures + 1 >= ctx.job.max_attempts:
            await ctx.notifications.failed(told.notification, error.message)
        return Failed(error.message)
    except PermanentError as error:
        await ctx.notifications.failed(told.notification, error.message)
        raise
    await ctx.notifications.sent(told.notification, email_id)
    return _completed("told by email", told.notification)


async def _organisation(org_id: str, ctx: Context) -> Organisation:
    try:
        return await ctx.notifications.organisation(org_id)
    except NotFound as error:
        raise PermanentError(error.message) from None


def _completed(message: str, notification: Notified) -> Outcome:
    return Completed(message, notification_id=str(notification.id))
